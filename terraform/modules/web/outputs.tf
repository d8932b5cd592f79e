# Where users come in, what is watched, and what may be done.
output "url" {
  description = "Where users come in."
  value       = var.balancer ? "http://${aws_lb.this["public"].dns_name}" : "http://${aws_instance.single[0].public_ip}:${var.port}"
}

output "inside_address" {
  description = "Where load generators inside the VPC come in: host:port."
  value = (
    !var.balancer ? "${aws_instance.single[0].private_ip}:${var.port}"
    : var.inside_balancer ? "${aws_lb.this["inside"].dns_name}:80"
    : ""
  )
}

output "security_group_id" {
  description = "The web servers, for databases and caches."
  value       = aws_security_group.web.id
}

output "entry_security_group_id" {
  description = "What load generators may talk to: the balancers, or the single server."
  value       = var.balancer ? aws_security_group.balancer[0].id : aws_security_group.web.id
}

output "entry_port" {
  description = "The port of that entry."
  value       = var.balancer ? 80 : var.port
}

output "group_name" {
  description = "The Auto Scaling group; empty with a single server."
  value       = var.balancer ? aws_autoscaling_group.this[0].name : ""
}

output "instance_id" {
  description = "The single server; empty with a group."
  value       = var.balancer ? "" : aws_instance.single[0].id
}

output "balancer_dimension" {
  description = "The balancer under load as CloudWatch names it; empty without one."
  value       = var.balancer ? aws_lb.this[var.inside_balancer ? "inside" : "public"].arn_suffix : ""
}

output "target_group_dimension" {
  description = "Its targets as CloudWatch names them; empty without a balancer."
  value       = var.balancer ? aws_lb_target_group.this[var.inside_balancer ? "inside" : "public"].arn_suffix : ""
}

output "seed_document" {
  description = "The document that seeds the population."
  value       = aws_ssm_document.seed.name
}

output "actions" {
  description = "Everything that the role may do."
  value       = module.machine.actions
}

output "resources" {
  description = "Everything that it may do that to."
  value       = module.machine.resources
}
