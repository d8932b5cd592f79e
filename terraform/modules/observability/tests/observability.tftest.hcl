# What validate cannot see: metric names and dimensions. The list below is written down a second time on purpose, from the services'
# own documentation: a name that is not on it is a graph that stays empty and an alarm that never rings.
mock_provider "aws" {
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:us-east-1:123456789012:alarms" }
  }
}

variables {
  name                    = "lightmeter-test"
  project                 = "lightmeter"
  region                  = "us-east-1"
  budget_usd              = 50
  email                   = "someone@example.com"
  web_instance_type       = "t3.small"
  database_instance_class = "db.t4g.micro"
  has                     = { balancer = true, workers = true, table = true, cache = true, cdn = true }
  web_group_name          = "web"
  balancer_dimension      = "app/test/1"
  target_group_dimension  = "targetgroup/test/1"
  worker_group_name       = "worker"
  queue_name              = "jobs"
  dead_letter_queue_name  = "jobs-dead"
  database_identifiers    = ["mysql-1", "replica-1"]
  replica_identifiers     = ["replica-1"]
  table                   = "test"
  cache_cluster_id        = "cache-001"
  distribution_id         = "E1"
}

run "every_metric_is_one_that_its_service_publishes" {
  command = apply
  assert {
    condition = length(setsubtract(
      [for one in output.metrics : "${one.namespace} ${one.metric} ${join(",", sort(keys(one.dimensions)))}"],
      [
        "AWS/ApplicationELB HTTPCode_ELB_5XX_Count LoadBalancer", "AWS/ApplicationELB HTTPCode_Target_5XX_Count LoadBalancer",
        "AWS/ApplicationELB RejectedConnectionCount LoadBalancer", "AWS/ApplicationELB RequestCount LoadBalancer",
        "AWS/ApplicationELB TargetResponseTime LoadBalancer", "AWS/ApplicationELB UnHealthyHostCount LoadBalancer,TargetGroup",
        "AWS/AutoScaling GroupInServiceInstances AutoScalingGroupName",
        "AWS/CloudFront 4xxErrorRate DistributionId,Region", "AWS/CloudFront 5xxErrorRate DistributionId,Region",
        "AWS/CloudFront BytesDownloaded DistributionId,Region", "AWS/CloudFront CacheHitRate DistributionId,Region", "AWS/CloudFront Requests DistributionId,Region",
        "AWS/DynamoDB ConsumedReadCapacityUnits TableName", "AWS/DynamoDB ConsumedWriteCapacityUnits TableName",
        "AWS/DynamoDB ReadThrottleEvents TableName", "AWS/DynamoDB WriteThrottleEvents TableName", "AWS/DynamoDB SystemErrors Operation,TableName",
        "AWS/EC2 CPUCreditBalance AutoScalingGroupName", "AWS/EC2 CPUCreditBalance InstanceId", "AWS/EC2 CPUUtilization AutoScalingGroupName",
        "AWS/EC2 CPUUtilization InstanceId", "AWS/EC2 NetworkOut AutoScalingGroupName", "AWS/EC2 NetworkOut InstanceId", "AWS/EC2 StatusCheckFailed InstanceId",
        "AWS/ElastiCache CurrConnections CacheClusterId", "AWS/ElastiCache DatabaseMemoryUsagePercentage CacheClusterId",
        "AWS/ElastiCache EngineCPUUtilization CacheClusterId", "AWS/ElastiCache Evictions CacheClusterId",
        "AWS/RDS CPUCreditBalance DBInstanceIdentifier", "AWS/RDS CPUSurplusCreditsCharged DBInstanceIdentifier", "AWS/RDS DatabaseConnections DBInstanceIdentifier",
        "AWS/RDS CPUUtilization DBInstanceIdentifier", "AWS/RDS DiskQueueDepth DBInstanceIdentifier", "AWS/RDS ReplicaLag DBInstanceIdentifier",
        "AWS/SQS ApproximateAgeOfOldestMessage QueueName", "AWS/SQS ApproximateNumberOfMessagesVisible QueueName",
        "AWS/SQS NumberOfMessagesDeleted QueueName", "AWS/SQS NumberOfMessagesSent QueueName",
      ],
    )) == 0
    error_message = "A metric of the dashboard is not one that its service publishes under these dimensions."
  }
  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.this :
      anytrue([for one in output.metrics : one.namespace == alarm.namespace && one.metric == alarm.metric_name && join(",", sort(keys(one.dimensions))) == join(",", sort(keys(alarm.dimensions)))])
    ])
    error_message = "An alarm watches a metric that the dashboard does not show."
  }
}

run "a_database_shows_its_connections_and_credits" {
  command = apply
  assert {
    condition = length(setsubtract(
      ["DatabaseConnections mysql-1", "CPUCreditBalance mysql-1", "CPUSurplusCreditsCharged replica-1"],
      [for one in output.metrics : "${one.metric} ${one.dimensions["DBInstanceIdentifier"]}" if one.namespace == "AWS/RDS"],
    )) == 0
    error_message = "A burstable database must show its connections, its credits and what it was charged beyond them."
  }
}

run "an_alarm_waits_for_its_metric" {
  command = apply
  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.this :
      alarm.period == (alarm.metric_name == "CPUCreditBalance" ? 300 : 60) && alarm.evaluation_periods >= 1
    ])
    error_message = "An alarm's period must be its metric's own (credits: five minutes), or most of its data is missing and it never rings."
  }
}

run "new_servers_ring_no_alarm" {
  command = apply
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["web-credits"].period * aws_cloudwatch_metric_alarm.this["web-credits"].evaluation_periods >= 1800 && aws_cloudwatch_metric_alarm.this["web-credits"].threshold <= 24 * 0.25
    error_message = "A new t3 has no credits and earns 24 an hour: the alarm must leave it the time to earn what it asks for."
  }
}

run "the_grid_is_whole" {
  command = apply
  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) == 8 * 3
    error_message = "Each of the eight components must have its three cells."
  }
  assert {
    condition     = alltrue([for one in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : one.x + one.width <= 24 && (one.type == "text" ? length(one.properties.markdown) > 40 : length(one.properties.metrics) > 0)])
    error_message = "A cell shows a metric, or says why there is none."
  }
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : length(alarm.alarm_description) > 40 && length(alarm.alarm_actions) == 1])
    error_message = "An alarm must say which finding it stands for, and tell somebody."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["latency"].extended_statistic == "p99" && aws_cloudwatch_metric_alarm.this["latency"].threshold == 0.25
    error_message = "The latency alarm must be the experiments' objective: the 99th percentile within 250 ms."
  }
}

run "one_box_has_one_row" {
  command = apply
  variables {
    has                    = { balancer = false, workers = false, table = false, cache = false, cdn = false }
    web_group_name         = ""
    web_instance_id        = "i-1"
    balancer_dimension     = ""
    target_group_dimension = ""
    worker_group_name      = ""
    queue_name             = ""
    dead_letter_queue_name = ""
    database_identifiers   = []
    replica_identifiers    = []
    table                  = ""
    cache_cluster_id       = ""
    distribution_id        = ""
  }
  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) == 3 && toset(keys(aws_cloudwatch_metric_alarm.this)) == toset(["web-cpu", "web-credits"])
    error_message = "A stage shows what it has and nothing else."
  }
}

run "the_budget_counts_by_tag" {
  command = apply
  assert {
    condition     = one(one(aws_budgets_budget.this.cost_filter[*]).values) == "user:project$lightmeter" && length(aws_budgets_budget.this.notification) == 3
    error_message = "The budget must count what carries the tag, and tell somebody three times."
  }
}
