#!/usr/bin/env bash
# Core is what every user pulls in: beside the standard library it may need google/uuid, in its tests too, and nothing else.
set -euo pipefail
cd "$(dirname "$0")/../../core"

needs=$(go list -deps -test -f '{{if not .Standard}}{{with .Module}}{{.Path}}{{end}}{{end}}' ./... | sort -u)
extra=$(grep -vx -e github.com/cloakroom-go/sessions/core -e github.com/google/uuid <<<"$needs" || true)
if [[ -n $extra ]]; then
	echo "core must not depend on:" "$extra" >&2
	exit 1
fi
echo "core depends on the standard library and google/uuid alone"
