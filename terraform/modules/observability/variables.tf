# What the stage has, and how CloudWatch names it. What it has is said apart, because names are unknown until AWS has made them.
variable "name" {
  description = "Beginning of every name: project and stage."
  type        = string
}

variable "project" {
  description = "The tag by which the budget counts."
  type        = string
}

variable "region" {
  description = "Where the metrics are."
  type        = string
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
}

variable "web_instance_type" {
  description = "Size of the web servers: burstable ones have an alarm on their credits."
  type        = string
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
}

variable "web_instance_id" {
  description = "The single web server."
  type        = string
  default     = ""
}

variable "balancer_dimension" {
  description = "The balancer."
  type        = string
  default     = ""
}

variable "target_group_dimension" {
  description = "Its targets."
  type        = string
  default     = ""
}

variable "worker_group_name" {
  description = "The workers' group."
  type        = string
  default     = ""
}

variable "queue_name" {
  description = "The job queue."
  type        = string
  default     = ""
}

variable "dead_letter_queue_name" {
  description = "Its dead letters."
  type        = string
  default     = ""
}

variable "database_identifiers" {
  description = "All MySQL nodes."
  type        = list(string)
  default     = []
}

variable "replica_identifiers" {
  description = "Those of them that are replicas."
  type        = list(string)
  default     = []
}

variable "table" {
  description = "The DynamoDB table."
  type        = string
  default     = ""
}

variable "cache_cluster_id" {
  description = "The cache's node."
  type        = string
  default     = ""
}

variable "distribution_id" {
  description = "The CDN."
  type        = string
  default     = ""
}
