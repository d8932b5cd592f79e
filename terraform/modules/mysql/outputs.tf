# How the app reaches the database, and what is watched.
output "addresses" {
  description = "All nodes in the order of the app's setting."
  value       = local.addresses
}

output "store_url" {
  description = "The app's --store-url; %DATABASE_USER% and %DATABASE_PASSWORD% are filled in on the instance, from the secret."
  value       = join(",", [for address in local.addresses : "mysql://%DATABASE_USER%:%DATABASE_PASSWORD%@${address}:3306/${var.database}?ssl-mode=REQUIRED"])
}

output "secret_arn" {
  description = "User and password; known once they are written."
  value       = aws_secretsmanager_secret_version.this.arn
}

output "instance_identifiers" {
  description = "For dashboards and alarms."
  value       = concat(values(local.primaries), values(local.replicas))
}

output "replica_identifiers" {
  description = "For the alarm on their lag."
  value       = values(local.replicas)
}

output "connections_max" {
  description = "Connections that a node takes, all processes together."
  value       = one([for parameter in aws_db_parameter_group.this.parameter : tonumber(parameter.value) if parameter.name == "max_connections"])
}
