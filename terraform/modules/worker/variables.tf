# How many workers, when there are more, and what they may do.
variable "name" {
  description = "Beginning of every name: project and stage."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,56}$", var.name))
    error_message = "Use 2 to 57 lower-case letters, digits and dashes, a letter first (`-worker` follows, and a role's name has 64)."
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

variable "subnet_ids" {
  description = "Private subnets."
  type        = list(string)
  validation {
    condition     = length(var.subnet_ids) >= 1 && alltrue([for id in var.subnet_ids : startswith(id, "subnet-")])
    error_message = "Give at least one private subnet (subnet-...), as modules/network makes them."
  }
}

variable "count_min" {
  description = "Workers, at least."
  type        = number
  default     = 1
  validation {
    condition     = var.count_min >= 1 && var.count_min <= 64
    error_message = "Use 1 to 64: without a worker no photo is ever finished."
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

variable "backlog_per_instance" {
  description = "Jobs per worker that the group keeps to. 10 jobs of half a second each: a photo waits about 5 s."
  type        = number
  default     = 10
  validation {
    condition     = var.backlog_per_instance > 0
    error_message = "Use a number above 0."
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
  description = "Size of every worker."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*\\.[a-z0-9-]+$", var.instance_type))
    error_message = "Use an EC2 type such as t3.small or c7g.large."
  }
}

variable "user_data" {
  description = "What a worker does at its first boot."
  type        = string
  validation {
    condition     = startswith(var.user_data, "#!")
    error_message = "Give a script that begins with #!: cloud-init runs nothing else at the first boot."
  }
}

variable "settings_arn" {
  description = "The parameters it may read: the workers' own, not the web servers'."
  type        = string
  validation {
    condition     = can(regex("^arn:aws:ssm:[a-z0-9-]+:[0-9]{12}:parameter/.+[^/*]$", var.settings_arn))
    error_message = "Give the ARN of a path of parameters, without a slash or star at its end: arn:aws:ssm:REGION:ACCOUNT:parameter/PROJECT/STAGE/ROLE."
  }
}

variable "secret_arns" {
  description = "The secrets it may read: the database's password. Never the key of session cookies."
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

variable "queue_arn" {
  description = "The job queue; never its dead letters."
  type        = string
  validation {
    condition     = startswith(var.queue_arn, "arn:aws:sqs:")
    error_message = "Give the ARN of the job queue (arn:aws:sqs:...)."
  }
}

variable "queue_name" {
  description = "The job queue, for the backlog."
  type        = string
  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,80}$", var.queue_name))
    error_message = "Use the name of the job queue, not its address or ARN."
  }
}

variable "assets_bucket_arn" {
  description = "The bucket for pictures."
  type        = string
  validation {
    condition     = startswith(var.assets_bucket_arn, "arn:aws:s3:")
    error_message = "Give the ARN of a bucket (arn:aws:s3:...)."
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

variable "tags" {
  description = "Tags of instances and disks."
  type        = map(string)
}
