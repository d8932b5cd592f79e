# The balancers' access logs: who asked for what, and how long the target took. Needed to explain a slow page after the fact.

resource "aws_s3_bucket" "access_logs" {
  count         = var.balancer ? 1 : 0
  bucket        = var.access_logs_bucket
  force_destroy = true
}

resource "aws_s3_bucket_public_access_block" "access_logs" {
  count                   = var.balancer ? 1 : 0
  bucket                  = aws_s3_bucket.access_logs[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_lifecycle_configuration" "access_logs" {
  count  = var.balancer ? 1 : 0
  bucket = aws_s3_bucket.access_logs[0].id
  rule {
    id     = "a-week"
    status = "Enabled"
    filter {}
    expiration {
      days = 7
    }
  }
}

# ELB's service may write, nobody may read. AWS documents it for every region; the accounts that wrote in older ones are none in newer.
resource "aws_s3_bucket_policy" "access_logs" {
  count  = var.balancer ? 1 : 0
  bucket = aws_s3_bucket.access_logs[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "ServiceOfElb"
        Effect    = "Allow"
        Principal = { Service = "logdelivery.elasticloadbalancing.amazonaws.com" }
        Action    = ["s3:PutObject"]
        Resource  = ["${aws_s3_bucket.access_logs[0].arn}/*"]
      },
    ]
  })
}
