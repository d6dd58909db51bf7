package core

import (
	"errors"
	"fmt"
	"testing"

	"github.com/cloakroom-go/sessions/core/adapter"
)

// Each way to look at a session makes the response private; not looking does not.
func TestH1EveryAccessorIsUse(t *testing.T) {
	t.Parallel()
	for name, look := range map[string]func(s *Session){
		"ID": func(s *Session) { s.ID() }, "IsNew": func(s *Session) { s.IsNew() }, "Subject": func(s *Session) { s.Subject() },
		"Created": func(s *Session) { s.Created() }, "LastSeen": func(s *Session) { s.LastSeen() },
		"Expires": func(s *Session) { s.Expires() }, "Keys": func(s *Session) { s.Keys() }, "Len": func(s *Session) { s.Len() },
		"Value": func(s *Session) { s.Get("x", new(int)) }, "Get": read, "Take": func(s *Session) { visits.Take(s) },
		"Set": set(t, 1), "Update": increment, "Delete": func(s *Session) { _ = visits.Delete(s) },
		"Clear": func(s *Session) { _ = s.Clear() }, "Destroy": (*Session).Destroy,
		"Renew": func(s *Session) { _ = s.Renew() }, "Login": func(s *Session) { _ = s.Login("ann") },
	} {
		equal(t, name+" on a new session", newClient(t, newTestManager(t, Options{})).visit(look).Private, true)
		c := newClient(t, newTestManager(t, Options{}))
		c.visit(set(t, 1))
		equal(t, name, c.visit(look).Private, true)
	}
	c := newClient(t, newTestManager(t, Options{}))
	c.visit(set(t, 1))
	nothing(t, "not looking", c.visit(func(s *Session) { _ = s.String() }))
}

// A reply that is applied to two headers, or is followed by another, changes nothing in a header that it does not know.
func TestRepliesShareNoHeader(t *testing.T) {
	t.Parallel()
	s := attach(newTestManager(t, Options{}))
	want(t, s.load(t.Context()), nil)
	read(s)
	headers := make([]map[string][]string, 3)
	for i := range headers {
		headers[i] = map[string][]string{"Cache-Control": {fmt.Sprint("max-age=", i)}, "Vary": {fmt.Sprint("X-", i)}}
		reply, err := s.commit(t.Context())
		want(t, err, nil)
		reply.Apply(headers[i])
	}
	reply := adapter.Reply{Private: true}
	for i := range 2 {
		headers = append(headers, map[string][]string{"Cache-Control": {fmt.Sprint("max-age=", 3+i)}, "Vary": {fmt.Sprint("X-", 3+i)}})
		reply.Apply(headers[3+i])
	}
	for i, header := range headers {
		equal(t, "Cache-Control", header["Cache-Control"][0], fmt.Sprint("private, max-age=", i))
		equal(t, "Vary", header["Vary"][0], fmt.Sprintf("X-%d, Cookie", i))
	}
}

// TestH1CookieOfAnEarlierCommit: the cookie is in the header since Commit, whatever the application sets afterwards.
func TestH1CookieOfAnEarlierCommit(t *testing.T) {
	t.Parallel()
	m, err := NewManager(Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := attach(m)
	early, err := s.commit(t.Context())
	if err := errors.Join(err, s.load(t.Context()), s.Set("n", 1)); err != nil {
		t.Fatal(err)
	}
	header := map[string][]string{}
	early.Apply(header)
	committed, err := s.commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	committed.Apply(header)
	header["Cache-Control"] = []string{"public, max-age=60"}
	last, err := s.finish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	last.Apply(header)
	if len(header["Set-Cookie"]) != 1 {
		t.Fatalf("Set-Cookie: %q, want one", header["Set-Cookie"])
	}
	equal(t, "Cache-Control of a response that sets the cookie", header["Cache-Control"][0], "no-store")
}

// A response may set the cookie without a use of the session: after a renewal by another request. It must not be stored
// by a cache, even if the application makes it public after an explicit commit.
func TestH1CookieOfAnUnusedSession(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	c.visit(set(t, 1))
	former := c.with()
	c.visit(renew)
	s := former.arrive()
	early, err := s.commit(t.Context())
	want(t, err, nil)
	header := map[string][]string{}
	early.Apply(header)
	equal(t, "Set-Cookie fields", len(header["Set-Cookie"]), 1)
	header["Cache-Control"] = []string{"public, max-age=60"}
	last, err := s.finish(t.Context())
	want(t, err, nil)
	last.Apply(header)
	equal(t, "Cache-Control", header["Cache-Control"][0], "no-store")
}
