# The fleet of load generators and the bucket for results. The fleet knows two addresses, which terraform writes: the entry of this
# stack and, where there is one, its CDN. The generator asks no other host, whatever a page links to; its security group lets
# plain HTTP out to the entry, and beyond it only where there is a CDN, whose edges have no list of addresses that a rule could name.

locals {
  access = [
    { sid = "Artifact", actions = ["s3:GetObject"], resources = ["${var.artifact_bucket_arn}/${var.artifact_key}"] },
    { sid = "Population", actions = ["s3:GetObject"], resources = ["${aws_s3_bucket.results.arn}/population/*"] },
    { sid = "Results", actions = ["s3:PutObject"], resources = ["${aws_s3_bucket.results.arn}/load/*"] },
  ]
}

resource "aws_s3_bucket" "results" {
  bucket        = var.results_bucket
  force_destroy = true
}

resource "aws_s3_bucket_public_access_block" "results" {
  bucket                  = aws_s3_bucket.results.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "results" {
  bucket = aws_s3_bucket.results.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_security_group" "this" {
  count       = var.instance_count > 0 ? 1 : 0
  name        = "${var.name}-loadgen"
  description = "Load generators: no way in"
  vpc_id      = var.vpc_id
  tags        = { Name = "${var.name}-loadgen" }
}

# The load itself: to the entry of this stack, by its security group.
resource "aws_vpc_security_group_egress_rule" "load" {
  count                        = var.instance_count > 0 ? 1 : 0
  security_group_id            = aws_security_group.this[0].id
  description                  = "Load, to the entry of this stack only"
  referenced_security_group_id = var.target_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = var.target_port
  to_port                      = var.target_port
}

# Pictures of the CDN. A security group cannot name its edges; that the generator asks no other host is its own check (loadgen, users/hosts.rs).
resource "aws_vpc_security_group_egress_rule" "pictures" {
  count             = var.instance_count > 0 && var.cdn ? 1 : 0
  security_group_id = aws_security_group.this[0].id
  description       = "Pictures of the CDN of this stack"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
}

# AWS and the binary, over TLS.
resource "aws_vpc_security_group_egress_rule" "tls" {
  count             = var.instance_count > 0 ? 1 : 0
  security_group_id = aws_security_group.this[0].id
  description       = "Systems Manager, S3 and package servers over TLS"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_ingress_rule" "target" {
  count                        = var.instance_count > 0 ? 1 : 0
  security_group_id            = var.target_security_group_id
  description                  = "The fleet of load generators"
  referenced_security_group_id = aws_security_group.this[0].id
  ip_protocol                  = "tcp"
  from_port                    = var.target_port
  to_port                      = var.target_port
}

module "machine" {
  count             = var.instance_count > 0 ? 1 : 0
  source            = "../machine"
  name              = "${var.name}-loadgen"
  image_id          = var.image_id
  root_device       = var.root_device
  instance_type     = var.instance_type
  user_data         = var.user_data
  security_group_id = aws_security_group.this[0].id
  statements        = local.access
  tags              = merge(var.tags, { role = "loadgen" })
}

resource "aws_autoscaling_group" "this" {
  count               = var.instance_count > 0 ? 1 : 0
  name                = "${var.name}-loadgen"
  vpc_zone_identifier = var.subnet_ids
  min_size            = var.instance_count
  desired_capacity    = var.instance_count
  max_size            = var.instance_count

  launch_template {
    id      = module.machine[0].launch_template_id
    version = module.machine[0].launch_template_version
  }

  # The stack's address stands in the template: generators of an older one would look for a stack that is gone. Nobody waits for them.
  instance_refresh {
    strategy = "Rolling"
    preferences {
      min_healthy_percentage = 0
    }
  }

  dynamic "tag" {
    for_each = merge(var.tags, { Name = "${var.name}-loadgen", role = "loadgen" })
    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = true
    }
  }
}

# Started together: every generator waits for the same second. There is no parameter for an address.
resource "aws_ssm_document" "load" {
  count           = var.instance_count > 0 ? 1 : 0
  name            = "${var.name}-load"
  document_type   = "Command"
  document_format = "JSON"
  content = jsonencode({
    schemaVersion = "2.2"
    description   = "Runs the goose users of every load generator of ${var.name} from the same second on"
    parameters = {
      startAt = { type = "String", allowedPattern = "^[0-9]{10}$", description = "Unix seconds at which all begin" }
      users   = { type = "String", allowedPattern = "^[0-9]{1,5}$", description = "Users of each generator" }
      seconds = { type = "String", allowedPattern = "^[0-9]{1,4}$", description = "How long" }
      run     = { type = "String", allowedPattern = "^[A-Za-z0-9-]{1,40}$", description = "Name of the folder for the results" }
    }
    mainSteps = [{
      name   = "load"
      action = "aws:runShellScript"
      inputs = {
        timeoutSeconds = "7200"
        # Systems Manager may reach a generator before its first boot is done.
        runCommand = ["cloud-init status --wait >/dev/null", "/usr/local/bin/lightmeter-load {{startAt}} {{users}} {{seconds}} {{run}}"]
      }
    }]
  })
}
