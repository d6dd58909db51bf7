package bench

import (
	"strings"
	"testing"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	const core, gin = modules + "core.(*Scope).Open", modules + "gin.(*request).serve"
	for _, c := range []struct {
		stack []string
		want  string
	}{
		{[]string{"time.runtimeNow", "time.Now", modules + "core/memstore.(*Store).Load", core}, onClock},
		{[]string{"runtime.mallocgc", "runtime.newobject", core, gin}, onMemory},
		{[]string{"runtime.memmove", modules + "core.(*snapshot).decode", core}, onRecord},
		{[]string{"hash/crc32.update", modules + "core.checksum", core}, onRecord},
		{[]string{modules + "core.(*tickets).add", core}, onTicket},
		{[]string{modules + "core.(*Session).finish", core}, onCore},
		{[]string{modules + "core/memstore.(*shard).load", core}, onStore},
		{[]string{"internal/syscall/unix.GetRandom", modules + "core.(*secret).draw"}, onRandom},
		{[]string{"net/http.(*Request).WithContext", gin}, onFramework},
		{[]string{"github.com/gin-gonic/gin.(*responseWriter).Write", gin}, elsewhere},
		{[]string{"github.com/gin-gonic/gin.(*Engine).ServeHTTP", modules + "internal/bench.(*trial).send"}, elsewhere},
		{[]string{"runtime.gcDrain", "runtime.gcBgMarkWorker"}, onMemory},
		{[]string{"runtime.mallocgc", modules + "internal/bench.(*trial).send"}, elsewhere},
	} {
		if got := classify(c.stack); got != c.want {
			t.Errorf("%v is %q, want %q", c.stack, got, c.want)
		}
	}
}

// TestAnatomyTable has a request whose parts are known: the column adds up, the bare framework's share left out.
func TestAnatomyTable(t *testing.T) {
	t.Parallel()
	of := func(library, store string, cpu float64) *result {
		return &result{contender: &contender{framework: "Gin", library: library, store: store}, use: "a", net: figure{cpu: cpu}}
	}
	r := &report{
		memory: results{of(bareFramework, "", 70), of("peer", memoryStore, 4000)},
		anatomies: []anatomy{
			{"Gin", "a", map[string]float64{onClock: 100, onMemory: 20, onCore: 220, onRecord: 80, elsewhere: 90}},
			{"Gin", "d", map[string]float64{onMemory: 150}},
		},
	}
	text := r.anatomyTable().String()
	for _, row := range []string{
		"| **own code** | 300 | 0 |", "| what our code calls | 120 | 150 |", "| the framework's, longer than alone | 20 | 0 |",
		"| **floor: these two** | 140 | 150 |", "| **in all** | 440 | 150 |", "| **wanted in all** | 200 | 200 |",
	} {
		if !strings.Contains(text, row) {
			t.Errorf("no row %q in\n%s", row, text)
		}
	}
	const short = missed + ": the floor is 140 of 200 ns; ticket, record and store take 80"
	if v := r.floored(missed, "Gin", "a"); v != short {
		t.Errorf("a target that is missed is %q, want %q", v, short)
	}
	if v := r.floored(met, "Gin", "a"); v != met {
		t.Errorf("a target that is met is %q", v)
	}
}

// TestUntouchedVerdict has a middleware without sessions in the same case.
func TestUntouchedVerdict(t *testing.T) {
	t.Parallel()
	of := func(framework, library, use string, nanos float64) *result {
		return &result{contender: &contender{framework: framework, library: library}, use: use, net: figure{nanos: nanos}}
	}
	r := &report{memory: results{of("Gin", cookieKept, "d", 150), of("Gin", cookieKept, "e", 160), of("Echo", cookieKept, "e", 170), of("Gin", "peer", "e", 180)}}
	const want = missed + "; part of that is [a context with the cookie](#memory-stores-on-gin): 160 ns by the clock"
	if v := r.untouchedVerdict(missed, of("Gin", cloakroomLazy, "e", 210)); v != want {
		t.Errorf("a target that is missed is %q, want %q", v, want)
	}
	if v := r.untouchedVerdict(met, of("Gin", cloakroomLazy, "e", 190)); v != met {
		t.Errorf("a target that is met is %q", v)
	}
}
