# Valkey on ElastiCache: the shared cache of the framework experiment. One node: a cache that fails is a miss, never a failed page.

resource "aws_security_group" "this" {
  name        = "${var.name}-cache"
  description = "Valkey, for the app's own instances only"
  vpc_id      = var.vpc_id
  tags        = { Name = "${var.name}-cache" }
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  for_each                     = var.client_security_group_ids
  security_group_id            = aws_security_group.this.id
  description                  = "Valkey from ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 6379
  to_port                      = 6379
}

resource "aws_elasticache_subnet_group" "this" {
  name       = "${var.name}-cache"
  subnet_ids = var.subnet_ids
}

resource "aws_elasticache_parameter_group" "this" {
  name   = "${var.name}-cache"
  family = "valkey8"

  # A full cache forgets what was used least recently; it does not refuse to remember.
  parameter {
    name  = "maxmemory-policy"
    value = "allkeys-lru"
  }
}

resource "aws_elasticache_replication_group" "this" {
  replication_group_id       = "${var.name}-cache"
  description                = "Shared cache of ${var.name}"
  engine                     = "valkey"
  engine_version             = "8.0"
  node_type                  = var.node_type
  num_cache_clusters         = 1
  automatic_failover_enabled = false
  port                       = 6379
  subnet_group_name          = aws_elasticache_subnet_group.this.name
  security_group_ids         = [aws_security_group.this.id]
  parameter_group_name       = aws_elasticache_parameter_group.this.name
  at_rest_encryption_enabled = true
  # The app's release build speaks TLS (`rediss://`); nothing else may connect. Who may, is said by the security group: a password
  # would add a secret to every boot and keep out nobody whom the group lets in.
  transit_encryption_enabled = true
  apply_immediately          = true
  snapshot_retention_limit   = 0
}
