# How many databases, how large, and who may connect.
variable "name" {
  description = "Beginning of every name: project and stage."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,52}$", var.name))
    error_message = "Use 2 to 53 lower-case letters, digits and dashes, a letter first (`-replica-7` follows, and RDS allows 63)."
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
  description = "Private subnets, in two zones at least: RDS asks for two even when it uses one."
  type        = list(string)
  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "Give subnets of at least two availability zones."
  }
}

variable "client_security_group_ids" {
  description = "Who may connect: a word for the rule -> a security group."
  type        = map(string)
}

variable "primary_count" {
  description = "Databases that take writes: 1, or the number of shards."
  type        = number
  default     = 1
  validation {
    condition     = contains([1, 2, 4, 8], var.primary_count)
    error_message = "Use 1, 2, 4 or 8 primaries: the counts that the experiment measures."
  }
}

variable "replica_count" {
  description = "Read replicas of the first primary."
  type        = number
  default     = 0
  validation {
    condition     = var.replica_count >= 0 && var.replica_count <= 7 && (var.replica_count == 0 || var.primary_count == 1)
    error_message = "Use 0 to 7 replicas, and only with one primary: the app's stores are replicated or sharded, not both."
  }
}

variable "instance_class" {
  description = "Size of every node."
  type        = string
  default     = "db.t4g.micro"
  validation {
    condition     = can(regex("^db\\.[a-z0-9]+\\.[a-z0-9]+$", var.instance_class))
    error_message = "Use an RDS class such as db.t4g.micro."
  }
}

variable "connections_max" {
  description = "Connections that a node takes. An idle one costs it some hundred kilobytes, and the app opens them as it needs them: 300 fit a micro."
  type        = number
  default     = 300
  validation {
    condition     = var.connections_max >= 160 && var.connections_max <= 16000 && floor(var.connections_max) == var.connections_max
    error_message = "Use 160 to 16000 whole connections: below, the largest groups would not have one each."
  }
}

variable "storage_gib" {
  description = "Disk of every node; gp3 starts at 20."
  type        = number
  default     = 20
  validation {
    condition     = var.storage_gib >= 20 && var.storage_gib <= 1000
    error_message = "Use 20 to 1000 GiB."
  }
}

variable "backup_days" {
  description = "How long backups are kept; a primary without backups can have no replica."
  type        = number
  default     = 1
  validation {
    condition     = var.backup_days >= 1 && var.backup_days <= 35
    error_message = "Use 1 to 35 days."
  }
}

variable "deletion_protection" {
  description = "Whether `terraform destroy` is refused; off for a class, whose stacks must go at night."
  type        = bool
  default     = false
}

variable "database" {
  description = "Name of the database."
  type        = string
  default     = "photos"
  validation {
    condition     = can(regex("^[a-z][a-z0-9_]{0,63}$", var.database))
    error_message = "Use 1 to 64 lower-case letters, digits and underscores, a letter first."
  }
}

variable "username" {
  description = "The app's user."
  type        = string
  default     = "photo_app"
  validation {
    condition     = can(regex("^[a-z][a-z0-9_]{0,15}$", var.username))
    error_message = "Use 1 to 16 lower-case letters, digits and underscores, a letter first: RDS allows no more."
  }
}

variable "password_version" {
  description = "Raise it to have a new password made and written everywhere."
  type        = number
  default     = 1
  validation {
    condition     = var.password_version >= 1 && floor(var.password_version) == var.password_version
    error_message = "Use a whole number, higher than the last one for a new password."
  }
}
