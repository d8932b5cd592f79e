# The web servers: one with an address of its own (the one-box start), or a group of stateless ones behind a balancer.

locals {
  access = concat(
    [
      { sid = "Settings", actions = ["ssm:GetParametersByPath"], resources = [var.settings_arn] },
      { sid = "Artifact", actions = ["s3:GetObject"], resources = ["${var.artifact_bucket_arn}/${var.artifact_key}"] },
      { sid = "Population", actions = ["s3:PutObject"], resources = ["${var.results_bucket_arn}/population/*"] },
    ],
    length(var.secret_arns) == 0 ? [] : [{ sid = "Secrets", actions = ["secretsmanager:GetSecretValue"], resources = var.secret_arns }],
    [for arn in var.table_arns : { sid = "Rows", actions = local.table_actions, resources = [arn] }],
    [for arn in var.assets_bucket_arns : { sid = "Pictures", actions = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"], resources = ["${arn}/originals/*", "${arn}/renditions/*"] }],
    # What browsers have put there: an address can do no more than the role that signed it, hence PutObject.
    [for arn in var.assets_bucket_arns : { sid = "Uploads", actions = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"], resources = ["${arn}/uploads/*"] }],
    [for arn in var.assets_bucket_arns : { sid = "Sweep", actions = ["s3:ListBucket"], resources = [arn] }],
    [for arn in var.queue_arns : { sid = "Jobs", actions = ["sqs:GetQueueAttributes", "sqs:SendMessage"], resources = [arn] }],
  )
  # `migrate` asks for the table and takes "it is there" for an answer, hence CreateTable.
  table_actions = [
    "dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:ConditionCheckItem", "dynamodb:CreateTable", "dynamodb:DeleteItem",
    "dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem",
  ]
  # Users come in by the public balancer, the load generators by the one inside: their way must not lead through the internet.
  balancers = var.balancer ? (var.inside_balancer ? toset(["public", "inside"]) : toset(["public"])) : toset([])
}

module "machine" {
  source            = "../machine"
  name              = "${var.name}-web"
  image_id          = var.image_id
  root_device       = var.root_device
  instance_type     = var.instance_type
  disk_gib          = var.disk_gib
  user_data         = var.user_data
  security_group_id = aws_security_group.web.id
  public_address    = !var.balancer
  subnet_id         = var.balancer ? null : var.public_subnet_ids[0]
  statements        = local.access
  tags              = var.tags
}

resource "aws_security_group" "web" {
  name        = "${var.name}-web"
  description = "Web servers"
  vpc_id      = var.vpc_id
  tags        = { Name = "${var.name}-web" }
}

resource "aws_vpc_security_group_egress_rule" "web" {
  security_group_id = aws_security_group.web.id
  description       = "Database, cache, AWS and package servers"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}

resource "aws_vpc_security_group_ingress_rule" "users" {
  for_each          = var.balancer ? toset([]) : toset(var.users_cidr_blocks)
  security_group_id = aws_security_group.web.id
  description       = "Users of the single server"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = var.port
  to_port           = var.port
}

# --- one server -------------------------------------------------------------------------------------------------------
resource "aws_instance" "single" {
  count = var.balancer ? 0 : 1
  tags  = { Name = "${var.name}-web" }
  # Said again: where nothing is said the provider sends "off", and that overrides the template.
  monitoring = true

  # Its subnet stands in the template, beside the network interface: EC2 takes no other one.
  launch_template {
    id      = module.machine.launch_template_id
    version = module.machine.launch_template_version
  }
}

# --- a balancer and a group -------------------------------------------------------------------------------------------
resource "aws_security_group" "balancer" {
  count       = var.balancer ? 1 : 0
  name        = "${var.name}-balancer"
  description = "Load balancers"
  vpc_id      = var.vpc_id
  tags        = { Name = "${var.name}-balancer" }
}

resource "aws_vpc_security_group_ingress_rule" "balancer" {
  for_each          = var.balancer ? toset(var.users_cidr_blocks) : toset([])
  security_group_id = aws_security_group.balancer[0].id
  description       = "Users"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
}

resource "aws_vpc_security_group_egress_rule" "balancer" {
  count                        = var.balancer ? 1 : 0
  security_group_id            = aws_security_group.balancer[0].id
  description                  = "Web servers, and nothing else"
  referenced_security_group_id = aws_security_group.web.id
  ip_protocol                  = "tcp"
  from_port                    = var.port
  to_port                      = var.port
}

resource "aws_vpc_security_group_ingress_rule" "from_balancer" {
  count                        = var.balancer ? 1 : 0
  security_group_id            = aws_security_group.web.id
  description                  = "The load balancers"
  referenced_security_group_id = aws_security_group.balancer[0].id
  ip_protocol                  = "tcp"
  from_port                    = var.port
  to_port                      = var.port
}

resource "aws_lb" "this" {
  for_each                   = local.balancers
  name                       = "${var.name}-${each.key}"
  load_balancer_type         = "application"
  internal                   = each.key == "inside"
  security_groups            = [aws_security_group.balancer[0].id]
  subnets                    = each.key == "inside" ? var.private_subnet_ids : var.public_subnet_ids
  drop_invalid_header_fields = true
  # Below the app's own 300 s: the side that closes an idle connection first must be the balancer.
  idle_timeout = 60

  access_logs {
    bucket  = aws_s3_bucket.access_logs[0].id
    prefix  = each.key
    enabled = true
  }

  depends_on = [aws_s3_bucket_policy.access_logs]
}

resource "aws_lb_target_group" "this" {
  for_each                      = local.balancers
  name                          = "${var.name}-${each.key}"
  vpc_id                        = var.vpc_id
  port                          = var.port
  protocol                      = "HTTP"
  target_type                   = "instance"
  load_balancing_algorithm_type = "round_robin"
  deregistration_delay          = var.deregistration_delay_s

  # Sessions live in signed cookies: any server may answer.
  stickiness {
    type    = "lb_cookie"
    enabled = false
  }

  health_check {
    path                = var.health_check_path
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }
}

resource "aws_lb_listener" "http" {
  for_each          = local.balancers
  load_balancer_arn = aws_lb.this[each.key].arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this[each.key].arn
  }
}

resource "aws_autoscaling_group" "this" {
  count               = var.balancer ? 1 : 0
  name                = "${var.name}-web"
  vpc_zone_identifier = var.private_subnet_ids
  min_size            = var.count_min
  desired_capacity    = var.count_min
  max_size            = var.count_max
  target_group_arns   = [for key in sort(tolist(local.balancers)) : aws_lb_target_group.this[key].arn]
  # The balancer takes out a server that is not ready; only a machine that is broken is replaced. With "ELB" the group would end servers
  # that a level beyond the capacity has made slow, or all of them while the database restarts. The app itself is started again by systemd.
  health_check_type       = "EC2"
  default_instance_warmup = 120
  enabled_metrics         = ["GroupDesiredCapacity", "GroupInServiceInstances"]

  launch_template {
    id      = module.machine.launch_template_id
    version = module.machine.launch_template_version
  }

  instance_refresh {
    strategy = "Rolling"
    preferences {
      min_healthy_percentage = 50
      # From its start to its first answer, on a burstable type without credits.
      instance_warmup = 240
    }
  }

  dynamic "tag" {
    for_each = merge(var.tags, { Name = "${var.name}-web" })
    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = true
    }
  }

  # The scaling policy moves it between its bounds.
  lifecycle {
    ignore_changes = [desired_capacity]
  }
}

# With equal bounds the count is fixed, as an experiment wants it; otherwise the group follows its CPU.
resource "aws_autoscaling_policy" "cpu" {
  count                  = var.balancer && var.count_max > var.count_min ? 1 : 0
  name                   = "${var.name}-web-cpu"
  autoscaling_group_name = aws_autoscaling_group.this[0].name
  policy_type            = "TargetTrackingScaling"

  target_tracking_configuration {
    target_value = var.cpu_target_percent
    predefined_metric_specification {
      predefined_metric_type = "ASGAverageCPUUtilization"
    }
  }
}
