# Choices beside the stage: a fleet of load generators, another processor and system. Run under one stage file only.
mock_provider "aws" {
  mock_resource "aws_vpc" {
    defaults = { id = "vpc-0123456789abcdef0" }
  }
  mock_resource "aws_subnet" {
    defaults = { id = "subnet-0123456789abcdef0" }
  }
  mock_resource "aws_security_group" {
    defaults = { id = "sg-0123456789abcdef0" }
  }
  mock_resource "aws_iam_instance_profile" {
    defaults = { arn = "arn:aws:iam::123456789012:instance-profile/test" }
  }
  mock_resource "aws_launch_template" {
    defaults = { id = "lt-0123456789abcdef0" }
  }
  mock_resource "aws_lb" {
    defaults = { arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/test/1", dns_name = "test.elb.amazonaws.com", arn_suffix = "app/test/1" }
  }
  mock_resource "aws_lb_target_group" {
    defaults = { arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/test/1", arn_suffix = "targetgroup/test/1" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:us-east-1:123456789012:jobs", url = "https://sqs.us-east-1.amazonaws.com/123456789012/jobs", id = "https://sqs.us-east-1.amazonaws.com/123456789012/jobs" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::test", bucket_regional_domain_name = "test.s3.us-east-1.amazonaws.com" }
  }
  mock_resource "aws_dynamodb_table" {
    defaults = { arn = "arn:aws:dynamodb:us-east-1:123456789012:table/test" }
  }
  mock_resource "aws_cloudfront_distribution" {
    defaults = { arn = "arn:aws:cloudfront::123456789012:distribution/E1", domain_name = "d1.cloudfront.net", id = "E1" }
  }
  mock_resource "aws_secretsmanager_secret" {
    defaults = { arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:test", id = "arn:aws:secretsmanager:us-east-1:123456789012:secret:test" }
  }
  mock_resource "aws_secretsmanager_secret_version" {
    defaults = { arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:written" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:us-east-1:123456789012:alarms" }
  }
  mock_resource "aws_db_instance" {
    defaults = { address = "node.example.internal" }
  }
  mock_resource "aws_elasticache_replication_group" {
    defaults = { primary_endpoint_address = "cache.example.internal" }
  }
  mock_resource "aws_instance" {
    defaults = { id = "i-0123456789abcdef0", public_ip = "203.0.113.9", private_ip = "10.20.0.9" }
  }
  mock_data "aws_elb_service_account" {
    defaults = { arn = "arn:aws:iam::127311923021:root" }
  }
  mock_data "aws_secretsmanager_secret_version" {
    defaults = { secret_string = "{\"username\":\"photo_app\",\"password\":\"0123456789012345678901234567890123456789\"}" }
  }
  mock_data "aws_secretsmanager_random_password" {
    defaults = { random_password = "012345678901234567890123456789012345678901234567" }
  }
}

override_data {
  target = data.aws_caller_identity.this
  values = { account_id = "123456789012" }
}

override_data {
  target = data.aws_ssm_parameter.image
  values = { insecure_value = "ami-0123456789abcdef0" }
}

# Told apart from the others, so that a role which may read them is seen.
override_resource {
  target = module.queue[0].aws_sqs_queue.dead_letters
  values = { arn = "arn:aws:sqs:us-east-1:123456789012:dead", id = "https://sqs.us-east-1.amazonaws.com/123456789012/dead" }
}

override_resource {
  target = aws_secretsmanager_secret.session
  values = { arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:session", id = "arn:aws:secretsmanager:us-east-1:123456789012:secret:session" }
}

variables {
  expires           = "2026-12-31"
  users_cidr_blocks = ["203.0.113.7/32"]
  artifact_bucket   = "artifacts"
  bucket_prefix     = "someone-lightmeter"
}

run "a_fleet_loads_this_stage_only" {
  command = apply
  variables { load_count = 2 }
  assert {
    condition     = strcontains(output.load.document, "load") && module.web.inside_address != ""
    error_message = "A fleet needs its document and an address inside the stack."
  }
}

run "it_runs_on_arm_as_well" {
  command = plan
  variables {
    architecture = "arm64"
    distribution = "debian-12"
  }
  assert {
    condition     = output.instance_types.web == "t4g.small" && data.aws_ssm_parameter.image.name == "/aws/service/debian/release/12/latest/arm64"
    error_message = "An arm64 stage must boot arm64 images on arm64 types."
  }
}
