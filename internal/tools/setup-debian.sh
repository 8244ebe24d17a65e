#!/bin/sh
# Installs on Debian what the tests need besides Go: PostgreSQL, Node, Chromium, Python's
# icalendar, nginx, Caddy, systemd, promtool, man, zsh and fish. Run it as root. It asks apt
# only for what is missing, so running it again costs nothing.
set -eu

missing=""
need() { # PACKAGE, and a command that succeeds if it is there
	package=$1
	shift
	"$@" >/dev/null 2>&1 || missing="$missing $package"
}

need git command -v git
need make command -v make
need postgresql sh -c 'ls /usr/lib/postgresql/*/bin/initdb'
need nodejs command -v node
need npm command -v npm
need chromium command -v chromium
need python3-icalendar /usr/bin/python3 -c 'import icalendar'
need nginx-light sh -c 'command -v nginx || ls /usr/sbin/nginx'
need caddy command -v caddy
need systemd command -v systemd-analyze
need prometheus command -v promtool
need man-db command -v man
need zsh command -v zsh
need fish command -v fish

if [ -n "$missing" ]; then
	echo "installing$missing"
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -q
	# shellcheck disable=SC2086 # a list of packages
	apt-get install -qy --no-install-recommends $missing >/dev/null
fi

node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || {
	echo "Node $(node --version) is too old for the browser tests: use Debian 13 or newer, or install Node 20 or newer from https://nodejs.org/" >&2
	exit 1
}
command -v go >/dev/null || { echo "install Go 1.26 or newer from https://go.dev/dl/" >&2; exit 1; }
echo "ready: make test, or .ci/run for everything"
