package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// benchSize is the length of Data in the benchmarks, which is that of an ordinary session.
const benchSize = 512

// Bench measures the store that config describes. Each operation is a sub-benchmark.
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
			e := newEnv(b, "", &config)
			b.ReportAllocs()
			bench.run(b, e)
		})
	}
}

// benchRecord returns a record to create. It expires soon, because a benchmark creates too
// many records to delete.
func (e *env) benchRecord(n int) store.Record {
	return store.Record{
		Key:     fmt.Sprint(e.unique, n),
		Data:    make([]byte, benchSize),
		Expires: time.Now().Add(10 * time.Minute),
	}
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
		e.must(s.Touch(e.ctx, withExpires(rec, rec.Expires)))
	}
}

// benchDelete creates and deletes records, because only an existing record can be deleted.
func benchDelete(b *testing.B, e *env) {
	b.Helper()
	rec := e.benchRecord(0)
	for b.Loop() {
		_, err := e.store.Save(e.ctx, rec)
		e.must(err)
		e.must(e.store.Delete(e.ctx, rec.Key))
	}
}

// benchParallel is a usual mix of requests: nine loads for each save, of many sessions.
func benchParallel(b *testing.B, e *env) {
	b.Helper()
	const sessions = 1024
	for n := range sessions {
		e.save(e.benchRecord(n))
	}
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for n := 0; pb.Next(); n++ {
			key := fmt.Sprint(e.unique, n*31%sessions)
			if err := e.request(context.WithoutCancel(e.ctx), key, n%10 == 0); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// request loads a record and, if change is set, saves it. A conflict with another goroutine is
// not an error.
func (e *env) request(ctx context.Context, key string, change bool) error {
	rec, err := e.store.Load(ctx, key)
	if err != nil || !change {
		return err
	}
	_, _ = e.store.Save(ctx, rec)
	return nil
}
