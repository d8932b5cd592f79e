# The choices. A stage file sets the first half (what the stage is); you set the second (who and where you are), in a file of your own
# named terraform.tfvars or with -var. Every wrong word is refused before anything is planned.

# --- the stage --------------------------------------------------------------------------------------------------------
variable "stage" {
  description = "Name of the stage; part of every name."
  type        = string
  validation {
    condition     = contains(["0-one-box", "1-database", "2-assets", "3-framework", "4-imaging"], var.stage)
    error_message = "Use 0-one-box, 1-database, 2-assets, 3-framework or 4-imaging: -var-file=stages/NAME.tfvars sets it."
  }
}

variable "database" {
  description = "Where the rows live: MariaDB on the one box, one RDS MySQL, with read replicas, as shards, or DynamoDB."
  type        = string
  validation {
    condition     = contains(["local", "rds", "rds_replicas", "rds_shards", "dynamodb"], var.database)
    error_message = "Use local, rds, rds_replicas, rds_shards or dynamodb."
  }
  validation {
    condition     = var.database != "local" || (!var.balancer && var.jobs == "inline")
    error_message = "A database on the one box cannot be shared: it needs balancer = false and jobs = \"inline\"."
  }
}

variable "database_nodes" {
  description = "Database nodes: the primary and its replicas, or the shards."
  type        = number
  default     = 1
  validation {
    condition     = contains(["rds_replicas", "rds_shards"], var.database) ? var.database_nodes >= 2 && var.database_nodes <= 8 : var.database_nodes == 1
    error_message = "Use 2 to 8 with rds_replicas or rds_shards, and 1 otherwise."
  }
}

variable "assets" {
  description = "Where pictures live: on the one box, or in S3 behind CloudFront."
  type        = string
  validation {
    condition     = contains(["local", "s3"], var.assets)
    error_message = "Use local or s3."
  }
  validation {
    condition     = var.assets != "local" || (!var.balancer && var.jobs == "inline")
    error_message = "Pictures on the one box cannot be shared: they need balancer = false and jobs = \"inline\"."
  }
}

variable "cache" {
  description = "Answers kept near: nowhere, in each web server, or in Valkey on ElastiCache."
  type        = string
  validation {
    condition     = contains(["none", "moka", "redis"], var.cache)
    error_message = "Use none, moka or redis."
  }
}

variable "balancer" {
  description = "A balancer and a group of web servers, or one web server with an address of its own."
  type        = bool
}

variable "web_count" {
  description = "Web servers: at least, and at most. Equal for a fixed count, as an experiment needs it."
  type        = object({ min = number, max = number })
  validation {
    condition     = var.balancer || (var.web_count.min == 1 && var.web_count.max == 1)
    error_message = "More than one web server needs balancer = true."
  }
  validation {
    condition     = var.web_count.min >= 1 && var.web_count.max >= var.web_count.min && var.web_count.max <= 64 && floor(var.web_count.min) == var.web_count.min && floor(var.web_count.max) == var.web_count.max
    error_message = "Use whole numbers from 1 to 64, with min not above max."
  }
}

variable "jobs" {
  description = "Who makes renditions: the request itself, or workers through SQS."
  type        = string
  validation {
    condition     = contains(["inline", "sqs"], var.jobs)
    error_message = "Use inline or sqs."
  }
}

variable "worker_count" {
  description = "Workers: at least, and at most; 0 with inline jobs."
  type        = object({ min = number, max = number })
  validation {
    condition     = var.jobs == "sqs" ? var.worker_count.min >= 1 : var.worker_count.max == 0
    error_message = "jobs = \"sqs\" needs at least one worker, jobs = \"inline\" has none."
  }
  validation {
    condition     = var.worker_count.min >= 0 && var.worker_count.max >= var.worker_count.min && var.worker_count.max <= 64 && floor(var.worker_count.min) == var.worker_count.min && floor(var.worker_count.max) == var.worker_count.max
    error_message = "Use whole numbers from 0 to 64, with min not above max."
  }
}

