# For whoever starts instances of it, and for tests of what it may do.
output "launch_template_id" {
  description = "The template."
  value       = aws_launch_template.this.id
}

output "launch_template_version" {
  description = "Its latest version."
  value       = aws_launch_template.this.latest_version
}

output "actions" {
  description = "Everything that the role may do, sorted, sessions apart."
  value       = sort(distinct(flatten([for one in jsondecode(aws_iam_role_policy.own.policy).Statement : one.Action])))
}

output "resources" {
  description = "Everything that it may do that to."
  value       = distinct(flatten([for one in jsondecode(aws_iam_role_policy.own.policy).Statement : one.Resource]))
}
