package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// benchSize is the length of Data in the benchmarks, that of an ordinary session.
const benchSize = 512

// Bench measures the store that config describes, each operation in a sub-benchmark.
func Bench(b *testing.B, config Config) {
	b.Helper()
	for _, bench := range []struct {
		name string
		run  func(b *testing.B, e *env)
	}{
		{"load", benchLoad},
		{"save", benchSave},
		{"create", benchCreate},
		{"touch", benchTouch},
		{"delete", benchDelete},
		{"parallel", benchParallel},
	} {
		b.Run(bench.name, func(b *testing.B) {
			e := newEnv(b, &testCase{}, &config)
			b.ReportAllocs()
			bench.run(b, e)
		})
	}
}

// benchRecord returns a record to create. It expires soon, for what a benchmark creates is too much to delete.
func (e *env) benchRecord(n int) store.Record {
	return store.Record{Key: fmt.Sprint(e.unique, n), Data: make([]byte, benchSize), Expires: time.Now().Add(10 * time.Minute)}
}

func (e *env) must(err error) {
	if err != nil {
		e.Helper()
		e.Fatal(err)
	}
}

func benchLoad(b *testing.B, e *env) {
	b.Helper()
	rec := e.save(e.benchRecord(0))
	for b.Loop() {
		_, err := e.store.Load(e.ctx, rec.Key)
		e.must(err)
	}
}

func benchSave(b *testing.B, e *env) {
	b.Helper()
	rec := e.save(e.benchRecord(0))
	for b.Loop() {
		saved, err := e.store.Save(e.ctx, rec)
		e.must(err)
		rec.Version = saved.Version
	}
}

func benchCreate(b *testing.B, e *env) {
	b.Helper()
	for n := 0; b.Loop(); n++ {
		_, err := e.store.Save(e.ctx, e.benchRecord(n))
		e.must(err)
	}
}

func benchTouch(b *testing.B, e *env) {
	b.Helper()
	s := e.toucher()
	rec := e.save(e.benchRecord(0))
	for b.Loop() {
		rec.Expires = rec.Expires.Add(time.Millisecond)
		e.must(s.Touch(e.ctx, extended(rec, rec.Expires)))
	}
}

// benchDelete deletes records and creates them, since only what is there can be deleted.
func benchDelete(b *testing.B, e *env) {
	b.Helper()
	rec := e.benchRecord(0)
	for b.Loop() {
		_, err := e.store.Save(e.ctx, rec)
		e.must(err)
		e.must(e.store.Delete(e.ctx, rec.Key))
	}
}

// benchParallel is a site's usual mix: nine loads to one save, of many sessions.
func benchParallel(b *testing.B, e *env) {
	b.Helper()
	const sessions = 1024
	for n := range sessions {
		e.save(e.benchRecord(n))
	}
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for n := 0; pb.Next(); n++ {
			if err := e.request(context.WithoutCancel(e.ctx), fmt.Sprint(e.unique, n*31%sessions), n%10 == 0); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func (e *env) request(ctx context.Context, key string, change bool) error {
	rec, err := e.store.Load(ctx, key)
	if err != nil || !change {
		return err
	}
	_, _ = e.store.Save(ctx, rec) // a conflict with another goroutine is an outcome like any other
	return nil
}
