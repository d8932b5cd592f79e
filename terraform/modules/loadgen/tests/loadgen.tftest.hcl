# What validate cannot see: the fleet reaches this stack's entry by plain HTTP, pictures only where there is a CDN, and no document takes
# an address.
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
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::lightmeter-test-results" }
  }
}

variables {
  name                     = "lightmeter-test"
  instance_count           = 3
  vpc_id                   = "vpc-1"
  subnet_ids               = ["subnet-3", "subnet-4"]
  target_security_group_id = "sg-entry"
  target_port              = 80
  results_bucket           = "lightmeter-test-results"
  image_id                 = "ami-1"
  user_data                = "#!/bin/sh"
  artifact_bucket_arn      = "arn:aws:s3:::artifacts"
  artifact_key             = "loadgen-x86_64"
  tags                     = { project = "lightmeter", stage = "test", expires = "2026-12-31" }
}

run "the_fleet_stays_inside_the_stack" {
  command = apply
  assert {
    condition     = aws_vpc_security_group_egress_rule.load[0].referenced_security_group_id == var.target_security_group_id && aws_vpc_security_group_egress_rule.load[0].cidr_ipv4 == null
    error_message = "Load may only go to the entry of this stack."
  }
  assert {
    condition     = length(aws_vpc_security_group_egress_rule.pictures) == 0
    error_message = "Without a CDN no plain HTTP may leave the stack."
  }
  assert {
    condition     = aws_vpc_security_group_egress_rule.tls[0].from_port == 443 && aws_vpc_security_group_egress_rule.tls[0].to_port == 443
    error_message = "AWS itself is asked over TLS only."
  }
  assert {
    condition     = toset(keys(jsondecode(aws_ssm_document.load[0].content).parameters)) == toset(["startAt", "users", "seconds", "run"]) && !strcontains(aws_ssm_document.load[0].content, "http")
    error_message = "Nobody may hand the fleet an address."
  }
  assert {
    condition     = alltrue([for parameter in values(jsondecode(aws_ssm_document.load[0].content).parameters) : startswith(parameter.allowedPattern, "^[") && endswith(parameter.allowedPattern, "$")])
    error_message = "What goes into a command line must have a pattern for all of it."
  }
  assert {
    condition     = startswith(jsondecode(aws_ssm_document.load[0].content).mainSteps[0].inputs.runCommand[0], "cloud-init status --wait")
    error_message = "A generator must have booted before it is told to load."
  }
  assert {
    condition     = output.actions == tolist(["s3:GetObject", "s3:PutObject"])
    error_message = "The fleet's role fetches its binary and writes its results, and nothing else."
  }
}

run "pictures_of_a_cdn_can_be_loaded" {
  command = apply
  variables { cdn = true }
  assert {
    condition     = aws_vpc_security_group_egress_rule.pictures[0].from_port == 80 && aws_vpc_security_group_egress_rule.pictures[0].to_port == 80 && aws_vpc_security_group_egress_rule.pictures[0].ip_protocol == "tcp"
    error_message = "Where pages link pictures to a CDN, the generators must reach it, by plain HTTP and nothing else."
  }
}

run "without_a_fleet_there_is_only_the_bucket" {
  command = apply
  variables { instance_count = 0 }
  assert {
    condition     = length(aws_autoscaling_group.this) == 0 && length(aws_security_group.this) == 0 && aws_s3_bucket_public_access_block.results.block_public_policy
    error_message = "Without a fleet only the private bucket for results may be there."
  }
}

run "generators_with_credits_are_refused" {
  command         = plan
  expect_failures = [var.instance_type]
  variables { instance_type = "t3.small" }
}
