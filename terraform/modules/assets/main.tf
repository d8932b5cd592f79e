# Pictures in a private bucket, and CloudFront in front of the renditions. The bucket answers to the app's roles and to this one
# distribution; no URL leads to an original, neither here nor there. Browsers put uploads into it, each to an address that the app has
# signed for one object of one size.

resource "aws_s3_bucket" "this" {
  bucket        = var.bucket
  force_destroy = var.force_destroy
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  # An original is read when a version is made: often in its first days, hardly ever after a month.
  rule {
    id     = "originals"
    status = "Enabled"
    filter {
      prefix = "originals/"
    }
    transition {
      days          = 30
      storage_class = "STANDARD_IA"
    }
  }

  # What was uploaded past the web servers and never claimed by a photo.
  rule {
    id     = "temporary-uploads"
    status = "Enabled"
    filter {
      prefix = "uploads/"
    }
    expiration {
      days = 1
    }
  }

  rule {
    id     = "unfinished-uploads"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

# The upload page's script may put, and nothing else: the content type is the one header that it sets and the signature asks for.
resource "aws_s3_bucket_cors_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  cors_rule {
    id              = "uploads-from-the-apps-pages"
    allowed_methods = ["PUT"]
    # Browsers write hosts in small letters, balancers are named as somebody typed.
    allowed_origins = [for origin in var.upload_origins : lower(origin)]
    allowed_headers = ["content-type"]
    max_age_seconds = 600
  }
}

resource "aws_cloudfront_origin_access_control" "this" {
  name                              = var.bucket
  description                       = "Only this distribution reads renditions"
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

# As AssetKey says of a rendition: `public, max-age=31536000, immutable`. Its bytes never change under its URL, so that neither
# query, cookie nor header makes another copy of it.
resource "aws_cloudfront_cache_policy" "renditions" {
  name        = "${var.bucket}-renditions"
  comment     = "A year, whatever the query, cookies or headers"
  min_ttl     = 0
  default_ttl = 31536000
  max_ttl     = 31536000

  parameters_in_cache_key_and_forwarded_to_origin {
    cookies_config {
      cookie_behavior = "none"
    }
    headers_config {
      header_behavior = "none"
    }
    query_strings_config {
      query_string_behavior = "none"
    }
  }
}

# As AssetKey says of an original: nobody's to keep. The bucket refuses it anyway; the refusal is not kept either.
resource "aws_cloudfront_cache_policy" "nothing" {
  name        = "${var.bucket}-nothing"
  comment     = "Nothing is kept"
  min_ttl     = 0
  default_ttl = 0
  max_ttl     = 0

  parameters_in_cache_key_and_forwarded_to_origin {
    cookies_config {
      cookie_behavior = "none"
    }
    headers_config {
      header_behavior = "none"
    }
    query_strings_config {
      query_string_behavior = "none"
    }
  }
}

resource "aws_cloudfront_distribution" "this" {
  enabled         = true
  is_ipv6_enabled = true
  http_version    = "http2and3"
  price_class     = var.price_class
  comment         = var.bucket

  origin {
    origin_id                = "pictures"
    domain_name              = aws_s3_bucket.this.bucket_regional_domain_name
    origin_access_control_id = aws_cloudfront_origin_access_control.this.id
  }

  default_cache_behavior {
    target_origin_id       = "pictures"
    viewer_protocol_policy = "https-only"
    allowed_methods        = ["GET", "HEAD"]
    cached_methods         = ["GET", "HEAD"]
    cache_policy_id        = aws_cloudfront_cache_policy.nothing.id
  }

  # Pages of the load generator come over http, and their pictures with them: redirecting would measure the redirect.
  ordered_cache_behavior {
    path_pattern           = "renditions/*"
    target_origin_id       = "pictures"
    viewer_protocol_policy = "allow-all"
    allowed_methods        = ["GET", "HEAD"]
    cached_methods         = ["GET", "HEAD"]
    cache_policy_id        = aws_cloudfront_cache_policy.renditions.id
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    cloudfront_default_certificate = true
  }
}

# CacheHitRate is one of the metrics that CloudFront publishes only when asked; the assets experiment cannot be read without it.
resource "aws_cloudfront_monitoring_subscription" "this" {
  distribution_id = aws_cloudfront_distribution.this.id
  monitoring_subscription {
    realtime_metrics_subscription_config {
      realtime_metrics_subscription_status = "Enabled"
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  bucket     = aws_s3_bucket.this.id
  depends_on = [aws_s3_bucket_public_access_block.this]
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "RenditionsForTheCdn"
        Effect    = "Allow"
        Principal = { Service = "cloudfront.amazonaws.com" }
        Action    = ["s3:GetObject"]
        Resource  = ["${aws_s3_bucket.this.arn}/renditions/*"]
        Condition = { StringEquals = { "AWS:SourceArn" = aws_cloudfront_distribution.this.arn } }
      },
      {
        Sid       = "NothingWithoutTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = ["s3:*"]
        Resource  = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]
        # CloudFront asks a bucket by the protocol that its viewer used: services of AWS are left to the statement above.
        Condition = { Bool = { "aws:SecureTransport" = "false", "aws:PrincipalIsAWSService" = "false" } }
      },
    ]
  })
}
