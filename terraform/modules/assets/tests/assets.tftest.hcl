# What validate cannot see: nothing is public, only renditions have a way out, they are kept as AssetKey says, and only the app's own pages
# have a way in.
mock_provider "aws" {
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::lightmeter-test", bucket_regional_domain_name = "lightmeter-test.s3.us-east-1.amazonaws.com" }
  }
  mock_resource "aws_cloudfront_distribution" {
    defaults = { arn = "arn:aws:cloudfront::123456789012:distribution/E1", domain_name = "d1.cloudfront.net" }
  }
}

variables {
  bucket         = "lightmeter-test"
  upload_origins = ["http://Lightmeter-public-1.us-east-1.elb.amazonaws.com"]
}

run "the_bucket_is_private" {
  command = apply
  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.this.block_public_acls, aws_s3_bucket_public_access_block.this.block_public_policy,
      aws_s3_bucket_public_access_block.this.ignore_public_acls, aws_s3_bucket_public_access_block.this.restrict_public_buckets,
    ])
    error_message = "All four locks against public access must be on."
  }
  assert {
    condition = alltrue([
      for statement in jsondecode(aws_s3_bucket_policy.this.policy).Statement :
      statement.Effect == "Deny" || (statement.Principal == { Service = "cloudfront.amazonaws.com" } && statement.Resource == ["arn:aws:s3:::lightmeter-test/renditions/*"] && statement.Action == ["s3:GetObject"])
    ])
    error_message = "The policy may let CloudFront read renditions and nothing else."
  }
  assert {
    condition     = aws_cloudfront_origin_access_control.this.signing_behavior == "always"
    error_message = "The distribution must sign what it asks the bucket for."
  }
}

run "renditions_are_kept_for_a_year" {
  command = apply
  assert {
    condition     = aws_cloudfront_distribution.this.ordered_cache_behavior[0].path_pattern == "renditions/*" && aws_cloudfront_distribution.this.ordered_cache_behavior[0].cache_policy_id == aws_cloudfront_cache_policy.renditions.id
    error_message = "Renditions must be kept under the policy made for them."
  }
  assert {
    condition     = aws_cloudfront_cache_policy.renditions.max_ttl == 365 * 24 * 3600 && aws_cloudfront_cache_policy.nothing.max_ttl == 0
    error_message = "A rendition is kept for a year, everything else not at all."
  }
  assert {
    condition     = alltrue([for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule.status == "Enabled"]) && toset([for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule.id]) == toset(["originals", "temporary-uploads", "unfinished-uploads"])
    error_message = "Originals, temporary and unfinished uploads must each have their rule."
  }
}

run "only_the_apps_pages_may_put" {
  command = apply
  assert {
    condition = jsonencode([for rule in aws_s3_bucket_cors_configuration.this.cors_rule : [rule.allowed_methods, rule.allowed_origins, rule.allowed_headers]]) == jsonencode(
      [[["PUT"], ["http://lightmeter-public-1.us-east-1.elb.amazonaws.com"], ["content-type"]]]
    )
    error_message = "One rule must let the app's own origin put with a content type, and do nothing else."
  }
}

run "everybodys_pages_are_refused" {
  command = plan
  variables { upload_origins = ["*"] }
  expect_failures = [var.upload_origins]
}

run "an_origin_has_no_path" {
  command = plan
  variables { upload_origins = ["http://photos.example.com/"] }
  expect_failures = [var.upload_origins]
}
