package bench

import (
	"context"
	"fmt"
	"strings"
)

// The purposes of CPU time in a request with Redis.
const (
	cpuSocketWrite = "writing commands to the socket"
	cpuSocketRead  = "reading replies from it"
	cpuClient      = "the client besides that"
	cpuSessions    = "sessions, their store, the framework"
	cpuOther       = "the scheduler, the collector, the harness"
	cpuRestore     = "" // the replay restores its database, which is not part of a request
)

// redisPurposes returns the purposes in the order of the table.
func redisPurposes() []string {
	return []string{cpuSocketWrite, cpuSocketRead, cpuClient, cpuSessions, cpuOther}
}

// redisPurpose returns the purpose of a sample with the given function names, the innermost
// first.
func redisPurpose(stack []string) string {
	found := cpuOther
	for _, name := range stack {
		switch {
		case strings.HasSuffix(name, "(*replay).restore"):
			return cpuRestore
		case found != cpuOther:
		case name == "syscall.write":
			found = cpuSocketWrite
		case name == "syscall.read":
			found = cpuSocketRead
		case strings.Contains(name, "redis/go-redis"):
			found = cpuClient
		case isCloakroomFunction(name), strings.Contains(name, "gin-gonic/"):
			found = cpuSessions
		}
	}
	return found
}

// addRedisBreakdown profiles send, which returns how many requests it has sent. It takes twice
// the usual time, since half of it is spent waiting.
func (r *report) addRedisBreakdown(sender, use string, send func() (int, error)) error {
	sent := 0
	p, err := profileCPU(2*r.size.profileTime, func() error {
		n, err := send()
		sent += n
		return err
	})
	if err != nil {
		return fmt.Errorf("profile of %s, case %s: %w", sender, use, err)
	}
	b := newCPUBreakdown(sender, use, p, sent, redisPurpose)
	r.redisBreakdowns = append(r.redisBreakdowns, b)
	return nil
}

// runRedisBreakdowns profiles the bare client and Cloakroom on Gin in the use cases whose time
// should be close to the client's.
func (r *report) runRedisBreakdowns(
	ctx context.Context, env environment, replays []*replay,
) error {
	for i, u := range useCases()[:2] {
		bare := replays[i]
		err := r.addRedisBreakdown("bare client", u.name, func() (int, error) {
			return len(bare.requests), bare.restoreAndSend(ctx)
		})
		if err != nil {
			return err
		}
		b, err := newBenchmark(ctx, subjectsWhere(isGinOnRedis)[0], u, env)
		if err != nil {
			return err
		}
		const requests = 500
		err = r.addRedisBreakdown("Gin", u.name, func() (int, error) {
			return requests, b.send(requests)
		})
		b.close()
		if err != nil {
			return err
		}
	}
	return nil
}

// redisBreakdownTable has a column for each breakdown.
func (r *report) redisBreakdownTable() *table {
	const nanosPerMicro = 1000
	t := &table{header: []string{"processor time of a request, in µs, on"}}
	sums := make([]string, 0, len(r.redisBreakdowns))
	for _, b := range r.redisBreakdowns {
		t.header = append(t.header, b.sender+", "+b.use)
		sum := 0.0
		for _, purpose := range redisPurposes() {
			sum += b.nanos[purpose]
		}
		sums = append(sums, formatTenths(sum/nanosPerMicro))
	}
	for _, purpose := range redisPurposes() {
		row := []string{purpose}
		for _, b := range r.redisBreakdowns {
			row = append(row, formatTenths(b.nanos[purpose]/nanosPerMicro))
		}
		t.add(row...)
	}
	t.add(append([]string{"**in all**"}, sums...)...)
	return t
}
