# One dashboard per stage: the USE grid. A row for each component that the stage has; in it utilisation, saturation and errors. And the
# alarms that say on AWS what the report's findings say of a run.

locals {
  # Component -> what its cells show. A metric is [namespace, name, dimension, value, ...]; `none` says why a cell is empty.
  components = [for one in [
    {
      there       = var.has.balancer
      name        = "balancer"
      utilisation = [["AWS/ApplicationELB", "RequestCount", "LoadBalancer", var.balancer_dimension]]
      saturation  = [["AWS/ApplicationELB", "TargetResponseTime", "LoadBalancer", var.balancer_dimension], ["AWS/ApplicationELB", "RejectedConnectionCount", "LoadBalancer", var.balancer_dimension]]
      errors      = [["AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count", "LoadBalancer", var.balancer_dimension], ["AWS/ApplicationELB", "UnHealthyHostCount", "TargetGroup", var.target_group_dimension, "LoadBalancer", var.balancer_dimension]]
      none        = ""
    },
    {
      there       = true
      name        = "web servers"
      utilisation = [concat(["AWS/EC2", "CPUUtilization"], local.web)]
      saturation  = [concat(["AWS/EC2", "CPUCreditBalance"], local.web), concat(["AWS/EC2", "NetworkOut"], local.web)]
      errors = var.has.balancer ? [
        ["AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", "LoadBalancer", var.balancer_dimension],
      ] : [concat(["AWS/EC2", "StatusCheckFailed"], local.web)]
      none = ""
    },
    {
      there       = var.has.workers
      name        = "workers"
      utilisation = [["AWS/EC2", "CPUUtilization", "AutoScalingGroupName", var.worker_group_name]]
      saturation  = [["AWS/EC2", "CPUCreditBalance", "AutoScalingGroupName", var.worker_group_name], ["AWS/AutoScaling", "GroupInServiceInstances", "AutoScalingGroupName", var.worker_group_name]]
      errors      = [["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.dead_letter_queue_name]]
      none        = ""
    },
    {
      there       = var.has.workers
      name        = "queue"
      utilisation = [["AWS/SQS", "NumberOfMessagesSent", "QueueName", var.queue_name], ["AWS/SQS", "NumberOfMessagesDeleted", "QueueName", var.queue_name]]
      saturation  = [["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.queue_name], ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", var.queue_name]]
      errors      = [["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.dead_letter_queue_name]]
      none        = ""
    },
    {
      there       = length(var.database_identifiers) > 0
      name        = "MySQL"
      utilisation = [for id in var.database_identifiers : ["AWS/RDS", "CPUUtilization", "DBInstanceIdentifier", id]]
      saturation = concat(
        [for id in var.database_identifiers : ["AWS/RDS", "DiskQueueDepth", "DBInstanceIdentifier", id]],
        [for id in var.replica_identifiers : ["AWS/RDS", "ReplicaLag", "DBInstanceIdentifier", id]],
        [for id in var.database_identifiers : ["AWS/RDS", "DatabaseConnections", "DBInstanceIdentifier", id]],
        # Burstable classes run in RDS's unlimited mode: out of credits they become dear, not slow.
        [
          for one in setproduct(var.database_identifiers, startswith(var.database_instance_class, "db.t") ? ["CPUCreditBalance", "CPUSurplusCreditsCharged"] : []) :
          ["AWS/RDS", one[1], "DBInstanceIdentifier", one[0]]
        ],
      )
      errors = []
      none   = "RDS publishes no errors as a metric: the error log is in CloudWatch Logs, and what fails shows as 5xx of the web servers."
    },
    {
      there       = var.has.table
      name        = "DynamoDB"
      utilisation = [["AWS/DynamoDB", "ConsumedReadCapacityUnits", "TableName", var.table], ["AWS/DynamoDB", "ConsumedWriteCapacityUnits", "TableName", var.table]]
      saturation  = [["AWS/DynamoDB", "ReadThrottleEvents", "TableName", var.table], ["AWS/DynamoDB", "WriteThrottleEvents", "TableName", var.table]]
      errors      = [for operation in ["GetItem", "Query", "TransactWriteItems"] : ["AWS/DynamoDB", "SystemErrors", "TableName", var.table, "Operation", operation]]
      none        = ""
    },
    {
      there       = var.has.cache
      name        = "cache"
      utilisation = [["AWS/ElastiCache", "EngineCPUUtilization", "CacheClusterId", var.cache_cluster_id], ["AWS/ElastiCache", "DatabaseMemoryUsagePercentage", "CacheClusterId", var.cache_cluster_id]]
      saturation  = [["AWS/ElastiCache", "Evictions", "CacheClusterId", var.cache_cluster_id], ["AWS/ElastiCache", "CurrConnections", "CacheClusterId", var.cache_cluster_id]]
      errors      = []
      none        = "The app takes a cache that does not answer for a miss and counts it: cache.error in /info.json."
    },
    {
      there       = var.has.cdn
      name        = "CDN"
      utilisation = [["AWS/CloudFront", "BytesDownloaded", "DistributionId", var.distribution_id, "Region", "Global"], ["AWS/CloudFront", "Requests", "DistributionId", var.distribution_id, "Region", "Global"]]
      saturation  = [["AWS/CloudFront", "CacheHitRate", "DistributionId", var.distribution_id, "Region", "Global"]]
      errors      = [["AWS/CloudFront", "4xxErrorRate", "DistributionId", var.distribution_id, "Region", "Global"], ["AWS/CloudFront", "5xxErrorRate", "DistributionId", var.distribution_id, "Region", "Global"]]
      none        = ""
    },
  ] : one if one.there]

  web = var.has.balancer ? ["AutoScalingGroupName", var.web_group_name] : ["InstanceId", var.web_instance_id]

  # CloudFront speaks from one region only, wherever the stage is.
  region_of = { for one in local.components : one.name => one.name == "CDN" ? "us-east-1" : var.region }
  columns   = ["utilisation", "saturation", "errors"]
  totals    = ["RequestCount", "RejectedConnectionCount", "HTTPCode_ELB_5XX_Count", "HTTPCode_Target_5XX_Count", "NumberOfMessagesSent", "NumberOfMessagesDeleted", "ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits", "ReadThrottleEvents", "WriteThrottleEvents", "SystemErrors", "Evictions", "BytesDownloaded", "Requests", "NetworkOut"]

  widgets = flatten([
    for row, component in local.components : [
      for column, question in local.columns : {
        type   = length(component[question]) > 0 ? "metric" : "text"
        x      = column * 8
        y      = row * 6
        width  = 8
        height = 6
        properties = length(component[question]) > 0 ? jsonencode({
          title  = "${component.name}: ${question}"
          region = local.region_of[component.name]
          view   = "timeSeries"
          period = 60
          metrics = [
            for metric in component[question] :
            concat(metric, [{ stat = contains(local.totals, metric[1]) ? "Sum" : metric[1] == "TargetResponseTime" ? "p99" : "Average" }])
          ]
        }) : jsonencode({ markdown = "**${component.name}: ${question}**\n\n${component.none}" })
      }
    ]
  ])
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = [for one in local.widgets : merge(one, { properties = jsondecode(one.properties) })]
  })
}

resource "aws_sns_topic" "this" {
  name = "${var.name}-alarms"
}

resource "aws_sns_topic_subscription" "email" {
  count     = var.email == "" ? 0 : 1
  topic_arn = aws_sns_topic.this.arn
  protocol  = "email"
  endpoint  = var.email
}
