# The table's name and whether it may go.
variable "table" {
  description = "Name of the table; the app's --dynamodb-table."
  type        = string
  validation {
    condition     = can(regex("^[a-zA-Z0-9_.-]{3,255}$", var.table))
    error_message = "Use 3 to 255 letters, digits, dots, dashes or underscores."
  }
}

variable "deletion_protection" {
  description = "Whether `terraform destroy` is refused."
  type        = bool
  default     = false
}
