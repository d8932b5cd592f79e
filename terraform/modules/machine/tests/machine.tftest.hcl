# What validate cannot see: metadata only with a token, no key, encrypted disks, and a role without stars.
mock_provider "aws" {
  mock_resource "aws_iam_instance_profile" {
    defaults = { arn = "arn:aws:iam::123456789012:instance-profile/test" }
  }
}

variables {
  name              = "lightmeter-test-web"
  image_id          = "ami-1"
  instance_type     = "t3.small"
  user_data         = "#!/bin/sh"
  security_group_id = "sg-1"
  statements        = [{ sid = "Queue", actions = ["sqs:SendMessage"], resources = ["arn:aws:sqs:us-east-1:123456789012:jobs"] }]
  tags              = { project = "lightmeter", stage = "test", expires = "2026-12-31" }
}

run "locked_down" {
  command = apply
  assert {
    condition     = one(aws_launch_template.this.metadata_options).http_tokens == "required" && aws_launch_template.this.key_name == null
    error_message = "Metadata must need a token, and there must be no key: people come in through Session Manager."
  }
  assert {
    condition     = alltrue([for disk in aws_launch_template.this.block_device_mappings : tobool(one(disk.ebs).encrypted)])
    error_message = "Disks must be encrypted."
  }
  assert {
    condition     = output.actions == tolist(["sqs:SendMessage"])
    error_message = "The role must be able to do what it was told, and nothing else."
  }
  assert {
    condition     = alltrue([for one in aws_launch_template.this.tag_specifications : one.tags.project == "lightmeter" && one.tags.expires == "2026-12-31"])
    error_message = "What the template starts must carry the tags by which leftovers are found."
  }
  assert {
    condition     = one(aws_launch_template.this.credit_specification).cpu_credits == "standard"
    error_message = "A burstable instance must not buy credits."
  }
}

run "types_without_credits_get_none" {
  command = apply
  variables { instance_type = "c7g.large" }
  assert {
    condition     = length(aws_launch_template.this.credit_specification) == 0
    error_message = "Only burstable types have credits."
  }
}

run "stars_are_refused" {
  command         = plan
  expect_failures = [var.statements]
  variables { statements = [{ sid = "Everything", actions = ["sqs:*"], resources = ["*"] }] }
}
