#!/usr/bin/env bash
# Runs govulncheck in each module named: it fails where code of ours calls what is known to be vulnerable.
#
# The database lives on the network. Where its host cannot be reached at all nothing can be said, and this says so
# instead of failing; any other trouble is a failure. VULNDB=URL (https:// or file://) names the database to use, and
# then it has to be there: a release sets VULNDB=https://vuln.go.dev.
set -uo pipefail

unreachable='^govulncheck: fetching vulnerabilities: Get "https://vuln\.go\.dev/[^"]*": .*'
unreachable+='(dial tcp|proxyconnect tcp|i/o timeout|TLS handshake timeout|connection reset)'
failed=0

for module in "$@"; do
	echo "== $module: govulncheck"
	output=$(cd "$module" && $GOVULNCHECK ${VULNDB:+-db="$VULNDB"} ./... 2>&1)
	status=$?
	if [[ $status != 0 && -z ${VULNDB:-} ]] && grep -qE "$unreachable" <<<"$output"; then
		echo "govulncheck: database unreachable, NOT CHECKED"
		continue
	fi
	echo "$output"
	[[ $status == 0 ]] || failed=1
done
exit $failed
