#!/usr/bin/env bash
# Measures every store with the benchmarks of storetest and puts the figures side by side: BENCHTIME says how long, as for
# go test -benchtime, and what else go test prints goes to standard error.
set -euo pipefail
cd "$(dirname "$0")/../../core"

# folder:name of the store whose benchmark is BenchmarkStore; others are called what their benchmarks are
stores=(memstore:Memory redisstore/tests: memcachedstore/tests:Memcached mongostore/tests:MongoDB sqlstore/tests:)

for store in "${stores[@]}"; do
	(cd "${store%%:*}" && go test -run '^$' -bench . -benchtime "${BENCHTIME:-1s}" .) | tee /dev/stderr |
		sed -n "s,^BenchmarkStore/,Benchmark${store##*:}/,; /^Benchmark.*allocs/p"
done | awk '
	{ split($1, name, "[/-]"); store = substr(name[1], 10); op = name[2] }
	!(store in known) { known[store]; stores[++n] = store }
	!(op in seen) { seen[op]; ops[++m] = op }
	{ cell[store, op] = sprintf("%.0f (%d)", $3, $(NF - 1)) }
	END {
		printf "\nns/op (allocs/op)\n%-10s", ""
		for (j = 1; j <= m; j++) printf "%16s", ops[j]
		for (i = 1; i <= n; i++) {
			printf "\n%-10s", stores[i]
			for (j = 1; j <= m; j++) printf "%16s", cell[stores[i], ops[j]]
		}
		print ""
	}'
