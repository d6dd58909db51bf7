package storetest

import (
	"sync"
	"testing"
)

// contenders is the number of goroutines in a race.
const contenders = 16

// concurrently calls f in n goroutines that start at the same time, and waits for them.
func concurrently(n int, f func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	wg.Wait()
}

// rounds returns how often a race is repeated. Each round is another chance to expose a store
// that lacks the defence.
func rounds() int {
	if testing.Short() {
		return 5
	}
	return 25
}
