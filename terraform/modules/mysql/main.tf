# MySQL on RDS: one primary, one primary with read replicas, or several primaries as shards. Private, encrypted, backed up.
# The password is made here and kept in Secrets Manager. Its argument of the instance is write-only, but the data sources that it comes from
# are in the state: keep that private.

locals {
  primaries = { for number in range(1, var.primary_count + 1) : tostring(number) => "${var.name}-mysql-${number}" }
  replicas  = { for number in range(1, var.replica_count + 1) : tostring(number) => "${var.name}-replica-${number}" }
  # Logs that primaries send to CloudWatch; replicas send none.
  logs = ["error", "slowquery"]
  # Every node takes part in the order of the app's setting: the primary first, then replicas; or the shards.
  addresses = concat(
    [for number in range(1, var.primary_count + 1) : aws_db_instance.primary[tostring(number)].address],
    [for number in range(1, var.replica_count + 1) : aws_db_instance.replica[tostring(number)].address],
  )
}

resource "aws_security_group" "this" {
  name        = "${var.name}-mysql"
  description = "MySQL, for the app's own instances only"
  vpc_id      = var.vpc_id
  tags        = { Name = "${var.name}-mysql" }
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  for_each                     = var.client_security_group_ids
  security_group_id            = aws_security_group.this.id
  description                  = "MySQL from ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 3306
  to_port                      = 3306
}

resource "aws_db_subnet_group" "this" {
  name       = "${var.name}-mysql"
  subnet_ids = var.subnet_ids
}

resource "aws_db_parameter_group" "this" {
  name   = "${var.name}-mysql"
  family = "mysql8.4"

  # Slow statements are the database experiment's first suspects.
  parameter {
    name  = "slow_query_log"
    value = "1"
  }
  parameter {
    name  = "long_query_time"
    value = "0.5"
  }
  # To a file, from where it reaches CloudWatch Logs; tables would stay in the database.
  parameter {
    name  = "log_output"
    value = "FILE"
  }
  # RDS's own default follows the memory (about 80 on a micro), which a few pools of the app use up.
  parameter {
    name  = "max_connections"
    value = tostring(var.connections_max)
  }
  # The app's release build speaks TLS to its database; nothing else may connect.
  parameter {
    name  = "require_secure_transport"
    value = "1"
  }
  # Transactions get numbers, from which the app counts how far each replica is behind. Both at once: MySQL refuses the first without
  # the second. Static, so that they hold from the first start on; an older instance needs a restart.
  parameter {
    name         = "gtid-mode"
    value        = "ON"
    apply_method = "pending-reboot"
  }
  parameter {
    name         = "enforce_gtid_consistency"
    value        = "ON"
    apply_method = "pending-reboot"
  }
}

# RDS could manage the password itself, but then it makes no read replicas: hence this one.
data "aws_secretsmanager_random_password" "this" {
  password_length     = 40
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret" "this" {
  name                    = "${var.name}-mysql"
  description             = "User and password of MySQL in ${var.name}"
  recovery_window_in_days = 0
}

# Written once (the version below says when again): the data source gives another password at every plan.
resource "aws_secretsmanager_secret_version" "this" {
  secret_id                = aws_secretsmanager_secret.this.id
  secret_string_wo         = jsonencode({ username = var.username, password = data.aws_secretsmanager_random_password.this.random_password })
  secret_string_wo_version = var.password_version
}

# What was written then is what every node gets, also one that is added later: the password above would be another one by then.
data "aws_secretsmanager_secret_version" "this" {
  secret_id  = aws_secretsmanager_secret.this.id
  depends_on = [aws_secretsmanager_secret_version.this]
}

# RDS would make these itself, without tags and for ever: made here, they expire, and go with the rest.
resource "aws_cloudwatch_log_group" "primary" {
  for_each          = { for one in setproduct(keys(local.primaries), local.logs) : "${one[0]}/${one[1]}" => "/aws/rds/instance/${local.primaries[one[0]]}/${one[1]}" }
  name              = each.value
  retention_in_days = 7
}

resource "aws_db_instance" "primary" {
  for_each                        = local.primaries
  identifier                      = each.value
  engine                          = "mysql"
  engine_version                  = "8.4"
  instance_class                  = var.instance_class
  db_name                         = var.database
  username                        = var.username
  password_wo                     = jsondecode(data.aws_secretsmanager_secret_version.this.secret_string).password
  password_wo_version             = var.password_version
  allocated_storage               = var.storage_gib
  storage_type                    = "gp3"
  storage_encrypted               = true
  db_subnet_group_name            = aws_db_subnet_group.this.name
  vpc_security_group_ids          = [aws_security_group.this.id]
  parameter_group_name            = aws_db_parameter_group.this.name
  publicly_accessible             = false
  multi_az                        = false
  backup_retention_period         = var.backup_days
  copy_tags_to_snapshot           = true
  deletion_protection             = var.deletion_protection
  skip_final_snapshot             = true
  apply_immediately               = true
  auto_minor_version_upgrade      = true
  enabled_cloudwatch_logs_exports = local.logs
  depends_on                      = [aws_cloudwatch_log_group.primary]
}

resource "aws_db_instance" "replica" {
  for_each               = local.replicas
  identifier             = each.value
  replicate_source_db    = aws_db_instance.primary["1"].identifier
  instance_class         = var.instance_class
  storage_encrypted      = true
  vpc_security_group_ids = [aws_security_group.this.id]
  parameter_group_name   = aws_db_parameter_group.this.name
  publicly_accessible    = false
  skip_final_snapshot    = true
  apply_immediately      = true
}
