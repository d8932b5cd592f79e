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
  assert {
    condition     = strcontains(module.loadgen.user_data, "--host \"http://${module.web.inside_address}\"") && strcontains(module.loadgen.user_data, "LIGHTMETER_ASSETS_URL=\"${output.assets_url}\"") && output.assets_url != ""
    error_message = "The generators must be told both hosts of the stack: its entry, and that of its pictures."
  }
  assert {
    condition     = strcontains(module.loadgen.user_data, "--increase-rate \"$users\"")
    error_message = "All users must start at once: one a second makes a load that is not the one asked for."
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

run "groups_of_eight_have_whole_pools" {
  command = plan
  variables {
    web_count    = { min = 1, max = 8 }
    worker_count = { min = 1, max = 8 }
  }
  assert {
    condition     = local.settings.web["PHOTO_APP_STORE_CONNECTIONS_MAX"] == "16" && local.settings.worker["PHOTO_APP_STORE_CONNECTIONS_MAX"] == "16"
    error_message = "Along the axis of an experiment, from one to eight, the pools must stay the same."
  }
}

run "the_largest_groups_fit_the_database" {
  command = plan
  variables {
    web_count    = { min = 1, max = 64 }
    worker_count = { min = 1, max = 64 }
  }
  assert {
    condition     = tonumber(local.settings.web["PHOTO_APP_STORE_CONNECTIONS_MAX"]) >= 1 && tonumber(local.settings.web["PHOTO_APP_STORE_CONNECTIONS_MAX"]) * 129 + 20 <= module.mysql[0].connections_max
    error_message = "The pools of 129 processes must fit into the connections that a database node takes."
  }
}
