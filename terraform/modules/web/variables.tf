# How many web servers, how users reach them, and what they may do.
variable "name" {
  description = "Beginning of every name: project and stage."
  type        = string
  validation {
    condition     = length(var.name) <= 24
    error_message = "Use at most 24 characters: a load balancer's name has 32, and `-public` follows."
  }
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
  validation {
    condition     = startswith(var.vpc_id, "vpc-")
    error_message = "Give the id of a VPC (vpc-...), as modules/network makes it."
  }
}

variable "public_subnet_ids" {
  description = "For the balancer, or the single server."
  type        = list(string)
  validation {
    condition     = length(var.public_subnet_ids) >= 1 && alltrue([for id in var.public_subnet_ids : startswith(id, "subnet-")])
    error_message = "Give at least one public subnet (subnet-...), as modules/network makes them."
  }
}

variable "private_subnet_ids" {
  description = "For the servers behind a balancer."
  type        = list(string)
  validation {
    condition     = length(var.private_subnet_ids) >= 1 && alltrue([for id in var.private_subnet_ids : startswith(id, "subnet-")])
    error_message = "Give at least one private subnet (subnet-...), as modules/network makes them."
  }
}

variable "users_cidr_blocks" {
  description = "Where users come from, yours above all: a stack under test is nobody else's business."
  type        = list(string)
  validation {
    condition     = length(var.users_cidr_blocks) > 0 && alltrue([for block in var.users_cidr_blocks : can(cidrhost(block, 0))])
    error_message = "Name at least one IPv4 block, such as 203.0.113.7/32 (curl https://checkip.amazonaws.com tells yours)."
  }
}

variable "balancer" {
  description = "A balancer and a group of servers, or one server with an address of its own."
  type        = bool
}

variable "inside_balancer" {
  description = "A second balancer inside the VPC, for a fleet of load generators."
  type        = bool
  default     = false
}

variable "count_min" {
  description = "Servers behind the balancer, at least."
  type        = number
  default     = 1
  validation {
    condition     = var.count_min >= 1 && var.count_min <= 64
    error_message = "Use 1 to 64."
  }
}

variable "count_max" {
  description = "At most; the same as `count_min` for a fixed count."
  type        = number
  default     = 1
  validation {
    condition     = var.count_max >= var.count_min && var.count_max <= 64
    error_message = "Use `count_min` to 64."
  }
}

variable "cpu_target_percent" {
  description = "The CPU that the group keeps to when its bounds differ."
  type        = number
  default     = 50
  validation {
    condition     = var.cpu_target_percent >= 10 && var.cpu_target_percent <= 90
    error_message = "Use 10 to 90."
  }
}

variable "port" {
  description = "Where the app listens."
  type        = number
  default     = 8080
  validation {
    condition     = var.port >= 1 && var.port <= 65535 && floor(var.port) == var.port
    error_message = "Use a port from 1 to 65535."
  }
}

variable "health_check_path" {
  description = "What the balancer asks; the app answers 200 there when its backends answer."
  type        = string
  default     = "/readyz"
  validation {
    condition     = can(regex("^/[a-z]", var.health_check_path))
    error_message = "Use a path of the app that asks its backends, such as /readyz."
  }
}

variable "deregistration_delay_s" {
  description = "How long a server that is taken out may finish what it has: the app's own graceful stop."
  type        = number
  validation {
    condition     = var.deregistration_delay_s >= 1 && var.deregistration_delay_s <= 3600
    error_message = "Use 1 to 3600 seconds."
  }
}

variable "image_id" {
  description = "The image."
  type        = string
  validation {
    condition     = startswith(var.image_id, "ami-")
    error_message = "Give the id of an image (ami-...) of the region, as the root reads it from AWS's own parameters."
  }
}

variable "root_device" {
  description = "The image's root device."
  type        = string
  default     = "/dev/sda1"
  validation {
    condition     = startswith(var.root_device, "/dev/")
    error_message = "Use the device that the image boots from: /dev/sda1 (Ubuntu) or /dev/xvda (Debian)."
  }
}

variable "instance_type" {
  description = "Size of every server."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*\\.[a-z0-9-]+$", var.instance_type))
    error_message = "Use an EC2 type such as t3.small or c7g.large."
  }
}

variable "disk_gib" {
  description = "Root disk; the single server keeps pictures and rows on it."
  type        = number
  default     = 20
  validation {
    condition     = var.disk_gib >= 8 && var.disk_gib <= 1000
    error_message = "Use 8 to 1000 GiB."
  }
}

variable "user_data" {
  description = "What a server does at its first boot."
  type        = string
  validation {
    condition     = startswith(var.user_data, "#!")
    error_message = "Give a script that begins with #!: cloud-init runs nothing else at the first boot."
  }
}

variable "settings_arn" {
  description = "The parameters it may read."
  type        = string
  validation {
    condition     = can(regex("^arn:aws:ssm:[a-z0-9-]+:[0-9]{12}:parameter/.+[^/*]$", var.settings_arn))
    error_message = "Give the ARN of a path of parameters, without a slash or star at its end: arn:aws:ssm:REGION:ACCOUNT:parameter/PROJECT/STAGE/ROLE."
  }
}

variable "secret_arns" {
  description = "The secrets it may read: the database's password, the key of session cookies."
  type        = list(string)
  validation {
    condition     = alltrue([for arn in var.secret_arns : startswith(arn, "arn:aws:secretsmanager:")])
    error_message = "Give ARNs of secrets (arn:aws:secretsmanager:...)."
  }
}

variable "artifact_bucket_arn" {
  description = "Where the binary is."
  type        = string
  validation {
    condition     = startswith(var.artifact_bucket_arn, "arn:aws:s3:")
    error_message = "Give the ARN of a bucket (arn:aws:s3:...)."
  }
}

variable "artifact_key" {
  description = "Which one."
  type        = string
  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9._/-]*$", var.artifact_key))
    error_message = "Use the key of one object, such as photo-app-x86_64."
  }
}

variable "results_bucket_arn" {
  description = "Where the population's manifest goes."
  type        = string
  validation {
    condition     = startswith(var.results_bucket_arn, "arn:aws:s3:")
    error_message = "Give the ARN of a bucket (arn:aws:s3:...)."
  }
}

variable "access_logs_bucket" {
  description = "Name of the bucket for access logs."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.access_logs_bucket))
    error_message = "Use 3 to 63 lower-case letters, digits and dashes; a dot would break TLS."
  }
}

variable "table_arns" {
  description = "The DynamoDB table, if there is one."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for arn in var.table_arns : startswith(arn, "arn:aws:dynamodb:")])
    error_message = "Give ARNs of tables (arn:aws:dynamodb:...)."
  }
}

variable "assets_bucket_arns" {
  description = "The bucket for pictures, if there is one."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for arn in var.assets_bucket_arns : startswith(arn, "arn:aws:s3:")])
    error_message = "Give ARNs of buckets (arn:aws:s3:...)."
  }
}

variable "queue_arns" {
  description = "The job queue, if there is one. Never its dead letters."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for arn in var.queue_arns : startswith(arn, "arn:aws:sqs:")])
    error_message = "Give ARNs of queues (arn:aws:sqs:...)."
  }
}

variable "tags" {
  description = "Tags of instances and disks."
  type        = map(string)
}
