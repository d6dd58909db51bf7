package bench

import (
	"strings"
	"testing"
)

func TestOutlayOf(t *testing.T) {
	t.Parallel()
	const (
		client = "github.com/redis/go-redis/v9.(*Client).Process"
		load   = modules + "core/redisstore.(*Store).Load"
		gin    = "github.com/gin-gonic/gin.(*Engine).ServeHTTP"
	)
	for _, c := range []struct {
		stack []string
		want  string
	}{
		{[]string{"syscall.Syscall6", "syscall.write", "net.(*conn).Write", client, load, gin}, inWrite},
		{[]string{"syscall.read", "net.(*conn).Read", client, load, gin}, inRead},
		{[]string{"runtime.mallocgc", client, load, gin}, inClient},
		{[]string{"runtime.mallocgc", load, gin}, inSession},
		{[]string{gin}, inSession},
		{[]string{"runtime.findRunnable", "runtime.schedule", "runtime.mcall"}, inRest},
		{[]string{"runtime.mallocgc", modules + "internal/bench.(*tape).play"}, inRest},
		{[]string{"syscall.write", client, modules + "internal/bench.(*tape).rewind"}, inRewind},
	} {
		if got := outlayOf(c.stack); got != c.want {
			t.Errorf("%v is %q, want %q", c.stack, got, c.want)
		}
	}
}

// TestOutlayTable has one whose parts are known: the column adds up, without what rewinding took.
func TestOutlayTable(t *testing.T) {
	t.Parallel()
	r := &report{outlays: []outlay{
		{"bare client", "a", map[string]float64{inWrite: 20, inClient: 9.25, inRest: 1, inRewind: 70}},
		{"Gin", "a", map[string]float64{inWrite: 20, inSession: 3}},
	}}
	text := r.outlayTable().String()
	for _, row := range []string{
		"| bare client, a | Gin, a |", "| " + inSession + " | 0.0 | 3.0 |", "| **in all** | 30.2 | 23.0 |",
	} {
		if !strings.Contains(text, row) {
			t.Errorf("no %q in\n%s", row, text)
		}
	}
}