# --- you --------------------------------------------------------------------------------------------------------------
variable "project" {
  description = "Beginning of every name and the tag by which leftovers are found. A class gives each student one of their own."
  type        = string
  default     = "lightmeter"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,11}$", var.project))
    error_message = "Use 2 to 12 lower-case letters, digits and dashes, a letter first: a balancer's name has 32 characters in all."
  }
}

variable "expires" {
  description = "The day after which this may be destroyed by anybody, as YYYY-MM-DD."
  type        = string
  validation {
    condition     = can(formatdate("YYYY-MM-DD", "${var.expires}T00:00:00Z"))
    error_message = "Use a day such as 2026-12-31."
  }
}

variable "region" {
  description = "The region. Prices in reports/prices are those of us-east-1."
  type        = string
  default     = "us-east-1"
  validation {
    condition     = can(regex("^[a-z]{2}-[a-z]+-[0-9]$", var.region))
    error_message = "Use a region such as us-east-1."
  }
}

variable "availability_zones" {
  description = "Two zones of the region."
  type        = list(string)
  default     = ["us-east-1a", "us-east-1b"]
  validation {
    condition     = alltrue([for zone in var.availability_zones : startswith(zone, var.region)])
    error_message = "Name zones of the region, such as us-east-1a."
  }
  validation {
    condition     = length(distinct(var.availability_zones)) >= 2 && length(distinct(var.availability_zones)) == length(var.availability_zones)
    error_message = "Name at least two different zones: a balancer and a database need them."
  }
}

variable "users_cidr_blocks" {
  description = "Who may reach the site: your own address, as 203.0.113.7/32."
  type        = list(string)
  validation {
    condition     = length(var.users_cidr_blocks) > 0 && alltrue([for block in var.users_cidr_blocks : can(cidrhost(block, 0)) && !strcontains(block, ":")])
    error_message = "Name at least one IPv4 block, such as 203.0.113.7/32 (curl https://checkip.amazonaws.com tells yours)."
  }
}

variable "artifact_bucket" {
  description = "The bucket that holds the release binaries photo-app-ARCHITECTURE and loadgen-ARCHITECTURE (docs/aws.md)."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.artifact_bucket))
    error_message = "Use 3 to 63 lower-case letters, digits and dashes; a dot would break TLS."
  }
}

variable "bucket_prefix" {
  description = "Beginning of the buckets' names, which are shared with all of AWS: add something of yours."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{2,21}$", var.bucket_prefix))
    error_message = "Use 3 to 22 lower-case letters, digits and dashes."
  }
}

variable "architecture" {
  description = "Processor of all instances."
  type        = string
  default     = "x86_64"
  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "Use x86_64 or arm64, and binaries built for it."
  }
}

variable "distribution" {
  description = "System of all instances."
  type        = string
  default     = "ubuntu-24.04"
  validation {
    condition     = contains(["ubuntu-24.04", "debian-12"], var.distribution)
    error_message = "Use ubuntu-24.04 or debian-12."
  }
}

variable "web_instance_type" {
  description = "Size of web servers; empty for t3.small or t4g.small. For figures take one without CPU credits, such as c7i.large."
  type        = string
  default     = ""
  validation {
    condition     = var.web_instance_type == "" || can(regex("^[a-z][a-z0-9-]*\\.[a-z0-9-]+$", var.web_instance_type))
    error_message = "Use an EC2 type such as c7i.large, or leave it empty for the usual one."
  }
  validation {
    condition     = var.web_instance_type == "" || can(regex("^[a-z]+[0-9]+g", var.web_instance_type)) == (var.architecture == "arm64")
    error_message = "Use a type of the processor that `architecture` names: c7g, t4g and the like are arm64, others x86_64."
  }
}

