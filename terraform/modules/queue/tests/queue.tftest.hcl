# What validate cannot see: visibility against the heartbeat, and that failures end in the dead letters of this queue.
mock_provider "aws" {}

override_resource {
  target = aws_sqs_queue.dead_letters
  values = { arn = "arn:aws:sqs:us-east-1:123456789012:dead", id = "https://sqs.us-east-1.amazonaws.com/123456789012/dead" }
}

override_resource {
  target = aws_sqs_queue.jobs
  values = { arn = "arn:aws:sqs:us-east-1:123456789012:jobs", id = "https://sqs.us-east-1.amazonaws.com/123456789012/jobs" }
}

variables {
  name         = "lightmeter-test"
  heartbeat_s  = 10
  visibility_s = 30
}

run "a_job_is_hidden_for_longer_than_a_heartbeat" {
  command = apply
  assert {
    condition     = aws_sqs_queue.jobs.visibility_timeout_seconds >= var.heartbeat_s
    error_message = "A job would come back before the worker says that it is at work."
  }
  assert {
    condition     = jsondecode(aws_sqs_queue.jobs.redrive_policy).deadLetterTargetArn == aws_sqs_queue.dead_letters.arn && jsondecode(aws_sqs_queue.jobs.redrive_policy).maxReceiveCount >= 2
    error_message = "What fails again and again must end in this queue's dead letters."
  }
  assert {
    condition     = aws_sqs_queue.dead_letters.message_retention_seconds > aws_sqs_queue.jobs.message_retention_seconds
    error_message = "Dead letters keep the age of their message: they must be kept for longer than jobs."
  }
  assert {
    condition     = jsondecode(aws_sqs_queue_redrive_allow_policy.dead_letters.redrive_allow_policy).sourceQueueArns == [aws_sqs_queue.jobs.arn]
    error_message = "Only the job queue may send to these dead letters."
  }
}

run "too_short_a_visibility_is_refused" {
  command         = plan
  expect_failures = [var.visibility_s]
  variables { visibility_s = 5 }
}
