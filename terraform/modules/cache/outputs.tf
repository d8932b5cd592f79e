# The app's setting, and what is watched.
output "redis_url" {
  description = "The app's --redis-url: with TLS, which the release build for AWS speaks."
  value       = "rediss://${aws_elasticache_replication_group.this.primary_endpoint_address}:6379"
}

output "cluster_id" {
  description = "The one node, for dashboards and alarms."
  value       = "${aws_elasticache_replication_group.this.replication_group_id}-001"
}
