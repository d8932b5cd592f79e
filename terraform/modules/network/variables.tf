# What the network depends on.
variable "name" {
  description = "Beginning of every name: project and stage."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}$", var.name))
    error_message = "Use 2 to 31 lower-case letters, digits and dashes, a letter first."
  }
}

variable "region" {
  description = "The region, for the names of the gateway endpoints."
  type        = string
  validation {
    condition     = can(regex("^[a-z]{2}-[a-z]+-[0-9]$", var.region))
    error_message = "Use a region such as us-east-1."
  }
}

variable "cidr_block" {
  description = "Addresses of the VPC; sixteen subnets are cut out of it."
  type        = string
  default     = "10.20.0.0/16"
  validation {
    condition     = can(cidrhost(var.cidr_block, 0)) && tonumber(split("/", var.cidr_block)[1]) <= 20
    error_message = "Use an IPv4 block of /20 or larger, such as 10.20.0.0/16."
  }
}

variable "availability_zones" {
  description = "Zones with a public and a private subnet each; a balancer and a database need two."
  type        = list(string)
  validation {
    condition     = length(var.availability_zones) >= 2 && length(var.availability_zones) <= 8
    error_message = "Name 2 to 8 availability zones."
  }
}

variable "nat" {
  description = "Whether private subnets have a way out; needed as soon as instances live in them."
  type        = bool
}
