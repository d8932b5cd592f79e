# How large the cache is, and who may connect.
variable "name" {
  description = "Beginning of every name: project and stage."
  type        = string
  validation {
    condition     = length(var.name) <= 34
    error_message = "Use at most 34 characters: ElastiCache allows 40, and `-cache` follows."
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

variable "client_security_group_ids" {
  description = "Who may connect: a word for the rule -> a security group."
  type        = map(string)
}

variable "node_type" {
  description = "Size of the node."
  type        = string
  default     = "cache.t4g.micro"
  validation {
    condition     = can(regex("^cache\\.[a-z0-9]+\\.[a-z0-9]+$", var.node_type))
    error_message = "Use an ElastiCache type such as cache.t4g.micro."
  }
}
