# The workers that make renditions: a group without a way in, which follows the backlog per instance.

locals {
  access = concat(
    [
      { sid = "Settings", actions = ["ssm:GetParametersByPath"], resources = [var.settings_arn] },
      { sid = "Artifact", actions = ["s3:GetObject"], resources = ["${var.artifact_bucket_arn}/${var.artifact_key}"] },
      # A sweep hands over again what a crash left unfinished, hence SendMessage.
      {
        sid = "Jobs"
        actions = [
          "sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage",
        ]
        resources = [var.queue_arn]
      },
      { sid = "Pictures", actions = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"], resources = ["${var.assets_bucket_arn}/originals/*", "${var.assets_bucket_arn}/renditions/*"] },
      { sid = "Sweep", actions = ["s3:ListBucket"], resources = [var.assets_bucket_arn] },
    ],
    length(var.secret_arns) == 0 ? [] : [{ sid = "Secrets", actions = ["secretsmanager:GetSecretValue"], resources = var.secret_arns }],
    [for arn in var.table_arns : {
      sid = "Rows"
      actions = [
        "dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:ConditionCheckItem", "dynamodb:DeleteItem",
        "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem",
      ]
      resources = [arn]
    }],
  )
}

module "machine" {
  source            = "../machine"
  name              = "${var.name}-worker"
  image_id          = var.image_id
  root_device       = var.root_device
  instance_type     = var.instance_type
  user_data         = var.user_data
  security_group_id = aws_security_group.this.id
  statements        = local.access
  tags              = var.tags
}

resource "aws_security_group" "this" {
  name        = "${var.name}-worker"
  description = "Workers: no way in"
  vpc_id      = var.vpc_id
  tags        = { Name = "${var.name}-worker" }
}

resource "aws_vpc_security_group_egress_rule" "this" {
  security_group_id = aws_security_group.this.id
  description       = "Database, cache, AWS and package servers"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}

resource "aws_autoscaling_group" "this" {
  name                    = "${var.name}-worker"
  vpc_zone_identifier     = var.subnet_ids
  min_size                = var.count_min
  desired_capacity        = var.count_min
  max_size                = var.count_max
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
    }
  }

  dynamic "tag" {
    for_each = merge(var.tags, { Name = "${var.name}-worker" })
    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = true
    }
  }

  lifecycle {
    ignore_changes = [desired_capacity]
  }
}

# The backlog as the app counts it (jobs that wait and jobs that are worked on, from the same two attributes of the queue), for
# each worker in service. At the target, a job that arrives waits about target x seconds per job / jobs at once.
resource "aws_autoscaling_policy" "backlog" {
  count                  = var.count_max > var.count_min ? 1 : 0
  name                   = "${var.name}-worker-backlog"
  autoscaling_group_name = aws_autoscaling_group.this.name
  policy_type            = "TargetTrackingScaling"

  target_tracking_configuration {
    target_value = var.backlog_per_instance

    customized_metric_specification {
      metrics {
        id          = "waiting"
        label       = "Jobs that wait"
        return_data = false
        metric_stat {
          stat = "Average"
          metric {
            namespace   = "AWS/SQS"
            metric_name = "ApproximateNumberOfMessagesVisible"
            dimensions {
              name  = "QueueName"
              value = var.queue_name
            }
          }
        }
      }

      metrics {
        id          = "in_work"
        label       = "Jobs that are worked on"
        return_data = false
        metric_stat {
          stat = "Average"
          metric {
            namespace   = "AWS/SQS"
            metric_name = "ApproximateNumberOfMessagesNotVisible"
            dimensions {
              name  = "QueueName"
              value = var.queue_name
            }
          }
        }
      }

      metrics {
        id          = "instances"
        label       = "Workers in service"
        return_data = false
        metric_stat {
          stat = "Average"
          metric {
            namespace   = "AWS/AutoScaling"
            metric_name = "GroupInServiceInstances"
            dimensions {
              name  = "AutoScalingGroupName"
              value = aws_autoscaling_group.this.name
            }
          }
        }
      }

      metrics {
        id          = "backlog"
        label       = "Backlog per worker"
        expression  = "(waiting + in_work) / IF(instances > 0, instances, 1)"
        return_data = true
      }
    }
  }
}
