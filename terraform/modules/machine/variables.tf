# Which image, how large, what it runs and what it may do.
variable "name" {
  description = "Name of the template, the role and every instance."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,63}$", var.name))
    error_message = "Use 2 to 64 lower-case letters, digits and dashes, a letter first (a role's name has 64)."
  }
}

variable "image_id" {
  description = "The image: Ubuntu 24.04 or Debian 12 for the instance type's processor."
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
  description = "Size."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*\\.[a-z0-9]+$", var.instance_type))
    error_message = "Use an EC2 type such as t3.small or c7g.large."
  }
}

variable "disk_gib" {
  description = "Root disk."
  type        = number
  default     = 20
  validation {
    condition     = var.disk_gib >= 8 && var.disk_gib <= 1000
    error_message = "Use 8 to 1000 GiB."
  }
}

variable "user_data" {
  description = "What the instance does at its first boot."
  type        = string
  validation {
    condition     = var.user_data == "" || startswith(var.user_data, "#!")
    error_message = "Give a script that begins with #!: cloud-init runs nothing else at the first boot."
  }
}

variable "security_group_id" {
  description = "Its only security group."
  type        = string
  validation {
    condition     = startswith(var.security_group_id, "sg-")
    error_message = "Give the id of a security group (sg-...)."
  }
}

variable "subnet_id" {
  description = "Where a single instance lives; null for a group, which chooses itself."
  type        = string
  default     = null
  validation {
    condition     = var.subnet_id == null || startswith(coalesce(var.subnet_id, "-"), "subnet-")
    error_message = "Give the id of a subnet (subnet-...), or null for a group."
  }
}

variable "public_address" {
  description = "Whether it has an address of its own on the internet."
  type        = bool
  default     = false
}

variable "statements" {
  description = "What its role may do: a name, actions, and the resources they may be done to."
  type = list(object({
    sid       = string
    actions   = list(string)
    resources = list(string)
  }))
  validation {
    condition     = alltrue([for one in var.statements : !contains(one.resources, "*") && alltrue([for action in one.actions : !strcontains(action, "*")])])
    error_message = "Name actions and resources one by one: a star would open more than the role needs."
  }
}

variable "tags" {
  description = "Tags of what the template starts; the provider's default tags do not reach it."
  type        = map(string)
}
