# What the other modules build on.
output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "public_subnet_ids" {
  description = "Subnets with a way in: the balancer, the single web server."
  value       = [for zone in var.availability_zones : aws_subnet.public[zone].id]
  # Whoever lives there boots with a way out.
  depends_on = [aws_route.internet, aws_route_table_association.public]
}

output "private_subnet_ids" {
  description = "Subnets without a way in: everything else."
  value       = [for zone in var.availability_zones : aws_subnet.private[zone].id]
  depends_on  = [aws_route.nat, aws_route_table_association.private, aws_vpc_endpoint.gateway]
}

output "subnet_cidr_blocks" {
  description = "Addresses of all subnets."
  value       = [for subnet in concat(values(aws_subnet.public), values(aws_subnet.private)) : subnet.cidr_block]
}

output "gateway_prefix_list_ids" {
  description = "Addresses of S3 and DynamoDB, for security groups."
  value       = [for endpoint in aws_vpc_endpoint.gateway : endpoint.prefix_list_id]
}
