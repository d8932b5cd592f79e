# What validate cannot see: every key is declared, nothing else is, and the table is billed per request.
mock_provider "aws" {}

variables { table = "lightmeter-test" }

run "keys_are_declared" {
  command = apply
  assert {
    condition     = toset([for one in aws_dynamodb_table.this.attribute : one.name]) == toset([aws_dynamodb_table.this.hash_key, aws_dynamodb_table.this.range_key])
    error_message = "The declared attributes must be the table's keys, each of them and no other."
  }
  assert {
    condition     = alltrue([for one in aws_dynamodb_table.this.attribute : one.type == "S"])
    error_message = "The app's keys are text."
  }
}

run "on_demand_with_recovery_and_expiry" {
  command = apply
  assert {
    condition     = aws_dynamodb_table.this.billing_mode == "PAY_PER_REQUEST" && coalesce(aws_dynamodb_table.this.read_capacity, 0) == 0
    error_message = "The experiment needs a table that is billed per request."
  }
  assert {
    condition     = one(aws_dynamodb_table.this.point_in_time_recovery).enabled && one(aws_dynamodb_table.this.ttl).enabled && !contains(["pk", "sk"], one(aws_dynamodb_table.this.ttl).attribute_name)
    error_message = "Point-in-time recovery and expiry must be on, and no key may be what expires."
  }
}
