# The app's setting, and what roles are allowed to touch.
output "table" {
  description = "The app's --dynamodb-table."
  value       = aws_dynamodb_table.this.name
}

output "arn" {
  description = "For roles."
  value       = aws_dynamodb_table.this.arn
}
