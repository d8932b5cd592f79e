# The alarms. Each says the finding of the report that it stands for, so that whoever is woken knows which experiment to read.

locals {
  alarms = merge(
    {
      web-cpu = {
        metric = concat(["AWS/EC2", "CPUUtilization"], local.web), statistic = "Average", operator = "GreaterThanThreshold", threshold = 80, minutes = 5
        says   = "The web servers' CPU is the limit: the framework experiment's bottleneck."
      }
    },
    # A new t3 or t4g has no credits and earns 24 an hour (the small ones): half an hour, or the alarm would ring after every apply.
    startswith(var.web_instance_type, "t") ? {
      web-credits = {
        metric = concat(["AWS/EC2", "CPUCreditBalance"], local.web), statistic = "Minimum", operator = "LessThanThreshold", threshold = 5, minutes = 30, period = 300
        says   = "The web servers have had next to no CPU credits for half an hour: every figure is that of a slower machine."
      }
    } : {},
    !var.has.balancer ? {} : {
      latency = {
        metric = ["AWS/ApplicationELB", "TargetResponseTime", "LoadBalancer", var.balancer_dimension], statistic = "p99", operator = "GreaterThanThreshold", threshold = var.slo_latency_ms / 1000, minutes = 3
        says   = "The 99th percentile is beyond the objective: the rate is above the capacity."
      }
      errors = {
        metric = ["AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", "LoadBalancer", var.balancer_dimension], statistic = "Sum", operator = "GreaterThanThreshold", threshold = 10, minutes = 1
        says   = "The web servers fail: a level with errors is not held, whatever its latency."
      }
      unhealthy = {
        metric = ["AWS/ApplicationELB", "UnHealthyHostCount", "TargetGroup", var.target_group_dimension, "LoadBalancer", var.balancer_dimension], statistic = "Maximum", operator = "GreaterThanThreshold", threshold = 0, minutes = 2
        says   = "A web server is not ready: the count along the axis is not the count that answers."
      }
    },
    { for id in var.database_identifiers : "database-cpu-${id}" => {
      metric = ["AWS/RDS", "CPUUtilization", "DBInstanceIdentifier", id], statistic = "Average", operator = "GreaterThanThreshold", threshold = 80, minutes = 5
      says   = "The database is the limit: the database experiment's bottleneck."
    } },
    { for id in var.replica_identifiers : "replica-lag-${id}" => {
      metric = ["AWS/RDS", "ReplicaLag", "DBInstanceIdentifier", id], statistic = "Maximum", operator = "GreaterThanThreshold", threshold = 2, minutes = 3
      says   = "Readers see old rows: replicas scale reads, and this is their price."
    } },
    !var.has.table ? {} : {
      for metric in ["ReadThrottleEvents", "WriteThrottleEvents"] : "table-${metric}" => {
        metric = ["AWS/DynamoDB", metric, "TableName", var.table], statistic = "Sum", operator = "GreaterThanThreshold", threshold = 0, minutes = 1
        says   = "The table throttles: one partition is hot, or it has not been warmed up."
      }
    },
    !var.has.cache ? {} : {
      evictions = {
        metric = ["AWS/ElastiCache", "Evictions", "CacheClusterId", var.cache_cluster_id], statistic = "Sum", operator = "GreaterThanThreshold", threshold = 1000, minutes = 5
        says   = "The cache is too small for what is asked for: its hit ratio falls."
      }
    },
    !var.has.workers ? {} : {
      oldest-job = {
        metric = ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", var.queue_name], statistic = "Maximum", operator = "GreaterThanThreshold", threshold = 60, minutes = 3
        says   = "Photos wait for longer than a minute: there are too few workers for the uploads."
      }
      dead-letters = {
        metric = ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.dead_letter_queue_name], statistic = "Maximum", operator = "GreaterThanThreshold", threshold = 0, minutes = 1
        says   = "A job failed five times: look at the dead letters and the workers' log."
      }
    },
  )
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each            = local.alarms
  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.says
  namespace           = each.value.metric[0]
  metric_name         = each.value.metric[1]
  dimensions          = { for index in range(2, length(each.value.metric), 2) : each.value.metric[index] => each.value.metric[index + 1] }
  statistic           = startswith(each.value.statistic, "p") ? null : each.value.statistic
  extended_statistic  = startswith(each.value.statistic, "p") ? each.value.statistic : null
  comparison_operator = each.value.operator
  threshold           = each.value.threshold
  # Credits are published every five minutes: over periods of one, four in five would be missing, and the alarm would never ring.
  period             = lookup(each.value, "period", 60)
  evaluation_periods = each.value.minutes * 60 / lookup(each.value, "period", 60)
  treat_missing_data = "notBreaching"
  alarm_actions      = [aws_sns_topic.this.arn]
}

# Money: at half of it, at four fifths, and when the month's forecast goes beyond.
resource "aws_budgets_budget" "this" {
  name         = var.name
  budget_type  = "COST"
  limit_amount = tostring(var.budget_usd)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  cost_filter {
    name   = "TagKeyValue"
    values = [format("user:project$%s", var.project)]
  }

  dynamic "notification" {
    for_each = var.email == "" ? [] : [[50, "ACTUAL"], [80, "ACTUAL"], [100, "FORECASTED"]]
    content {
      comparison_operator        = "GREATER_THAN"
      threshold                  = notification.value[0]
      threshold_type             = "PERCENTAGE"
      notification_type          = notification.value[1]
      subscriber_email_addresses = [var.email]
    }
  }
}
