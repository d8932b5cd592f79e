# How large the fleet is, and the one thing it may load.
variable "name" {
  description = "Beginning of every name: project and stage."
  type        = string
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
}

variable "subnet_ids" {
  description = "Private subnets."
  type        = list(string)
}

variable "target_security_group_id" {
  description = "The entry of the stack under load: its balancers, or its single server."
  type        = string
}

variable "target_port" {
  description = "The port of that entry."
  type        = number
}

variable "results_bucket" {
  description = "Name of the bucket for populations and results."
  type        = string
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
}

variable "artifact_bucket_arn" {
  description = "Where the binary is."
  type        = string
}

variable "artifact_key" {
  description = "Which one."
  type        = string
}

variable "tags" {
  description = "Tags of instances and disks."
  type        = map(string)
}
