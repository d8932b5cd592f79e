# One stage as a whole, whichever `-var-file` names: what the modules hand to each other, and what no module can see alone.
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

run "it_can_be_planned" {
  command = plan
  assert {
    condition     = strcontains(data.aws_ssm_parameter.image.name, "amd64")
    error_message = "An x86_64 stage must boot an image for amd64."
  }
}

run "its_parts_fit_together" {
  command = apply

  # Settings.
  assert {
    condition     = alltrue([for role, values in local.settings : alltrue([for name, value in values : length(value) > 0 && !strcontains(value, "$${")])])
    error_message = "A setting is empty: its fragment names something that this stage does not make."
  }
  assert {
    condition     = alltrue([for name, parameter in aws_ssm_parameter.web : parameter.name == "/${var.project}/${var.stage}/web/${name}" && parameter.type == "String"])
    error_message = "Settings must lie where the web servers' role may read them."
  }
  assert {
    condition     = (var.jobs == "sqs") == (length(aws_ssm_parameter.worker) > 0) && !contains(keys(local.settings.worker), "PHOTO_APP_SESSION_SECRET")
    error_message = "Workers have settings of their own, without the key of session cookies."
  }
  assert {
    condition     = tonumber(local.settings.web["PHOTO_APP_SHUTDOWN_GRACE_MS"]) == var.shutdown_grace_s * 1000
    error_message = "The app's graceful stop must be the balancer's deregistration delay."
  }
  assert {
    condition = !local.on_rds ? true : alltrue([
      for role, values in local.settings : length(values) == 0 ||
      tonumber(lookup(values, "PHOTO_APP_STORE_CONNECTIONS_MAX", 1000)) * (var.web_count.max + var.worker_count.max + 1) + 20 <= module.mysql[0].connections_max
    ])
    error_message = "The pools of all processes must fit into the connections that a database node takes."
  }
  assert {
    condition     = alltrue([for url in compact([output.url, output.assets_url]) : can(regex("^http://[a-z0-9.-]+(:[0-9]+)?$", url))])
    error_message = "A run needs plain addresses without a path."
  }

  # Uploads.
  assert {
    condition     = alltrue([for one in module.assets : one.upload_origins == tolist([lower(output.url)])]) && (var.assets == "s3") == (lookup(local.settings.web, "PHOTO_APP_UPLOADS", "app") == "presigned")
    error_message = "Where browsers put uploads into the bucket, it must be the app's own pages that may."
  }

  # Roles.
  assert {
    condition     = length(setintersection(module.web.actions, ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"])) == 0
    error_message = "A web server must not be able to read jobs, let alone dead letters."
  }
  assert {
    condition     = alltrue([for one in module.worker : !contains(one.resources, "${local.parameters_arn}/web") && contains(one.resources, "${local.parameters_arn}/worker")])
    error_message = "A worker must not read the web servers' settings."
  }
  assert {
    condition     = alltrue([for one in module.worker : !contains(one.resources, aws_secretsmanager_secret.session.arn)])
    error_message = "A worker must not read the key of session cookies."
  }
  assert {
    condition     = alltrue([for queue in module.queue : !contains(concat(module.web.resources, module.worker[0].resources), queue.dead_letter_queue_arn)])
    error_message = "No role of the app may name the dead letters."
  }

  # Tags and metrics.
  assert {
    condition     = toset(keys(local.tags)) == toset(["project", "stage", "expires"])
    error_message = "Everything must carry project, stage and expires."
  }
  assert {
    condition     = length(output.metrics) >= 3 && alltrue([for metric in output.metrics : alltrue([for value in values(metric.dimensions) : length(value) > 0])])
    error_message = "A metric of this stage has an empty dimension: it would show nothing."
  }
}
