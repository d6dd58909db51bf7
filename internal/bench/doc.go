// Package bench measures Cloakroom and other session libraries side by side, in one run. It is
// not part of any release.
//
//	make bench                      # writes docs/benchmarks.md and its plots, in 25 minutes
//	BENCH=quick make bench          # takes three minutes
//	cd internal/bench && go test .  # tests the harness and measures nothing
//
// A [subject] is what is measured: a session library with a store on a framework, the bare
// framework, or a [baselineLibrary] that only puts the cookie into the request's context. A
// subject builds an [app], whose handlers perform an [action], such as reading or changing one
// key. A [requester] sends the same request again and again without allocating.
//
// A [benchmark] is a subject in a use case. It first verifies that sessions are really loaded,
// changed and stored. Then it is measured in many slots, in turn with all other benchmarks, in
// an order that is drawn anew for each round. The result of the bare framework in the same
// round is subtracted from each [sample], and the report shows the median of the differences.
//
// To profile one subject in one use case:
//
//	go test -run '^$' -bench 'Request/Gin/Cloakroom$/memory/a$' -cpuprofile cpu.out .
//	go test -run '^$' -bench 'Request/Gin/Cloakroom$/memory/a$' -benchtime 5000x \
//		-memprofile mem.out -memprofilerate 1 .
//	go tool pprof -top -lines -sample_index=alloc_objects mem.out
package bench
