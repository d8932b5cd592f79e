#!/usr/bin/env bash
# Checks terraform/ without an account: format, validity of every module and of the root, the tests of every module, and the whole-stage
# test under every stage file. `make lint` runs it. It works on a copy in a temporary folder, so that nothing is left in the tree.
#
# The provider (hashicorp/aws, several hundred megabytes) comes from TF_PLUGIN_DIR when that is set, else from a plugin mirror found
# on the machine, else from the registry. When it cannot be had, only the format is checked, and the reason is printed.
# Words restrict it to some jobs: `terraform/check.sh "module web" "stage 4-imaging"`.
set -euo pipefail
# Less garbage collection: most of the time goes into reading the provider's schema again and again.
export GOGC=400 TF_IN_AUTOMATION=1 CHECKPOINT_DISABLE=1 TF_INPUT=0 TF_CLI_CONFIG_FILE=/dev/null TF_REGISTRY_CLIENT_TIMEOUT=10
# Nothing here may reach an account, whatever the environment holds.
unset AWS_PROFILE AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN
home=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PROVIDER=registry.terraform.io/hashicorp/aws

skipped() { echo "terraform: skipped $1: $2" >&2; exit 0; }
failed() { echo "terraform: $1" >&2; exit 1; }

# What the instances fetch with is plain Python; its signature is held against the example that AWS publishes.
if command -v python3 >/dev/null; then
  PYTHONDONTWRITEBYTECODE=1 python3 "$home/boot/aws.py" check || failed "boot/aws.py signs requests wrongly (python3 terraform/boot/aws.py check)"
fi
command -v terraform >/dev/null ||
  skipped "all of terraform/" "terraform is not installed (https://developer.hashicorp.com/terraform/install, 1.11 or newer)"

unformatted=$(terraform fmt -check -recursive "$home") || failed "not formatted (terraform fmt -recursive terraform):
$unformatted"

# --- the provider -----------------------------------------------------------------------------------------------------
mirror=""
if [ -n "${TF_PLUGIN_DIR:-}" ]; then
  compgen -G "$TF_PLUGIN_DIR/$PROVIDER/*5.*" >/dev/null ||
    failed "TF_PLUGIN_DIR=$TF_PLUGIN_DIR holds no $PROVIDER 5.x: terraform providers mirror makes such a folder, or unset the variable"
  mirror=$TF_PLUGIN_DIR
else
  for folder in ~/.terraform.d/plugins /usr/local/share/terraform/plugins /usr/share/terraform/plugins /opt/tf-plugins /opt/terraform/plugins; do
    if compgen -G "$folder/$PROVIDER/*5.1[0-9][0-9].*" >/dev/null; then
      mirror=$folder
      break
    fi
  done
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/lightmeter-terraform.XXXXXX")
trap 'rm -rf "$work"' EXIT
cp -r "$home" "$work/terraform"
find "$work/terraform" \( -name .terraform -o -name '*.tfstate*' -o -name .terraform.lock.hcl -o -name terraform.tfvars -o -name '*.auto.tfvars' \) -prune -exec rm -rf {} +
init=(terraform init -backend=false -no-color)
if [ -n "$mirror" ]; then
  init+=(-plugin-dir="$mirror")
else
  export TF_PLUGIN_CACHE_DIR=$work/cache TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE=1
  mkdir "$TF_PLUGIN_CACHE_DIR"
fi
if ! (cd "$work/terraform" && "${init[@]}") >"$work/init.log" 2>&1; then
  # Only a provider that cannot be had is a reason to skip; a mistake in the modules is one to fail.
  grep -qE 'Failed to (query available|install) provider|could not connect|Could not retrieve' "$work/init.log" && [ -z "$mirror" ] &&
    skipped "validity and tests" "no plugin mirror with $PROVIDER on this machine, and the registry does not answer ($(grep -m1 -oE 'could not connect[^:]*|Could not retrieve[^:]*|timeout|no such host' "$work/init.log" || echo see terraform init))"
  failed "terraform init failed:
$(cat "$work/init.log")"
fi

