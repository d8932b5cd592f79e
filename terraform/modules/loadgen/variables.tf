# How large the fleet is, and the one thing it may load.
variable "name" {
  description = "Beginning of every name: project and stage."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,55}$", var.name))
    error_message = "Use 2 to 56 lower-case letters, digits and dashes, a letter first (`-loadgen` follows, and a role's name has 64)."
  }
}

variable "instance_count" {
  description = "Load generators; 0 for none (the bucket for results is there anyway)."
  type        = number
  default     = 0
  validation {
    condition     = var.instance_count >= 0 && var.instance_count <= 32 && floor(var.instance_count) == var.instance_count
    error_message = "Use 0 to 32: more than that is a conversation with AWS about network stress testing first."
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

variable "target_security_group_id" {
  description = "The entry of the stack under load: its balancers, or its single server."
  type        = string
  validation {
    condition     = startswith(var.target_security_group_id, "sg-")
    error_message = "Give the id of a security group (sg-...)."
  }
}

variable "target_port" {
  description = "The port of that entry."
  type        = number
  validation {
    condition     = var.target_port >= 1 && var.target_port <= 65535 && floor(var.target_port) == var.target_port
    error_message = "Use a port from 1 to 65535."
  }
}

variable "cdn" {
  description = "Whether the stack's pages link pictures to a CDN, which the generators must reach by plain HTTP."
  type        = bool
  default     = false
}

variable "results_bucket" {
  description = "Name of the bucket for populations and results."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.results_bucket))
    error_message = "Use 3 to 63 lower-case letters, digits and dashes; a dot would break TLS."
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
  description = "Size of every generator; one without CPU credits, or the generator is what is measured."
  type        = string
  default     = "c7i.large"
  validation {
    condition     = !startswith(var.instance_type, "t")
    error_message = "Use a type without CPU credits, such as c7i.large: a generator that is slowed down lies about the stack."
  }
}

variable "user_data" {
  description = "What a generator does at its first boot; the stack's address is written there."
  type        = string
  validation {
    condition     = startswith(var.user_data, "#!") || (var.instance_count == 0 && var.user_data == "")
    error_message = "Give a script that begins with #!: cloud-init runs nothing else at the first boot."
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

variable "tags" {
  description = "Tags of instances and disks."
  type        = map(string)
}
