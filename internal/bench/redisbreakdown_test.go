package bench

import (
	"strings"
	"testing"
)

func TestRedisPurpose(t *testing.T) {
	t.Parallel()
	const (
		client = "github.com/redis/go-redis/v9.(*Client).Process"
		load   = modulePath + "core/redisstore.(*Store).Load"
		gin    = "github.com/gin-gonic/gin.(*Engine).ServeHTTP"
	)
	for _, c := range []struct {
		stack []string
		want  string
	}{
		{[]string{"syscall.Syscall6", "syscall.write", "net.(*conn).Write", client, load, gin}, cpuSocketWrite},
		{[]string{"syscall.read", "net.(*conn).Read", client, load, gin}, cpuSocketRead},
		{[]string{"runtime.mallocgc", client, load, gin}, cpuClient},
		{[]string{"runtime.mallocgc", load, gin}, cpuSessions},
		{[]string{gin}, cpuSessions},
		{[]string{"runtime.findRunnable", "runtime.schedule", "runtime.mcall"}, cpuOther},
		{[]string{"runtime.mallocgc", modulePath + "internal/bench.(*replay).send"}, cpuOther},
		{[]string{"syscall.write", client, modulePath + "internal/bench.(*replay).restore", modulePath + "internal/bench.(*replay).restoreAndSend"}, cpuRestore},
		{[]string{"syscall.write", client, modulePath + "internal/bench.(*replay).restoreAndSend"}, cpuSocketWrite},
	} {
		if got := redisPurpose(c.stack); got != c.want {
			t.Errorf("%v is %q, want %q", c.stack, got, c.want)
		}
	}
}

// TestRedisBreakdownTable has a request whose parts are known. The column adds up without the time
// that restoring the database took.
func TestRedisBreakdownTable(t *testing.T) {
	t.Parallel()
	r := &report{redisBreakdowns: []cpuBreakdown{
		{"bare client", "a", map[string]float64{cpuSocketWrite: 20e3, cpuClient: 9250, cpuOther: 1e3, cpuRestore: 70e3}},
		{"Gin", "a", map[string]float64{cpuSocketWrite: 20e3, cpuSessions: 3e3}},
	}}
	text := r.redisBreakdownTable().String()
	for _, row := range []string{
		"| bare client, a | Gin, a |", "| " + cpuSessions + " | 0.0 | 3.0 |", "| **in all** | 30.2 | 23.0 |",
	} {
		if !strings.Contains(text, row) {
			t.Errorf("no %q in\n%s", row, text)
		}
	}
}
