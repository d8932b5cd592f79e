#!/usr/bin/env bash
# Installs what Lightmeter needs and this machine lacks, and says what before it does.
#
#   scenarios/setup.sh demo    MariaDB and Redis, for `make demo`
#   scenarios/setup.sh test    the same, and Chromium with its driver for the browser tests
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
if [ "$purpose" = test ]; then
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

apt_packages() {
  for item in "$@"; do
    case "$item" in
    mariadb) echo mariadb-server-core mariadb-client-core ;;
    redis) echo redis-server ;;
    compiler) echo gcc libc6-dev ;;
    chromium) echo chromium ;;
    chromedriver) echo chromium-driver ;;
    esac
  done
}

brew_packages() {
  for item in "$@"; do
    case "$item" in
    mariadb | redis) echo "$item" ;;
    chromium | chromedriver) echo "--cask $item" ;;
    compiler) echo "setup: run 'xcode-select --install' for the compiler" >&2 ;;
    esac
  done
}

if have apt-get; then
  read -r -a packages <<<"$(apt_packages "${missing[@]}" | tr '\n' ' ')"
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
  done < <(brew_packages "${missing[@]}")
else
  echo "setup: neither apt-get nor Homebrew is here: install ${missing[*]} by hand" >&2
  exit 1
fi
echo "setup: done"
