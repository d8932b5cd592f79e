# What `cargo lab run --target outputs.json` reads: terraform output -json > outputs.json. Its reader is scenarios/src/cloud/outputs.rs.
output "stage" {
  description = "The stage, the project's tag, and until when it is needed."
  value       = { name = var.stage, project = var.project, expires = var.expires }
}

output "place" {
  description = "Where it runs."
  value       = { region = var.region, availability_zones = var.availability_zones }
}

output "url" {
  description = "Where users come in. The only address, with `assets_url`, that a run sends requests to."
  value       = module.web.url
}

output "assets_url" {
  description = "Where pages link pictures to; empty when they come from the web server."
  value       = local.made.assets_public_url
}

output "expected_settings" {
  description = "What the web servers must report about themselves."
  value = {
    store  = local.raw_settings.web["PHOTO_APP_STORE"]
    assets = local.raw_settings.web["PHOTO_APP_ASSETS"]
    cache  = local.raw_settings.web["PHOTO_APP_CACHE"]
    jobs   = local.raw_settings.web["PHOTO_APP_JOBS"]
    # The app counts the nodes that it was told of.
    store_nodes = tostring(var.database_nodes)
    sessions    = local.raw_settings.web["PHOTO_APP_SESSIONS"]
    renditions  = local.raw_settings.web["PHOTO_APP_RENDITIONS"]
    # Named after what it depends on; local pictures take no uploads from browsers.
    assets_uploads = lookup(local.raw_settings.web, "PHOTO_APP_UPLOADS", "app")
  }
}

output "stack" {
  description = "What the servers cannot know: how many there are, and what stands in front of them."
  value = {
    balancer     = var.balancer
    web_count    = var.web_count.min
    worker_count = var.worker_count.min
    fixed_counts = var.web_count.min == var.web_count.max && var.worker_count.min == var.worker_count.max
    cdn          = var.assets == "s3"
  }
}

output "instance_types" {
  description = "What every part runs on."
  value = merge(
    { web = local.web_type },
    local.workers ? { worker = local.worker_type } : {},
    local.on_rds ? { database = var.database_instance_class } : {},
    var.cache == "redis" ? { cache = var.cache_node_type } : {},
    var.load_count > 0 ? { loadgen = local.load_type } : {},
  )
}

output "seed" {
  description = "How an empty stack is filled: the document, whom it is sent to, and where the manifest goes."
  value = {
    document  = module.web.seed_document
    tag_name  = "Name"
    tag_value = "${local.name}-web"
    bucket    = module.loadgen.results_bucket
  }
}

output "load" {
  description = "How the fleet of load generators is started; empty without one."
  value = {
    document = module.loadgen.load_document
    bucket   = module.loadgen.results_bucket
    count    = var.load_count
  }
}

output "metrics" {
  description = "What CloudWatch is asked for the stretch of a run."
  value       = module.observability.metrics
}

output "dashboard" {
  description = "Name of the dashboard."
  value       = module.observability.dashboard
}
