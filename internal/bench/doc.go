// Package bench measures this library and its peers side by side, in one run: part of no release.
//
//	make bench                # writes docs/benchmarks.md and its plots; BENCH=quick takes two minutes
//	cd bench && go test .     # proves the harness, measures nothing
//
// A [contender] is a library with a store on a framework, or the bare framework, or one that keeps the cookie and does
// nothing else. It builds a [site], whose handlers carry out an [action]: read one key, change one, and so on. An [exchange]
// is a request that is sent again and again, and a writer for its response; neither allocates. A [trial] is a contender in a
// case. It first proves that sessions really are loaded, changed and stored, and then is measured in many slots, in turn
// with all other trials, in an order drawn anew for each round. What the bare framework takes in the same round is
// subtracted; a [figure] is the median of that.
//
// To profile one contender in one case:
//
//	go test -run '^$' -bench 'Request/Gin/Cloakroom$/memory/a$' -cpuprofile cpu.out .
//	go test -run '^$' -bench 'Request/Gin/Cloakroom$/memory/a$' -benchtime 5000x -memprofile mem.out -memprofilerate 1 .
//	go tool pprof -top -lines -sample_index=alloc_objects mem.out
package bench
