# The app's settings, and what roles may touch.
output "bucket" {
  description = "The app's --s3-bucket."
  value       = aws_s3_bucket.this.bucket
}

output "bucket_arn" {
  description = "For roles."
  value       = aws_s3_bucket.this.arn
}

output "public_url" {
  description = "The app's --assets-public-url: where pages link pictures to."
  value       = "http://${aws_cloudfront_distribution.this.domain_name}"
}

output "distribution_id" {
  description = "For dashboards and alarms."
  value       = aws_cloudfront_distribution.this.id
}

output "upload_origins" {
  description = "Whose pages' scripts may put uploads into the bucket."
  value       = sort(tolist(one(aws_s3_bucket_cors_configuration.this.cors_rule).allowed_origins))
}