# --- modules and stages, two at a time --------------------------------------------------------------------------------
module() {
  cd "$work/terraform/modules/$1"
  "${init[@]}" >/dev/null && terraform validate -no-color >/dev/null && terraform test -no-color
}
stage() {
  local file=$1; shift
  cd "$work/terraform"
  terraform test -no-color -filter=tests/stage.tftest.hcl -var-file="stages/$file.tfvars" "$@"
}
choices() {
  cd "$work/terraform"
  terraform test -no-color -filter=tests/choices.tftest.hcl -var-file="stages/$1.tfvars"
}
# A job's output is shown when it fails; one that passes adds the number of its tests.
job() {
  local log
  log=$work/$(echo "$*" | tr -c 'A-Za-z0-9\n' -).log
  if ("$@") >"$log" 2>&1; then
    grep -oE '^Success! [0-9]+ passed' "$log" | grep -oE '[0-9]+' >>"$work/passed" || true
  else
    { echo "terraform: $* failed:"; grep -v 'in progress$\|tearing down$' "$log"; } >&2
    touch "$work/failed"
  fi
}
(cd "$work/terraform" && terraform validate -no-color) >"$work/root.log" 2>&1 || failed "the root is not valid:
$(cat "$work/root.log")"

jobs_of_all() {
  local path
  for path in "$home"/modules/*/; do echo "module $(basename "$path")"; done
  for path in "$home"/stages/*.tfvars; do echo "stage $(basename "$path" .tfvars)"; done
  # The other databases of stage 1.
  echo "stage 1-database -var=database=rds_replicas -var=database_nodes=4"
  echo "stage 1-database -var=database=rds_shards -var=database_nodes=4"
  echo "stage 4-imaging -var=database=dynamodb"
  echo "choices 4-imaging"
  printf 'boot %s\n' "serve local" "serve rds" "work rds" "load rds"
}
# The boot scripts, with everything in its place, are at least shell, and go on trying while something else holds apt's locks.
boot() {
  local role=$1 database=$2
  cat >"$work/$role-$database.tpl" <<QUESTION
templatefile("$work/terraform/boot/instance.sh.tftpl", { name = "n", role = "$role", region = "us-east-1", database = "$database", deb_architecture = "amd64", artifact_bucket = "a", artifact_key = "k", results_bucket = "r", stop_timeout_s = 15, target = "t:80", assets_url = "http://d1", boot_json = "{}", aws_py = "pass" })
QUESTION
  # A folder of its own: terraform locks the one it works in.
  mkdir "$work/$role-$database"
  (cd "$work/$role-$database" && terraform console <"$work/$role-$database.tpl") | sed '1d;$d' >"$work/$role-$database.sh"
  [ "$(wc -l <"$work/$role-$database.sh")" -gt 20 ] && bash -n "$work/$role-$database.sh" && tries_again "$work/$role-$database.sh"
}
# Runs the script's `packages` with an apt-get that is locked out twice, and with one that always is.
tries_again() {
  local run
  # shellcheck disable=SC2016
  run='attempts=0; sleep() { :; }; apt-get() { attempts=$((attempts + 1)); [ "$attempts" -gt "$locked" ]; }'
  run="$run; $(sed -n '/^packages() {/,/^}/p' "$1")"
  if [ "$(grep -c 'apt-get --option' "$1")" -ne 1 ] || ! bash -euc "locked=2; $run; packages update" || bash -euc "locked=1000; $run; packages update"; then
    echo "boot/instance.sh.tftpl: apt-get must be called by \`packages\` alone, which must try again, and must give up" >&2
    return 1
  fi
}
running=0
while read -r -a words; do
  job "${words[@]}" &
  running=$((running + 1))
  # Not `wait -n`: macOS has a bash that does not know it.
  if [ "$running" -ge 2 ]; then
    wait
    running=0
  fi
done < <(if [ $# -gt 0 ]; then printf '%s\n' "$@"; else jobs_of_all; fi)
wait
[ ! -e "$work/failed" ] || failed "see above"
if [ $# -gt 0 ]; then
  echo "terraform: passed: $*"
  exit 0
fi
echo "terraform: $(find "$home/modules" -mindepth 1 -maxdepth 1 -type d | wc -l) modules, $(find "$home/stages" -name '*.tfvars' | wc -l) stages, $(awk "{ sum += \$1 } END { print sum }" "$work/passed") tests passed (provider from ${mirror:-the registry})"
