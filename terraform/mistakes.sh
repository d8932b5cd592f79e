#!/usr/bin/env bash
# Plants mistakes in a copy, one at a time, and sees each of them caught: a check that never fails proves nothing. Not part of
# `make lint` (it takes some minutes, and GNU sed); run it when a check or a test of terraform/ changed.
#   terraform/mistakes.sh [WORD]      only those whose name contains the word
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
only=${1:-}
work=$(mktemp -d "${TMPDIR:-/tmp}/lightmeter-mistakes.XXXXXX")
trap 'rm -rf "$work"' EXIT
caught=0 missed=0

fresh_copy() {
  rm -rf "$work/copy"
  mkdir -p "$work/copy/app/src" "$work/copy/scenarios/src"
  cp -r "$root/terraform" "$root/compose.yaml" "$root/Dockerfile" "$root/.dockerignore" "$root/Cargo.toml" "$work/copy/"
  cp -r "$root/scenarios/src/." "$work/copy/scenarios/src"
  cp -r "$root/app/src/." "$work/copy/app/src"
}

# plant NAME FILE SED CHECK...: changes the file by the sed program, then expects the check to fail, and shows how.
plant() {
  local name=$1 file=$2 program=$3
  shift 3
  case $name in *"$only"*) ;; *) return ;; esac
  fresh_copy
  sed -i "$program" "$work/copy/$file"
  if cmp -s "$root/$file" "$work/copy/$file"; then
    echo "NOT PLANTED  $name: the sed program changes nothing in $file" >&2
    missed=$((missed + 1))
    return
  fi
  # A mistake in the layout is not what is looked for.
  terraform fmt "$work/copy/terraform/$(dirname "${file#terraform/}")" >/dev/null 2>&1 || true
  if "$@" >"$work/said" 2>&1; then
    echo "MISSED       $name" >&2
    missed=$((missed + 1))
  else
    caught=$((caught + 1))
    # The line that a person would read first, without terraform's frame.
    local telling='must |may let|names an id|outside|is not one|An argument named|is required|expected .* to be one of|Inappropriate value|a number is required|not been declared|Unsupported|no setting of the app|use none|does not answer|Use |differ|of a job|left == right|left:'
    printf 'caught       %-34s %s\n' "$name" "$(sed 's/^[│ ]*//' "$work/said" | { grep -m1 -E "$telling" || head -1; } | cut -c1-130)"
  fi
}
check() { "$work/copy/terraform/check.sh" "$@"; }
settings() { (cd "$root" && LIGHTMETER_ROOT=$work/copy cargo test --quiet --package lightmeter --test settings "$@"); }

# Without a mistake the copy must pass, or nothing below means anything.
fresh_copy
check "module queue" >"$work/said" 2>&1 && settings >>"$work/said" 2>&1 || {
  cat "$work/said" >&2
  echo "the copy fails without a mistake in it" >&2
  exit 1
}

