# What the stage has, and how CloudWatch names it. What it has is said apart, because names are unknown until AWS has made them.
variable "name" {
  description = "Beginning of every name: project and stage."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,99}$", var.name))
    error_message = "Use 2 to 100 lower-case letters, digits and dashes, a letter first."
  }
}

variable "project" {
  description = "The tag by which the budget counts."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,11}$", var.project))
    error_message = "Use the value of the tag `project`: 2 to 12 lower-case letters, digits and dashes, a letter first."
  }
}

variable "region" {
  description = "Where the metrics are."
  type        = string
  validation {
    condition     = can(regex("^[a-z]{2}-[a-z]+-[0-9]$", var.region))
    error_message = "Use a region such as us-east-1."
  }
}

variable "email" {
  description = "Who is told of alarms and of the budget; empty for nobody."
  type        = string
  default     = ""
  validation {
    condition     = var.email == "" || can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", var.email))
    error_message = "Use an e-mail address, or leave it empty."
  }
}

variable "budget_usd" {
  description = "The month's budget in US dollars."
  type        = number
  validation {
    condition     = var.budget_usd >= 1
    error_message = "Use at least 1 dollar."
  }
}

variable "slo_latency_ms" {
  description = "The objective's bound: that of the experiments."
  type        = number
  default     = 250
  validation {
    condition     = var.slo_latency_ms >= 1 && var.slo_latency_ms <= 60000
    error_message = "Use 1 to 60000 milliseconds."
  }
}

variable "web_instance_type" {
  description = "Size of the web servers: burstable ones have an alarm on their credits."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*\\.[a-z0-9-]+$", var.web_instance_type))
    error_message = "Use an EC2 type such as t3.small or c7g.large."
  }
}

variable "database_instance_class" {
  description = "Size of the MySQL nodes: burstable ones show their credits."
  type        = string
  default     = ""
  validation {
    condition     = var.database_instance_class == "" || can(regex("^db\\.[a-z0-9]+\\.[a-z0-9]+$", var.database_instance_class))
    error_message = "Use an RDS class such as db.t4g.micro, or leave it empty without MySQL."
  }
}

variable "has" {
  description = "Which components the stage has beside its web servers."
  type = object({
    balancer = bool
    workers  = bool
    table    = bool
    cache    = bool
    cdn      = bool
  })
}

variable "web_group_name" {
  description = "The web servers' group."
  type        = string
  default     = ""
  validation {
    condition     = var.has.balancer == (var.web_group_name != "")
    error_message = "Name the web servers' group when has.balancer is true, and leave it empty otherwise."
  }
}

variable "web_instance_id" {
  description = "The single web server."
  type        = string
  default     = ""
  validation {
    condition     = var.has.balancer == (var.web_instance_id == "")
    error_message = "Name the single web server when has.balancer is false, and leave it empty otherwise."
  }
}

variable "balancer_dimension" {
  description = "The balancer."
  type        = string
  default     = ""
  validation {
    condition     = var.has.balancer == (var.balancer_dimension != "")
    error_message = "Name the balancer as CloudWatch does when has.balancer is true, and leave it empty otherwise."
  }
}

variable "target_group_dimension" {
  description = "Its targets."
  type        = string
  default     = ""
  validation {
    condition     = var.has.balancer == (var.target_group_dimension != "")
    error_message = "Name its targets as CloudWatch does when has.balancer is true, and leave it empty otherwise."
  }
}

variable "worker_group_name" {
  description = "The workers' group."
  type        = string
  default     = ""
  validation {
    condition     = var.has.workers == (var.worker_group_name != "")
    error_message = "Name the workers' group when has.workers is true, and leave it empty otherwise."
  }
}

variable "queue_name" {
  description = "The job queue."
  type        = string
  default     = ""
  validation {
    condition     = var.has.workers == (var.queue_name != "")
    error_message = "Name the job queue when has.workers is true, and leave it empty otherwise."
  }
}

variable "dead_letter_queue_name" {
  description = "Its dead letters."
  type        = string
  default     = ""
  validation {
    condition     = var.has.workers == (var.dead_letter_queue_name != "")
    error_message = "Name the dead letters when has.workers is true, and leave it empty otherwise."
  }
}

variable "database_identifiers" {
  description = "All MySQL nodes."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for id in var.database_identifiers : length(id) > 0])
    error_message = "Name every MySQL node, or give an empty list."
  }
}

variable "replica_identifiers" {
  description = "Those of them that are replicas."
  type        = list(string)
  default     = []
  validation {
    condition     = length(setsubtract(var.replica_identifiers, var.database_identifiers)) == 0
    error_message = "Name replicas among database_identifiers as well: they are nodes like the others."
  }
}

variable "table" {
  description = "The DynamoDB table."
  type        = string
  default     = ""
  validation {
    condition     = var.has.table == (var.table != "")
    error_message = "Name the table when has.table is true, and leave it empty otherwise."
  }
}

variable "cache_cluster_id" {
  description = "The cache's node."
  type        = string
  default     = ""
  validation {
    condition     = var.has.cache == (var.cache_cluster_id != "")
    error_message = "Name the cache's node when has.cache is true, and leave it empty otherwise."
  }
}

variable "distribution_id" {
  description = "The CDN."
  type        = string
  default     = ""
  validation {
    condition     = var.has.cdn == (var.distribution_id != "")
    error_message = "Name the distribution when has.cdn is true, and leave it empty otherwise."
  }
}
