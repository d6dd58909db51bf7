#!/usr/bin/env bash
# Installs what the tests call and a fresh Debian lacks. Does nothing where all is there.
set -euo pipefail

# command:package
needed=(gcc:gcc gcc:libc6-dev chromium:chromium)

missing() {
	for pair in "${needed[@]}"; do
		command -v "${pair%%:*}" >/dev/null || echo "${pair##*:}"
	done
}

by_hand() {
	echo "make test: $1; please install:" $(missing) >&2
	echo "make test: going on without; tests that need them are skipped, or fail where CI=true" >&2
	exit 0
}

[[ -n $(missing) ]] || exit 0
command -v apt-get >/dev/null || by_hand "there is no apt-get here"

as_root=()
if [[ $(id -u) != 0 ]]; then
	sudo -n true 2>/dev/null || by_hand "installing packages needs root"
	as_root=(sudo -n)
fi

# One installation at a time, whichever checkout or user asks: wait, then look again.
exec 9</var/lib/dpkg
flock 9
mapfile -t packages < <(missing)
[[ ${#packages[@]} -gt 0 ]] || exit 0

echo "make test: installing ${packages[*]}"
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
"${apt[@]}" update || by_hand "apt-get update failed"
"${apt[@]}" install -y --no-install-recommends "${packages[@]}" >/dev/null || by_hand "apt-get install failed"
