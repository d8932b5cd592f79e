# How many workers, when there are more, and what they may do.
variable "name" {
  description = "Beginning of every name: project and stage."
  type        = string
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets."
  type        = list(string)
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
}

variable "root_device" {
  description = "The image's root device."
  type        = string
  default     = "/dev/sda1"
}

variable "instance_type" {
  description = "Size of every worker."
  type        = string
}

variable "user_data" {
  description = "What a worker does at its first boot."
  type        = string
}

variable "settings_arn" {
  description = "The parameters it may read: the workers' own, not the web servers'."
  type        = string
}

variable "secret_arns" {
  description = "The secrets it may read: the database's password. Never the key of session cookies."
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

variable "queue_arn" {
  description = "The job queue; never its dead letters."
  type        = string
}

variable "queue_name" {
  description = "The job queue, for the backlog."
  type        = string
}

variable "assets_bucket_arn" {
  description = "The bucket for pictures."
  type        = string
}

variable "table_arns" {
  description = "The DynamoDB table, if there is one."
  type        = list(string)
  default     = []
}

variable "tags" {
  description = "Tags of instances and disks."
  type        = map(string)
}
