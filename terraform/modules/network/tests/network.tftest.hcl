# What validate cannot see: addresses lie inside the VPC, no two subnets meet, and the NAT gateway is there when asked for.
mock_provider "aws" {}

variables {
  name               = "lightmeter-test"
  region             = "us-east-1"
  availability_zones = ["us-east-1a", "us-east-1b"]
  nat                = true
}

run "subnets_lie_inside_the_vpc" {
  command = plan
  assert {
    condition = alltrue([
      for block in output.subnet_cidr_blocks :
      tonumber(split("/", block)[1]) > 16 && cidrhost(format("%s/16", split("/", block)[0]), 0) == cidrhost(aws_vpc.this.cidr_block, 0)
    ])
    error_message = "A subnet lies outside the VPC: its block must be cut out of the VPC's."
  }
  assert {
    condition     = length(distinct(output.subnet_cidr_blocks)) == 4
    error_message = "Two subnets share their addresses."
  }
}

run "zones_and_way_out" {
  command = apply
  assert {
    condition     = length(output.private_subnet_ids) == 2 && length(aws_nat_gateway.this) == 1
    error_message = "Each zone has a private subnet, and one NAT gateway serves them."
  }
  assert {
    condition     = alltrue([for endpoint in aws_vpc_endpoint.gateway : endpoint.vpc_endpoint_type == "Gateway" && length(endpoint.route_table_ids) == 2])
    error_message = "S3 and DynamoDB are reached through gateway endpoints in both route tables."
  }
  assert {
    condition     = aws_default_security_group.none.vpc_id == aws_vpc.this.id
    error_message = "The default security group of this VPC must be emptied."
  }
}

run "without_private_instances_no_nat_is_paid" {
  command = plan
  variables { nat = false }
  assert {
    condition     = length(aws_nat_gateway.this) == 0 && length(aws_eip.nat) == 0
    error_message = "A NAT gateway is paid although nothing needs it."
  }
}

run "one_zone_is_refused" {
  command         = plan
  expect_failures = [var.availability_zones]
  variables { availability_zones = ["us-east-1a"] }
}
