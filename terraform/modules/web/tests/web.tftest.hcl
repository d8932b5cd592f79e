# What validate cannot see: what the balancer asks, that any server may answer, and exactly what the role may do.
mock_provider "aws" {
  mock_resource "aws_security_group" {
    defaults = { id = "sg-0123456789abcdef0" }
  }
  mock_resource "aws_iam_instance_profile" {
    defaults = { arn = "arn:aws:iam::123456789012:instance-profile/test" }
  }
  mock_resource "aws_lb" {
    defaults = { arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/test/1", dns_name = "test.elb.amazonaws.com" }
  }
  mock_resource "aws_lb_target_group" {
    defaults = { arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/test/1" }
  }
  mock_resource "aws_launch_template" {
    defaults = { id = "lt-0123456789abcdef0" }
  }
}

variables {
  name                   = "lightmeter-test"
  vpc_id                 = "vpc-1"
  public_subnet_ids      = ["subnet-1", "subnet-2"]
  private_subnet_ids     = ["subnet-3", "subnet-4"]
  users_cidr_blocks      = ["203.0.113.7/32"]
  balancer               = true
  count_min              = 2
  count_max              = 4
  deregistration_delay_s = 10
  image_id               = "ami-1"
  instance_type          = "t3.small"
  user_data              = "#!/bin/sh"
  settings_arn           = "arn:aws:ssm:us-east-1:123456789012:parameter/lightmeter/test/web"
  secret_arns            = ["arn:aws:secretsmanager:us-east-1:123456789012:secret:session"]
  artifact_bucket_arn    = "arn:aws:s3:::artifacts"
  artifact_key           = "photo-app-x86_64"
  results_bucket_arn     = "arn:aws:s3:::results"
  access_logs_bucket     = "lightmeter-test-logs"
  table_arns             = ["arn:aws:dynamodb:us-east-1:123456789012:table/test"]
  assets_bucket_arns     = ["arn:aws:s3:::pictures"]
  queue_arns             = ["arn:aws:sqs:us-east-1:123456789012:jobs"]
  tags                   = { project = "lightmeter", stage = "test", expires = "2026-12-31" }
}

run "behind_a_balancer" {
  command = apply
  assert {
    condition     = aws_autoscaling_group.this[0].health_check_type == "EC2"
    error_message = "The group must not end servers that are slow or wait for their database: the balancer takes those out."
  }
  assert {
    condition     = alltrue([for group in aws_lb_target_group.this : group.health_check[0].path == "/readyz" && group.health_check[0].matcher == "200" && !group.stickiness[0].enabled && tonumber(group.deregistration_delay) == var.deregistration_delay_s])
    error_message = "Targets must be asked for /readyz, without stickiness, and drained as long as the app's graceful stop."
  }
  assert {
    condition     = alltrue([for balancer in aws_lb.this : balancer.access_logs[0].enabled && !balancer.internal])
    error_message = "The public balancer must write access logs."
  }
  assert {
    condition     = [for one in jsondecode(aws_s3_bucket_policy.access_logs[0].policy).Statement : one.Principal] == [{ Service = "logdelivery.elasticloadbalancing.amazonaws.com" }]
    error_message = "Access logs are written by ELB's service in every region, and by nobody else."
  }
  assert {
    condition     = aws_autoscaling_group.this[0].min_size == 2 && length(aws_autoscaling_policy.cpu) == 1 && one(one(aws_autoscaling_policy.cpu[0].target_tracking_configuration).predefined_metric_specification).predefined_metric_type == "ASGAverageCPUUtilization"
    error_message = "Different bounds must switch target tracking on CPU on."
  }
  assert {
    condition     = length(aws_instance.single) == 0 && length(aws_vpc_security_group_ingress_rule.users) == 0
    error_message = "Behind a balancer no server may have a way in of its own."
  }
}

run "the_role_does_what_a_web_server_does" {
  command = apply
  assert {
    condition = output.actions == sort([
      "dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:ConditionCheckItem", "dynamodb:CreateTable", "dynamodb:DeleteItem",
      "dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem",
      "s3:DeleteObject", "s3:GetObject", "s3:ListBucket", "s3:PutObject", "secretsmanager:GetSecretValue",
      "sqs:GetQueueAttributes", "sqs:SendMessage", "ssm:GetParametersByPath",
    ])
    error_message = "The web role's actions differ from the list: it must not receive jobs, read dead letters or anything else."
  }
  assert {
    condition     = toset([for one in output.resources : one if startswith(one, "arn:aws:s3:::pictures")]) == toset(["arn:aws:s3:::pictures", "arn:aws:s3:::pictures/originals/*", "arn:aws:s3:::pictures/renditions/*", "arn:aws:s3:::pictures/uploads/*"])
    error_message = "The web role must have originals, renditions and uploads, and nothing else of the bucket."
  }
}

run "a_fleet_has_a_balancer_of_its_own" {
  command = apply
  variables { inside_balancer = true }
  assert {
    condition     = aws_lb.this["inside"].internal && !aws_lb.this["public"].internal && length(aws_autoscaling_group.this[0].target_group_arns) >= 1
    error_message = "The second balancer must live inside the VPC."
  }
}

run "one_server_alone" {
  command = apply
  variables {
    balancer           = false
    count_max          = 2
    table_arns         = []
    assets_bucket_arns = []
    queue_arns         = []
  }
  assert {
    condition     = length(aws_instance.single) == 1 && length(aws_lb.this) == 0 && length(aws_autoscaling_group.this) == 0
    error_message = "Without a balancer there is one server and no group."
  }
  assert {
    condition     = aws_instance.single[0].launch_template[0].id == module.machine.launch_template_id
    error_message = "The single server must be an instance of the template, which holds its subnet."
  }
  assert {
    condition     = aws_instance.single[0].monitoring == true
    error_message = "The single server must be watched every minute: unset, the provider turns off what the template turns on."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.users["203.0.113.7/32"].from_port == 8080
    error_message = "Only the users' addresses may reach the single server."
  }
  assert {
    condition     = output.actions == tolist(["s3:GetObject", "s3:PutObject", "secretsmanager:GetSecretValue", "ssm:GetParametersByPath"])
    error_message = "The single server needs its binary, its settings and a place for its manifest."
  }
}

run "nobody_is_no_user" {
  command         = plan
  expect_failures = [var.users_cidr_blocks]
  variables { users_cidr_blocks = [] }
}
