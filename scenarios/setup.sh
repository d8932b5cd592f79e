#!/usr/bin/env bash
# Installs what Lightmeter needs and this machine lacks, and says what before it does.
#
#   scenarios/setup.sh demo    MariaDB and Redis, for `make demo`
#   scenarios/setup.sh test    the same, Chromium with its driver for the browser tests, and axe-core, which judges the pages'
#                              accessibility there
#   scenarios/setup.sh check   only says what is missing; exit code 1 when something is
#
# Debian and Ubuntu: apt-get, as root or through sudo. macOS: Homebrew. The system's own services are neither started nor
# touched: Lightmeter starts private instances with data folders of their own.
set -euo pipefail

purpose=${1:-demo}
case "$purpose" in
demo | test | check) ;;
*)
  echo "setup: '$purpose' is not a purpose: use demo, test or check" >&2
  exit 2
  ;;
esac

# Debian keeps servers in /usr/sbin, which is not on every user's PATH.
PATH="$PATH:/usr/sbin:/usr/local/sbin"
have() { command -v "$1" >/dev/null 2>&1; }

missing=()
have mariadbd || missing+=(mariadb)
have redis-server || have valkey-server || missing+=(redis)
have cc || missing+=(compiler)
# axe-core (MPL-2.0) is run by the browser tests and is no part of the product: it lies in target/, not in the repository.
axe_version=4.14.1
axe_sha512=1477dafa598d8d065f273d6af302aa203c02e83131707b7fa648cd41bd3d6b734f8c22a0dab86ee6a6f64b8afbe804b214d36db85a2826965edfb3a0b9d546b5
axe_file="$(cd "$(dirname "$0")/.." && pwd)/target/tools/axe-core-$axe_version.js"
if [ "$purpose" = test ]; then
  [ -s "$axe_file" ] || missing+=(axe-core)
  have chromium || have chromium-browser || have google-chrome || missing+=(chromium)
  have chromedriver || missing+=(chromedriver)
fi

have cargo || {
  echo "setup: cargo is missing: install Rust from https://rustup.rs (1.95 or newer), then run this again" >&2
  exit 1
}

if [ ${#missing[@]} -eq 0 ]; then
  echo "setup: everything needed is installed"
  exit 0
fi
echo "setup: missing: ${missing[*]}"
[ "$purpose" = check ] && exit 1

# Through npm where it is installed, since that knows the machine's registry; else from npm's own.
fetch_axe() {
  local folder sum
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' RETURN
  echo "setup: fetching axe-core $axe_version"
  if have npm; then
    (cd "$folder" && npm pack --silent "axe-core@$axe_version" >/dev/null)
  else
    (cd "$folder" && curl --fail --silent --show-error --location --remote-name \
      "https://registry.npmjs.org/axe-core/-/axe-core-$axe_version.tgz")
  fi
  # macOS has shasum, Linux sha512sum.
  if have sha512sum; then
    sum=$(sha512sum "$folder/axe-core-$axe_version.tgz")
  else
    sum=$(shasum -a 512 "$folder/axe-core-$axe_version.tgz")
  fi
  sum=${sum%% *}
  if [ "$sum" != "$axe_sha512" ]; then
    echo "setup: axe-core $axe_version is not the file that was expected (SHA-512 $sum): nothing was installed" >&2
    exit 1
  fi
  mkdir -p "$(dirname "$axe_file")"
  tar --extract --gzip --file "$folder/axe-core-$axe_version.tgz" --directory "$folder" package/axe.min.js
  mv "$folder/package/axe.min.js" "$axe_file"
}

apt_packages() {
  for item in "$@"; do
    case "$item" in
    mariadb) echo mariadb-server-core mariadb-client-core ;;
    redis) echo redis-server ;;
    compiler) echo gcc libc6-dev ;;
    chromium) echo chromium ;;
    chromedriver) echo chromium-driver ;;
    curl) echo curl ca-certificates ;;
    esac
  done
}

brew_packages() {
  for item in "$@"; do
    case "$item" in
    mariadb | redis | curl) echo "$item" ;;
    chromium | chromedriver) echo "--cask $item" ;;
    compiler) echo "setup: run 'xcode-select --install' for the compiler" >&2 ;;
    esac
  done
}

packages_missing=()
for item in "${missing[@]}"; do
  case "$item" in
  axe-core) have npm || have curl || packages_missing+=(curl) ;;
  *) packages_missing+=("$item") ;;
  esac
done
if [ ${#packages_missing[@]} -eq 0 ]; then
  :
elif have apt-get; then
  read -r -a packages <<<"$(apt_packages "${packages_missing[@]}" | tr '\n' ' ')"
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    have sudo || {
      echo "setup: not root and no sudo: ask an administrator to run: apt-get install ${packages[*]}" >&2
      exit 1
    }
    as_root=(sudo)
  fi
  echo "setup: installing with apt-get: ${packages[*]}"
  # Debian's packages start their services on installation; a private instance needs none, so starting is refused meanwhile.
  policy=/usr/sbin/policy-rc.d
  made_policy=no
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
    made_policy=yes
    trap '"${as_root[@]}" rm -f "$policy"' EXIT
  fi
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
  if [ "$made_policy" = yes ]; then
    "${as_root[@]}" rm -f "$policy"
    trap - EXIT
  fi
elif have brew; then
  while read -r line; do
    [ -n "$line" ] || continue
    echo "setup: installing with Homebrew: $line"
    read -r -a words <<<"$line"
    brew install "${words[@]}"
  done < <(brew_packages "${packages_missing[@]}")
else
  echo "setup: neither apt-get nor Homebrew is here: install ${packages_missing[*]} by hand" >&2
  exit 1
fi
case " ${missing[*]} " in *" axe-core "*) fetch_axe ;; esac
echo "setup: done"
