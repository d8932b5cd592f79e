# What validate cannot see: engine family, encryption, backups, no public address, and the order of nodes in the app's setting.
mock_provider "aws" {
  mock_resource "aws_db_instance" {
    defaults = { address = "node.example.internal" }
  }
  mock_data "aws_secretsmanager_secret_version" {
    defaults = { secret_string = "{\"username\":\"photo_app\",\"password\":\"9876543210987654321098765432109876543210\"}" }
  }
  mock_data "aws_secretsmanager_random_password" {
    defaults = { random_password = "0123456789012345678901234567890123456789" }
  }
}

variables {
  name                      = "lightmeter-test"
  vpc_id                    = "vpc-1"
  subnet_ids                = ["subnet-1", "subnet-2"]
  client_security_group_ids = { web = "sg-web" }
}

run "one_private_encrypted_database" {
  command = apply
  assert {
    condition     = alltrue([for node in aws_db_instance.primary : node.engine == "mysql" && node.storage_encrypted && !node.publicly_accessible && node.backup_retention_period >= 1])
    error_message = "A primary must be MySQL, encrypted, backed up and without a public address."
  }
  assert {
    condition     = alltrue([for node in aws_db_instance.primary : aws_db_parameter_group.this.family == "${node.engine}${node.engine_version}"])
    error_message = "The parameter group's family must be that of the engine's version."
  }
  assert {
    condition     = contains([for parameter in aws_db_parameter_group.this.parameter : "${parameter.name}=${parameter.value}"], "require_secure_transport=1")
    error_message = "Connections must be encrypted."
  }
  assert {
    condition     = contains([for parameter in aws_db_parameter_group.this.parameter : "${parameter.name}=${parameter.value}"], "max_connections=${var.connections_max}") && output.connections_max == var.connections_max
    error_message = "A node must say how many connections it takes: RDS's own number is too small for the app's pools."
  }
  assert {
    condition     = output.store_url == "mysql://%DATABASE_USER%:%DATABASE_PASSWORD%@node.example.internal:3306/photos?ssl-mode=REQUIRED"
    error_message = "The app's setting must name the node, and leave user and password to the instance."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.clients["web"].from_port == 3306 && aws_vpc_security_group_ingress_rule.clients["web"].cidr_ipv4 == null
    error_message = "Only security groups may connect, and only to MySQL."
  }
}

run "replicas_follow_the_primary" {
  command = apply
  variables { replica_count = 2 }
  assert {
    condition     = length(aws_db_instance.replica) == 2 && alltrue([for node in aws_db_instance.replica : node.replicate_source_db == "lightmeter-test-mysql-1" && !node.publicly_accessible])
    error_message = "Replicas must follow the first primary, without a public address."
  }
  assert {
    condition = length(setsubtract(
      ["gtid-mode=ON pending-reboot", "enforce_gtid_consistency=ON pending-reboot"],
      [for parameter in aws_db_parameter_group.this.parameter : "${parameter.name}=${parameter.value} ${coalesce(parameter.apply_method, "immediate")}"],
    )) == 0
    error_message = "Transactions must be numbered (gtid-mode and enforce_gtid_consistency ON): the app cannot tell the lag of replicas otherwise."
  }
  assert {
    condition     = alltrue([for node in concat(values(aws_db_instance.primary), values(aws_db_instance.replica)) : node.parameter_group_name == aws_db_parameter_group.this.name])
    error_message = "Primary and replicas must number their transactions alike: one parameter group."
  }
  assert {
    condition     = length(split(",", output.store_url)) == 3
    error_message = "The app's setting must name the primary and both replicas."
  }
}

run "shards_are_primaries" {
  command = apply
  variables { primary_count = 4 }
  assert {
    condition     = length(aws_db_instance.primary) == 4 && length(aws_db_instance.replica) == 0 && length(split(",", output.store_url)) == 4
    error_message = "Four shards are four primaries."
  }
  assert {
    condition = toset([for group in aws_cloudwatch_log_group.primary : "${group.name} ${group.retention_in_days}"]) == toset(flatten([
      for node in aws_db_instance.primary : [for log in node.enabled_cloudwatch_logs_exports : "/aws/rds/instance/${node.identifier}/${log} 7"]
    ]))
    error_message = "Every log that a node exports must have a group of ours that expires: one that RDS makes has no tag and stays."
  }
}

run "both_at_once_is_refused" {
  command         = plan
  expect_failures = [var.replica_count]
  variables {
    primary_count = 2
    replica_count = 1
  }
}
