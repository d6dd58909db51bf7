package bench

import "testing"

func TestClassify(t *testing.T) {
	t.Parallel()
	const core, gin = modules + "core.(*Scope).Open", modules + "gin.(*request).serve"
	for _, c := range []struct {
		stack []string
		want  string
	}{
		{[]string{"time.runtimeNow", "time.Now", modules + "core/memstore.(*Store).Load", core}, onClock},
		{[]string{"runtime.mallocgc", "runtime.newobject", core, gin}, onMemory},
		{[]string{"runtime.memmove", modules + "core.(*snapshot).decode", core}, onCore},
		{[]string{modules + "core/memstore.(*shard).load", core}, onStore},
		{[]string{"internal/syscall/unix.GetRandom", modules + "core.(*secret).draw"}, onRandom},
		{[]string{"net/http.(*Request).WithContext", gin}, onFramework},
		{[]string{"github.com/gin-gonic/gin.(*responseWriter).Write", gin}, elsewhere},
		{[]string{"github.com/gin-gonic/gin.(*Engine).ServeHTTP", modules + "bench.(*trial).send"}, elsewhere},
		{[]string{"runtime.gcDrain", "runtime.gcBgMarkWorker"}, onMemory},
		{[]string{"runtime.mallocgc", modules + "bench.(*trial).send"}, elsewhere},
	} {
		if got := classify(c.stack); got != c.want {
			t.Errorf("%v is %q, want %q", c.stack, got, c.want)
		}
	}
}
