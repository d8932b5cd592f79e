# Where to look, and what a run records.
output "dashboard" {
  description = "Name of the dashboard."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}

output "metrics" {
  description = "Every metric of the grid, for a run's record: component, question, and the metric as a list."
  value = flatten([
    for component in local.components : [
      for question in local.columns : [
        for metric in component[question] : {
          component  = component.name
          question   = question
          region     = local.region_of[component.name]
          namespace  = metric[0]
          metric     = metric[1]
          statistic  = contains(local.totals, metric[1]) ? "Sum" : "Average"
          dimensions = { for index in range(2, length(metric), 2) : metric[index] => metric[index + 1] }
        }
      ]
    ]
  ])
}
