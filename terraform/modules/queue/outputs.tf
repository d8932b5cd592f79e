# The app's setting, and what roles may touch: the dead letters are apart, because no role of the app reads them.
output "queue_url" {
  description = "The app's --sqs-queue-url."
  value       = aws_sqs_queue.jobs.url
}

output "arn" {
  description = "The job queue, for roles."
  value       = aws_sqs_queue.jobs.arn
}

output "queue_name" {
  description = "For dashboards, alarms and the workers' scaling."
  value       = aws_sqs_queue.jobs.name
}

output "dead_letter_queue_name" {
  description = "For the alarm."
  value       = aws_sqs_queue.dead_letters.name
}

output "dead_letter_queue_arn" {
  description = "For tests: no role of the app may name it."
  value       = aws_sqs_queue.dead_letters.arn
}