variable "worker_instance_type" {
  description = "Size of workers; empty for t3.small or t4g.small."
  type        = string
  default     = ""
  validation {
    condition     = var.worker_instance_type == "" || can(regex("^[a-z][a-z0-9-]*\\.[a-z0-9-]+$", var.worker_instance_type))
    error_message = "Use an EC2 type such as c7i.large, or leave it empty for the usual one."
  }
  validation {
    condition     = var.worker_instance_type == "" || can(regex("^[a-z]+[0-9]+g", var.worker_instance_type)) == (var.architecture == "arm64")
    error_message = "Use a type of the processor that `architecture` names: c7g, t4g and the like are arm64, others x86_64."
  }
}

variable "load_instance_type" {
  description = "Size of load generators; empty for c7i.large or c7g.large."
  type        = string
  default     = ""
  validation {
    condition     = var.load_instance_type == "" || can(regex("^[a-z][a-z0-9-]*\\.[a-z0-9-]+$", var.load_instance_type))
    error_message = "Use an EC2 type such as c7i.large, or leave it empty for the usual one."
  }
  validation {
    condition     = var.load_instance_type == "" || can(regex("^[a-z]+[0-9]+g", var.load_instance_type)) == (var.architecture == "arm64")
    error_message = "Use a type of the processor that `architecture` names: c7g, t4g and the like are arm64, others x86_64."
  }
}

variable "database_instance_class" {
  description = "Size of every MySQL node."
  type        = string
  default     = "db.t4g.micro"
  validation {
    condition     = can(regex("^db\\.[a-z0-9]+\\.[a-z0-9]+$", var.database_instance_class))
    error_message = "Use an RDS class such as db.t4g.micro."
  }
}

variable "store_connections_max" {
  description = "Connections of each process to each MySQL node on RDS, at most; fewer where so many pools do not fit a node (settings.tf)."
  type        = number
  default     = 16
  validation {
    condition     = var.store_connections_max >= 1 && var.store_connections_max <= 1000 && floor(var.store_connections_max) == var.store_connections_max
    error_message = "Use 1 to 1000 whole connections."
  }
}

variable "cache_node_type" {
  description = "Size of the cache."
  type        = string
  default     = "cache.t4g.micro"
  validation {
    condition     = can(regex("^cache\\.[a-z0-9]+\\.[a-z0-9]+$", var.cache_node_type))
    error_message = "Use an ElastiCache type such as cache.t4g.micro."
  }
}

variable "load_count" {
  description = "Load generators; 0 for none."
  type        = number
  default     = 0
  validation {
    condition     = var.load_count >= 0 && var.load_count <= 32 && floor(var.load_count) == var.load_count
    error_message = "Use 0 to 32: more than that is a conversation with AWS about network stress testing first."
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
  default     = 50
  validation {
    condition     = var.budget_usd >= 1
    error_message = "Use at least 1 dollar."
  }
}

variable "shutdown_grace_s" {
  description = "How long a web server finishes what it has: the app's graceful stop and the balancer's deregistration delay."
  type        = number
  default     = 10
  validation {
    condition     = var.shutdown_grace_s >= 1 && var.shutdown_grace_s <= 300 && floor(var.shutdown_grace_s) == var.shutdown_grace_s
    error_message = "Use 1 to 300 whole seconds."
  }
}

variable "job_visibility_s" {
  description = "How long a job that was taken is hidden: the queue's and the app's; a worker's heartbeat is a third of it."
  type        = number
  default     = 30
  validation {
    condition     = var.job_visibility_s >= 3 && var.job_visibility_s <= 43200
    error_message = "Use 3 to 43200 seconds."
  }
}

variable "job_concurrency" {
  description = "Jobs at once in one worker."
  type        = number
  default     = 1
  validation {
    condition     = var.job_concurrency >= 1 && var.job_concurrency <= 256
    error_message = "Use 1 to 256."
  }
}
