# What validate cannot see: the parameter group's family is the engine's, and the address is one that the app reads.
mock_provider "aws" {
  mock_resource "aws_elasticache_replication_group" {
    defaults = { primary_endpoint_address = "cache.example.internal" }
  }
}

variables {
  name                      = "lightmeter-test"
  vpc_id                    = "vpc-1"
  subnet_ids                = ["subnet-1", "subnet-2"]
  client_security_group_ids = { web = "sg-web", worker = "sg-worker" }
}

run "valkey_as_the_app_wants_it" {
  command = apply
  assert {
    condition     = aws_elasticache_parameter_group.this.family == "${aws_elasticache_replication_group.this.engine}${split(".", aws_elasticache_replication_group.this.engine_version)[0]}"
    error_message = "The parameter group's family must be that of the engine's version."
  }
  assert {
    condition     = contains([for parameter in aws_elasticache_parameter_group.this.parameter : "${parameter.name}=${parameter.value}"], "maxmemory-policy=allkeys-lru")
    error_message = "A full cache must forget, not refuse."
  }
  assert {
    condition     = aws_elasticache_replication_group.this.transit_encryption_enabled && output.redis_url == "rediss://cache.example.internal:6379"
    error_message = "The cache must speak TLS, and the app must be told so: rediss://host:port."
  }
  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.clients) == 2 && alltrue([for rule in aws_vpc_security_group_ingress_rule.clients : rule.cidr_ipv4 == null])
    error_message = "Only security groups may connect."
  }
}
