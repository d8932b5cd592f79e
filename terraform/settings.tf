# The app's settings of a stage, from the fragments in settings/*.env: one for each choice that the stage file makes. The fragments are
# plain text, so that a test can hold them against the app's own Config without terraform. A value is what stands there, or `$${name}` for
# something that only exists once AWS has made it.

locals {
  choices = ["database-${var.database}", "assets-${var.assets}", "cache-${var.cache}", "jobs-${var.jobs}"]
  fragments = {
    web    = concat(["web", "balancer-${var.balancer}"], local.choices)
    worker = var.jobs == "sqs" ? concat(["worker"], local.choices) : []
  }
  raw_settings = {
    for role, fragments in local.fragments : role => merge([
      for fragment in fragments : {
        for line in regexall("(?m)^([A-Z0-9_]+)=(.*)$", file("${path.module}/settings/${fragment}.env")) : line[0] => line[1]
      }
    ]...)
  }

  # Every process has a pool for each database node: web servers and workers at their most, and the one that seeds. Where that many
  # pools do not fit a node, each is made smaller. Kept free: what RDS itself uses and a person who looks.
  store_processes   = var.web_count.max + var.worker_count.max + 1
  store_free        = 20
  store_connections = local.on_rds ? min(var.store_connections_max, floor((module.mysql[0].connections_max - local.store_free) / local.store_processes)) : 0

  # What the fragments call by name.
  made = {
    store_url             = local.on_rds ? module.mysql[0].store_url : ""
    store_connections_max = tostring(local.store_connections)
    dynamodb_table        = var.database == "dynamodb" ? module.dynamodb[0].table : ""
    s3_bucket             = var.assets == "s3" ? module.assets[0].bucket : ""
    assets_public_url     = var.assets == "s3" ? module.assets[0].public_url : ""
    redis_url             = var.cache == "redis" ? module.cache[0].redis_url : ""
    sqs_queue_url         = var.jobs == "sqs" ? module.queue[0].queue_url : ""
    job_visibility_s      = tostring(var.job_visibility_s)
    job_concurrency       = tostring(var.job_concurrency)
    shutdown_grace_ms     = tostring(var.shutdown_grace_s * 1000)
  }
  settings = {
    for role, values in local.raw_settings : role => {
      for name, value in values : name => startswith(value, "$${") ? local.made[trimsuffix(trimprefix(value, "$${"), "}")] : value
    }
  }
}

resource "aws_ssm_parameter" "web" {
  for_each = local.raw_settings.web
  name     = "/${var.project}/${var.stage}/web/${each.key}"
  type     = "String"
  value    = local.settings.web[each.key]
}

resource "aws_ssm_parameter" "worker" {
  for_each = local.raw_settings.worker
  name     = "/${var.project}/${var.stage}/worker/${each.key}"
  type     = "String"
  value    = local.settings.worker[each.key]
}

# The key of session cookies: web servers read it, workers do not.
data "aws_secretsmanager_random_password" "session" {
  password_length     = 48
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret" "session" {
  name                    = "${local.name}-session"
  description             = "Signs the session cookies of ${local.name}"
  recovery_window_in_days = 0
}

resource "aws_secretsmanager_secret_version" "session" {
  secret_id                = aws_secretsmanager_secret.session.id
  secret_string_wo         = data.aws_secretsmanager_random_password.session.random_password
  secret_string_wo_version = 1
}
