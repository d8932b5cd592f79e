# Where results go, and how the fleet is started.
output "results_bucket" {
  description = "Populations under population/, results under load/RUN/."
  value       = aws_s3_bucket.results.bucket
}

output "results_bucket_arn" {
  description = "For the web servers' role."
  value       = aws_s3_bucket.results.arn
}

output "load_document" {
  description = "The document that starts all generators; empty without a fleet."
  value       = var.instance_count > 0 ? aws_ssm_document.load[0].name : ""
}

output "group_name" {
  description = "The Auto Scaling group; empty without a fleet."
  value       = var.instance_count > 0 ? aws_autoscaling_group.this[0].name : ""
}

output "actions" {
  description = "Everything that the role may do."
  value       = var.instance_count > 0 ? module.machine[0].actions : []
}

output "user_data" {
  description = "What a generator does at its first boot, for tests of whom it asks."
  value       = var.user_data
}
