# For databases and caches, dashboards, and tests of what the role may do.
output "security_group_id" {
  description = "The workers, for databases and caches."
  value       = aws_security_group.this.id
}

output "group_name" {
  description = "The Auto Scaling group."
  value       = aws_autoscaling_group.this.name
}

output "actions" {
  description = "Everything that the role may do."
  value       = module.machine.actions
}

output "resources" {
  description = "Everything that it may do that to."
  value       = module.machine.resources
}
