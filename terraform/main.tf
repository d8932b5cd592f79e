# One stage of the course on AWS: the modules, composed by the choices of a stage file. Read stages/0-one-box.tfvars first, then the
# difference from each stage to the next; settings.tf says what the app is told.

locals {
  name = "${var.project}-${var.stage}"
  tags = { project = var.project, stage = var.stage, expires = var.expires }

  on_rds  = contains(["rds", "rds_replicas", "rds_shards"], var.database)
  workers = var.jobs == "sqs"
  # Private subnets need a way out as soon as instances live in them.
  nat = var.balancer || local.workers || var.load_count > 0

  burstable     = var.architecture == "arm64" ? "t4g.small" : "t3.small"
  web_type      = coalesce(var.web_instance_type, local.burstable)
  worker_type   = coalesce(var.worker_instance_type, local.burstable)
  load_type     = coalesce(var.load_instance_type, var.architecture == "arm64" ? "c7g.large" : "c7i.large")
  deb           = var.architecture == "arm64" ? "arm64" : "amd64"
  image         = local.images[var.distribution]
  artifact_arn  = "arn:aws:s3:::${var.artifact_bucket}"
  app_artifact  = "photo-app-${var.architecture}"
  load_artifact = "loadgen-${var.architecture}"

  # Each distribution publishes its newest image under a parameter of AWS's own.
  images = {
    "ubuntu-24.04" = { parameter = "/aws/service/canonical/ubuntu/server/24.04/stable/current/${local.deb}/hvm/ebs-gp3/ami-id", root_device = "/dev/sda1" }
    "debian-12"    = { parameter = "/aws/service/debian/release/12/latest/${local.deb}", root_device = "/dev/xvda" }
  }

  database_secrets = local.on_rds ? [module.mysql[0].secret_arn] : []
  table_arns       = var.database == "dynamodb" ? [module.dynamodb[0].arn] : []
  parameters_arn   = "arn:aws:ssm:${var.region}:${data.aws_caller_identity.this.account_id}:parameter/${var.project}/${var.stage}"

  # What a boot script needs, whatever the role; the load generator's differs by its target.
  boot = {
    name             = local.name
    region           = var.region
    database         = var.database
    deb_architecture = local.deb
    artifact_bucket  = var.artifact_bucket
    results_bucket   = "${var.bucket_prefix}-${var.stage}-results"
    stop_timeout_s   = var.shutdown_grace_s + 5
    aws_py           = trimspace(file("${path.module}/boot/aws.py"))
    target           = ""
    assets_url       = ""
  }
  boot_of_app = {
    region                 = var.region
    database_secret        = one(local.database_secrets)
    database_password_file = var.database == "local" ? "/etc/lightmeter/database-password" : null
  }
}

data "aws_caller_identity" "this" {}

data "aws_ssm_parameter" "image" {
  name = local.image.parameter
}

module "network" {
  source             = "./modules/network"
  name               = local.name
  region             = var.region
  availability_zones = var.availability_zones
  nat                = local.nat
}

module "mysql" {
  count          = local.on_rds ? 1 : 0
  source         = "./modules/mysql"
  name           = local.name
  vpc_id         = module.network.vpc_id
  subnet_ids     = module.network.private_subnet_ids
  primary_count  = var.database == "rds_shards" ? var.database_nodes : 1
  replica_count  = var.database == "rds_replicas" ? var.database_nodes - 1 : 0
  instance_class = var.database_instance_class
  client_security_group_ids = merge(
    { web = module.web.security_group_id },
    local.workers ? { worker = module.worker[0].security_group_id } : {},
  )
}

module "dynamodb" {
  count  = var.database == "dynamodb" ? 1 : 0
  source = "./modules/dynamodb"
  table  = local.name
}

module "assets" {
  count  = var.assets == "s3" ? 1 : 0
  source = "./modules/assets"
  bucket = "${var.bucket_prefix}-${var.stage}-pictures"
  # The only address of the app's pages.
  upload_origins = [module.web.url]
}

module "cache" {
  count      = var.cache == "redis" ? 1 : 0
  source     = "./modules/cache"
  name       = local.name
  vpc_id     = module.network.vpc_id
  subnet_ids = module.network.private_subnet_ids
  node_type  = var.cache_node_type
  client_security_group_ids = merge(
    { web = module.web.security_group_id },
    local.workers ? { worker = module.worker[0].security_group_id } : {},
  )
}

module "queue" {
  count        = local.workers ? 1 : 0
  source       = "./modules/queue"
  name         = local.name
  visibility_s = var.job_visibility_s
  heartbeat_s  = var.job_visibility_s / 3
}

