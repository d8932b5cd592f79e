# How long a job stays hidden, and how often it is tried.
variable "name" {
  description = "Beginning of every name: project and stage."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,69}$", var.name))
    error_message = "Use 2 to 70 lower-case letters, digits and dashes, a letter first (`-jobs-dead` follows, and SQS allows 80)."
  }
}

variable "heartbeat_s" {
  description = "How often a worker says that it is still at work: a third of the app's job visibility."
  type        = number
  validation {
    condition     = var.heartbeat_s >= 1
    error_message = "Use at least one second: SQS counts in whole seconds."
  }
}

variable "visibility_s" {
  description = "How long a job that was taken is hidden; the app's --job-visibility-s."
  type        = number
  validation {
    condition     = var.visibility_s >= var.heartbeat_s && var.visibility_s <= 43200
    error_message = "Use at least the heartbeat, or every job is done twice, and at most 43200 (SQS's own limit)."
  }
}

variable "attempts_max" {
  description = "Deliveries before a job goes to the dead letters."
  type        = number
  default     = 5
  validation {
    condition     = var.attempts_max >= 2 && var.attempts_max <= 100
    error_message = "Use 2 to 100: with one attempt a worker that is replaced loses its job."
  }
}