m=terraform/modules
plant "unknown attribute"              $m/cache/main.tf         's/^  port  .*= 6379/  prot = 6379/'                           check "module cache"
plant "missing required attribute"     $m/queue/main.tf         '/^  queue_url = aws_sqs_queue/d'                              check "module queue"
plant "wrong type"                     $m/web/main.tf           's/idle_timeout = 60/idle_timeout = "a minute"/'               check "module web"
plant "undeclared reference"           $m/mysql/main.tf         's/aws_db_subnet_group.this.name/aws_db_subnet_group.that.name/' check "module mysql"
plant "bad enum, of the provider"      $m/dynamodb/main.tf      's/"PAY_PER_REQUEST"/"ON_DEMAND"/'                             check "module dynamodb"
plant "bad enum, of a stage"           terraform/stages/1-database.tfvars 's/^database .*= "rds"/database = "mysql"/'          check "stage 1-database"
plant "undeclared DynamoDB key"        $m/dynamodb/main.tf      '0,/name = "sk"/s//name = "sort"/'                             check "module dynamodb"
plant "subnet outside the VPC"         $m/network/main.tf       's/cidrsubnet(var.cidr_block, 4, each.value + 8)/cidrsubnet("10.99.0.0\/16", 4, each.value + 8)/' check "module network"
plant "wrong metric name"              $m/observability/main.tf 's/"CPUCreditBalance"/"CpuCreditBalance"/'                     check "module observability"
plant "wrong metric of the backlog"    $m/worker/main.tf        's/"ApproximateNumberOfMessagesVisible"/"NumberOfMessagesVisible"/' check "module worker"
plant "undeclared metric id"           $m/worker/main.tf        's/(waiting + in_work)/(waiting + in_progress)/'               check "module worker"
plant "health path, by terraform"      $m/web/variables.tf      's#= "/readyz"#= "/health"#'                                   check "module web"
plant "health path, by the app"        $m/web/variables.tf      's#= "/readyz"#= "/health"#'                                   settings the_balancer_asks
plant "setting unknown to the app"     terraform/settings/cache-redis.env 's/PHOTO_APP_REDIS_URL/PHOTO_APP_CACHE_URL/'         settings
plant "word unknown to the app"        terraform/settings/cache-redis.env 's/PHOTO_APP_CACHE=redis/PHOTO_APP_CACHE=valkey/'    settings
plant "setting unknown, in compose"    compose.yaml             's/PHOTO_APP_REDIS_URL/PHOTO_APP_VALKEY_URL/'                  settings
plant "visibility below the heartbeat" terraform/main.tf        's#= var.job_visibility_s / 3#= var.job_visibility_s * 2#'     check "stage 4-imaging"
plant "heartbeat not the app's"        terraform/main.tf        's#= var.job_visibility_s / 3#= var.job_visibility_s / 2#'     settings a_job_is_hidden
plant "an action too many"             $m/web/main.tf           's/"sqs:SendMessage"\]/"sqs:ReceiveMessage", "sqs:SendMessage"]/' check "module web"
plant "engine family"                  $m/mysql/main.tf         's/family = "mysql8.4"/family = "mysql8.0"/'                   check "module mysql"
plant "connections left to RDS"       $m/mysql/main.tf         '/name  *= "max_connections"/s/max_connections/max_user_connections/' check "module mysql"
plant "more pools than connections"    terraform/settings.tf    's/min(var.store_connections_max, floor(.*store_processes))/var.store_connections_max/' check "choices 4-imaging"
plant "pools without a bound"          terraform/settings/database-rds.env '/CONNECTIONS_MAX/d'                                check "stage 4-imaging"
plant "log group left to RDS"          $m/mysql/main.tf         's/setproduct(keys(local.primaries), local.logs)/setproduct(keys(local.primaries), ["error"])/' check "module mysql"
plant "transactions without numbers"   $m/mysql/main.tf         '/name  *= "gtid-mode"/,/value/s/"ON"/"OFF"/'                   check "module mysql"
plant "cache without TLS"              $m/cache/main.tf         's/transit_encryption_enabled = true/transit_encryption_enabled = false/' check "module cache"
plant "plain address of a TLS cache"   $m/cache/outputs.tf      's#"rediss://#"redis://#'                                      check "module cache"
plant "another word for what expires"  $m/dynamodb/main.tf      's/attribute_name = "expires_at"/attribute_name = "ttl"/'       settings the_table_has
plant "variable without a validation"  terraform/variables.tf   '/^variable "load_count"/,/^}/{/validation {/,/^  }/d}'         settings every_variable
plant "message without a fix"          $m/web/variables.tf      's/"Use a port from 1 to 65535."/"Wrong port."/'                settings every_variable
plant "arm64 type on x86_64"           terraform/stages/1-database.tfvars '$a web_instance_type = "c7g.large"'                 check "stage 1-database"
plant "alarm that never rings"         $m/observability/alarms.tf 's/minutes = 30, period = 300/minutes = 30/'                  check "module observability"
plant "one server watched too rarely" $m/web/main.tf           '/^  monitoring = true/d'                                      check "module web"
plant "apt asked only once"            terraform/boot/instance.sh.tftpl 's/^packages update/apt-get --option DPkg::Lock::Timeout=300 update/' check "boot serve local"
plant "group that ends slow servers"   $m/web/main.tf           's/= "EC2"/= "ELB"/'                                           check "module web"
plant "drained for too short"          terraform/main.tf        's/deregistration_delay_s = var.shutdown_grace_s/deregistration_delay_s = 1/' settings a_job_is_hidden
plant "originals public"               $m/assets/main.tf        's#arn}/renditions/\*"\]#arn}/*"]#'                            check "module assets"
plant "uploads from anybody's pages"   $m/assets/main.tf        's/allowed_origins = .*/allowed_origins = ["*"]/'                      check "module assets"
plant "uploads in a worker's hands"    $m/worker/main.tf        's#/renditions/\*"\]#/renditions/*", "${var.assets_bucket_arn}/uploads/*"]#' check "module worker"
echo "$caught caught, $missed missed"
[ "$missed" -eq 0 ]
