package tests_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/memcachedstore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// The tests of this file lose requests and answers. They all share a server; it is the way there that breaks.

// TestLostReply loses the answer to a write that was done. The store finds that out and says so.
func TestLostReply(t *testing.T) {
	t.Parallel()
	proxy := testserver.Shared(t, roomy()).Proxy(t)
	s := open(t, memcachedstore.Options{Servers: []string{proxy.Addr()}})
	lose := func(command string, call func() error) {
		t.Helper()
		lost := proxy.SwallowReply(command)
		if err := call(); err != nil {
			t.Errorf("a call whose answer to %s was lost = %v, but it was done", command, err)
		}
		select {
		case <-lost:
		case <-time.After(10 * time.Second):
			t.Fatalf("no answer to %s was lost", command)
		}
	}
	rec := record(testserver.Name())
	save := func() (err error) {
		rec, err = s.Save(t.Context(), rec)
		return err
	}
	lose("ms ", save)
	wants(t, s, rec)
	rec.Data = []byte("replaced")
	lose("ms ", save)
	wants(t, s, rec)
	lose("mg ", save)
	wants(t, s, rec)
	rec.Expires = rec.Expires.Add(time.Hour)
	lose("ms ", func() error { return s.Touch(t.Context(), rec) })
	wants(t, s, rec)
	lose("mg ", func() error { _, err := s.Load(t.Context(), rec.Key); return err })
	lose("md ", func() error { return s.Delete(t.Context(), rec.Key) })
	wantsNone(t, s, rec.Key)
}

// TestLostRequest loses a write before it arrives. A replace is safe to send again. A create is not: if the first one
// came late, it could bring back what was deleted meanwhile.
func TestLostRequest(t *testing.T) {
	t.Parallel()
	address := testserver.Shared(t, roomy()).Addr()
	h := &hooked{}
	s := h.open(t, address)
	lose := func(int32) error {
		h.onWrite = nil
		return errCut
	}
	rec := record(testserver.Name())
	h.onWrite = lose
	if _, err := s.Save(t.Context(), rec); !failure(err) {
		t.Errorf("create whose request was lost = %v, want a failure", err)
	}
	if n := h.writes.Load(); n != 1 {
		t.Errorf("the create was sent %d times, want once", n)
	}
	wantsNone(t, s, rec.Key)
	rec = mustSave(t, s, rec)
	h.onWrite = lose
	rec.Data = []byte("replaced")
	wants(t, s, mustSave(t, s, rec))
}

// TestLostReplyOvertaken loses the answer to a write that somebody else has replaced by the time the store asks again.
// It can no longer tell its own success from a conflict, and must claim neither.
func TestLostReplyOvertaken(t *testing.T) {
	t.Parallel()
	server := testserver.Shared(t, roomy())
	proxy := server.Proxy(t)
	other := open(t, memcachedstore.Options{Servers: []string{server.Addr()}})
	h := &hooked{}
	s := h.open(t, proxy.Addr())
	for _, version := range []string{"create", "replace"} {
		rec := record(testserver.Name())
		if version == "replace" {
			rec = mustSave(t, s, rec)
		}
		sent := h.writes.Load()
		h.onDial = func(int32) {
			if h.writes.Load() == sent {
				return // the connection that the write goes over, if none is idle
			}
			h.onDial = nil
			current, err := other.Load(t.Context(), rec.Key)
			if err != nil {
				t.Error(err)
			}
			mustSave(t, other, current)
		}
		proxy.SwallowReply("ms ")
		if _, err := s.Save(t.Context(), rec); !failure(err) {
			t.Errorf("%s whose answer was lost, and overtaken = %v, want a failure", version, err)
		}
	}
}

// TestLateReply gives up waiting for an answer. It arrives later, and must not be taken for that to another request.
func TestLateReply(t *testing.T) {
	t.Parallel()
	server := testserver.Shared(t, roomy())
	proxy := server.Proxy(t)
	s := open(t, memcachedstore.Options{Servers: []string{proxy.Addr()}, MaxConns: 1})
	var all []store.Record
	for n := range 10 {
		all = append(all, mustSave(t, s, record(fmt.Sprint(testserver.Name(), n))))
	}
	for n, rec := range all {
		proxy.BlackHole()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if n%2 == 0 {
			ctx, cancel = context.WithCancel(t.Context())
			time.AfterFunc(50*time.Millisecond, cancel)
		}
		if _, err := s.Load(ctx, rec.Key); !errors.Is(err, ctx.Err()) || err == nil {
			t.Errorf("Load while nothing answers = %v, want the context's error", err)
		}
		cancel()
		proxy.Heal()
		for _, want := range all {
			wants(t, s, want)
		}
	}
}

// TestCutReply ends the connection after each byte of an answer in turn. The call is made again on another connection.
func TestCutReply(t *testing.T) {
	t.Parallel()
	proxy := testserver.Shared(t, roomy()).Proxy(t)
	s := open(t, memcachedstore.Options{Servers: []string{proxy.Addr()}})
	rec := mustSave(t, s, record(testserver.Name()))
	for n := range 60 {
		cut := proxy.CutAfter(n)
		wants(t, s, rec)
		<-cut
		cut = proxy.CutAfter(n)
		rec.Data = fmt.Append([]byte("data number "), n)
		rec = mustSave(t, s, rec)
		proxy.Heal() // the answers of a save may have been shorter
		wants(t, s, rec)
		select {
		case <-cut:
		default:
		}
	}
	wants(t, s, rec)
}
