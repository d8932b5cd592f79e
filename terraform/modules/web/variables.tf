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
}

variable "public_subnet_ids" {
  description = "For the balancer, or the single server."
  type        = list(string)
}

variable "private_subnet_ids" {
  description = "For the servers behind a balancer."
  type        = list(string)
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
}

variable "health_check_path" {
  description = "What the balancer asks; the app answers 200 there when its backends answer."
  type        = string
  default     = "/readyz"
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
}

variable "root_device" {
  description = "The image's root device."
  type        = string
  default     = "/dev/sda1"
}

variable "instance_type" {
  description = "Size of every server."
  type        = string
}

variable "disk_gib" {
  description = "Root disk; the single server keeps pictures and rows on it."
  type        = number
  default     = 20
}

variable "user_data" {
  description = "What a server does at its first boot."
  type        = string
}

variable "settings_arn" {
  description = "The parameters it may read."
  type        = string
}

variable "secret_arns" {
  description = "The secrets it may read: the database's password, the key of session cookies."
  type        = list(string)
}

variable "artifact_bucket_arn" {
  description = "Where the binary is."
  type        = string
}

variable "artifact_key" {
  description = "Which one."
  type        = string
}

variable "results_bucket_arn" {
  description = "Where the population's manifest goes."
  type        = string
}

variable "access_logs_bucket" {
  description = "Name of the bucket for access logs."
  type        = string
}

variable "table_arns" {
  description = "The DynamoDB table, if there is one."
  type        = list(string)
  default     = []
}

variable "assets_bucket_arns" {
  description = "The bucket for pictures, if there is one."
  type        = list(string)
  default     = []
}

variable "queue_arns" {
  description = "The job queue, if there is one. Never its dead letters."
  type        = list(string)
  default     = []
}

variable "tags" {
  description = "Tags of instances and disks."
  type        = map(string)
}
