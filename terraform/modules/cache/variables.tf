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
}

variable "subnet_ids" {
  description = "Private subnets."
  type        = list(string)
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
