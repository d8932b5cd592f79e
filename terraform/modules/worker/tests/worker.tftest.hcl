# What validate cannot see: the backlog's metrics, dimensions and ids, and exactly what the role may do.
mock_provider "aws" {
  mock_resource "aws_security_group" {
    defaults = { id = "sg-0123456789abcdef0" }
  }
  mock_resource "aws_iam_instance_profile" {
    defaults = { arn = "arn:aws:iam::123456789012:instance-profile/test" }
  }
  mock_resource "aws_launch_template" {
    defaults = { id = "lt-0123456789abcdef0" }
  }
}

variables {
  name                = "lightmeter-test"
  vpc_id              = "vpc-1"
  subnet_ids          = ["subnet-3", "subnet-4"]
  count_min           = 1
  count_max           = 8
  image_id            = "ami-1"
  instance_type       = "t3.small"
  user_data           = "#!/bin/sh"
  settings_arn        = "arn:aws:ssm:us-east-1:123456789012:parameter/lightmeter/test/worker"
  secret_arns         = ["arn:aws:secretsmanager:us-east-1:123456789012:secret:mysql"]
  artifact_bucket_arn = "arn:aws:s3:::artifacts"
  artifact_key        = "photo-app-x86_64"
  queue_arn           = "arn:aws:sqs:us-east-1:123456789012:jobs"
  queue_name          = "jobs"
  assets_bucket_arn   = "arn:aws:s3:::pictures"
  table_arns          = ["arn:aws:dynamodb:us-east-1:123456789012:table/test"]
  tags                = { project = "lightmeter", stage = "test", expires = "2026-12-31" }
}

run "the_backlog_is_what_the_app_counts" {
  command = apply
  assert {
    condition = {
      for one in one(one(aws_autoscaling_policy.backlog[0].target_tracking_configuration).customized_metric_specification).metrics :
      one.id => "${one.metric_stat[0].metric[0].namespace} ${one.metric_stat[0].metric[0].metric_name} ${one(one.metric_stat[0].metric[0].dimensions).name}" if length(one.metric_stat) > 0
      } == {
      waiting   = "AWS/SQS ApproximateNumberOfMessagesVisible QueueName"
      in_work   = "AWS/SQS ApproximateNumberOfMessagesNotVisible QueueName"
      instances = "AWS/AutoScaling GroupInServiceInstances AutoScalingGroupName"
    }
    error_message = "The backlog must be made of the queue's two attributes and the workers in service, each under its own name."
  }
  assert {
    condition = alltrue([
      for one in one(one(aws_autoscaling_policy.backlog[0].target_tracking_configuration).customized_metric_specification).metrics :
      can(regex("^[a-z][a-z0-9_]*$", one.id)) && (one.return_data == (one.id == "backlog"))
    ])
    error_message = "Ids begin with a small letter, and only the backlog itself is returned."
  }
  assert {
    condition = alltrue([
      for word in distinct(regexall("[a-z][a-z0-9_]*", one([for one in one(one(aws_autoscaling_policy.backlog[0].target_tracking_configuration).customized_metric_specification).metrics : one.expression if one.id == "backlog"]))) :
      contains([for one in one(one(aws_autoscaling_policy.backlog[0].target_tracking_configuration).customized_metric_specification).metrics : one.id], word)
    ])
    error_message = "The expression names an id that is not there."
  }
  assert {
    condition     = contains(aws_autoscaling_group.this.enabled_metrics, "GroupInServiceInstances")
    error_message = "The group must publish the metric that the backlog divides by."
  }
}

run "the_role_does_what_a_worker_does" {
  command = apply
  assert {
    condition = output.actions == sort([
      "dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:ConditionCheckItem", "dynamodb:DeleteItem",
      "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem",
      "s3:DeleteObject", "s3:GetObject", "s3:ListBucket", "s3:PutObject", "secretsmanager:GetSecretValue",
      "sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage",
      "ssm:GetParametersByPath",
    ])
    error_message = "The worker role's actions differ from the list."
  }
  assert {
    condition     = toset([for one in output.resources : one if startswith(one, "arn:aws:s3:::pictures")]) == toset(["arn:aws:s3:::pictures", "arn:aws:s3:::pictures/originals/*", "arn:aws:s3:::pictures/renditions/*"])
    error_message = "A worker must have originals and renditions, and nothing of what browsers have put."
  }
}

run "a_fixed_count_has_no_policy" {
  command = apply
  variables { count_max = 1 }
  assert {
    condition     = length(aws_autoscaling_policy.backlog) == 0 && aws_autoscaling_group.this.max_size == 1
    error_message = "With equal bounds the count must stay."
  }
}