module "web" {
  source                 = "./modules/web"
  name                   = local.name
  vpc_id                 = module.network.vpc_id
  public_subnet_ids      = module.network.public_subnet_ids
  private_subnet_ids     = module.network.private_subnet_ids
  users_cidr_blocks      = var.users_cidr_blocks
  balancer               = var.balancer
  inside_balancer        = var.balancer && var.load_count > 0
  count_min              = var.web_count.min
  count_max              = var.web_count.max
  deregistration_delay_s = var.shutdown_grace_s
  image_id               = data.aws_ssm_parameter.image.insecure_value
  root_device            = local.image.root_device
  instance_type          = local.web_type
  disk_gib               = var.assets == "local" ? 40 : 20
  settings_arn           = "${local.parameters_arn}/web"
  secret_arns            = concat(local.database_secrets, [aws_secretsmanager_secret.session.arn])
  artifact_bucket_arn    = local.artifact_arn
  artifact_key           = local.app_artifact
  results_bucket_arn     = module.loadgen.results_bucket_arn
  access_logs_bucket     = "${var.bucket_prefix}-${var.stage}-logs"
  table_arns             = local.table_arns
  assets_bucket_arns     = var.assets == "s3" ? [module.assets[0].bucket_arn] : []
  queue_arns             = local.workers ? [module.queue[0].arn] : []
  tags                   = local.tags
  user_data = templatefile("${path.module}/boot/instance.sh.tftpl", merge(local.boot, {
    role         = "serve"
    artifact_key = local.app_artifact
    boot_json = jsonencode(merge(local.boot_of_app, {
      settings_path  = "/${var.project}/${var.stage}/web"
      session_secret = aws_secretsmanager_secret_version.session.arn
      # A changed setting makes a new template, and the group replaces its servers. Read from the parameters themselves, so that they
      # are there before anybody asks for them.
      settings_hash = sha256(jsonencode([for parameter in aws_ssm_parameter.web : parameter.value]))
    }))
  }))
}

module "worker" {
  count               = local.workers ? 1 : 0
  source              = "./modules/worker"
  name                = local.name
  vpc_id              = module.network.vpc_id
  subnet_ids          = module.network.private_subnet_ids
  count_min           = var.worker_count.min
  count_max           = var.worker_count.max
  image_id            = data.aws_ssm_parameter.image.insecure_value
  root_device         = local.image.root_device
  instance_type       = local.worker_type
  settings_arn        = "${local.parameters_arn}/worker"
  secret_arns         = local.database_secrets
  artifact_bucket_arn = local.artifact_arn
  artifact_key        = local.app_artifact
  queue_arn           = module.queue[0].arn
  queue_name          = module.queue[0].queue_name
  assets_bucket_arn   = module.assets[0].bucket_arn
  table_arns          = local.table_arns
  tags                = local.tags
  user_data = templatefile("${path.module}/boot/instance.sh.tftpl", merge(local.boot, {
    role         = "work"
    artifact_key = local.app_artifact
    boot_json = jsonencode(merge(local.boot_of_app, {
      settings_path = "/${var.project}/${var.stage}/worker"
      settings_hash = sha256(jsonencode([for parameter in aws_ssm_parameter.worker : parameter.value]))
    }))
  }))
}

module "loadgen" {
  source                   = "./modules/loadgen"
  name                     = local.name
  instance_count           = var.load_count
  vpc_id                   = module.network.vpc_id
  subnet_ids               = module.network.private_subnet_ids
  target_security_group_id = module.web.entry_security_group_id
  target_port              = module.web.entry_port
  cdn                      = var.assets == "s3"
  results_bucket           = local.boot.results_bucket
  image_id                 = data.aws_ssm_parameter.image.insecure_value
  root_device              = local.image.root_device
  instance_type            = local.load_type
  artifact_bucket_arn      = local.artifact_arn
  artifact_key             = local.load_artifact
  tags                     = local.tags
  user_data = var.load_count == 0 ? "" : templatefile("${path.module}/boot/instance.sh.tftpl", merge(local.boot, {
    role         = "load"
    artifact_key = local.load_artifact
    target       = module.web.inside_address
    assets_url   = local.made.assets_public_url
    boot_json    = jsonencode({ region = var.region })
  }))
}

module "observability" {
  source                  = "./modules/observability"
  name                    = local.name
  project                 = var.project
  region                  = var.region
  email                   = var.email
  budget_usd              = var.budget_usd
  web_instance_type       = local.web_type
  database_instance_class = local.on_rds ? var.database_instance_class : ""
  has = {
    balancer = var.balancer
    workers  = local.workers
    table    = var.database == "dynamodb"
    cache    = var.cache == "redis"
    cdn      = var.assets == "s3"
  }
  web_group_name         = module.web.group_name
  web_instance_id        = module.web.instance_id
  balancer_dimension     = module.web.balancer_dimension
  target_group_dimension = module.web.target_group_dimension
  worker_group_name      = local.workers ? module.worker[0].group_name : ""
  queue_name             = local.workers ? module.queue[0].queue_name : ""
  dead_letter_queue_name = local.workers ? module.queue[0].dead_letter_queue_name : ""
  database_identifiers   = local.on_rds ? module.mysql[0].instance_identifiers : []
  replica_identifiers    = local.on_rds ? module.mysql[0].replica_identifiers : []
  table                  = var.database == "dynamodb" ? module.dynamodb[0].table : ""
  cache_cluster_id       = var.cache == "redis" ? module.cache[0].cluster_id : ""
  distribution_id        = var.assets == "s3" ? module.assets[0].distribution_id : ""
}
