package core

import (
	"errors"
	"fmt"
	"testing"
)

func TestH1CacheControl(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ current, private, cookie string }{
		{"", "private", "no-store"},
		{"public", "private", "no-store"},
		{"PUBLIC , Max-Age=60", "private, Max-Age=60", "no-store"},
		{"public, s-maxage=60, max-age=10", "private, max-age=10", "no-store"},
		{"max-age=60, must-revalidate", "private, max-age=60, must-revalidate", "no-store"},
		{"no-cache", "private, no-cache", "no-store"},
		{"private", "private", "no-store"},
		{"private, max-age=60", "private, max-age=60", "no-store"},
		{"max-age=0,Private", "max-age=0,Private", "no-store"},
		{"no-store", "no-store", "no-store"},
		{"No-Store, max-age=0", "No-Store, max-age=0", "No-Store, max-age=0"},
		{"x-no-store", "private, x-no-store", "no-store"},
		{",, ,", "private", "no-store"},
	} {
		equal(t, "untouched, "+tc.current, (&Reply{}).CacheControl(tc.current), tc.current)
		equal(t, "used, "+tc.current, (&Reply{Private: true}).CacheControl(tc.current), tc.private)
		equal(t, "with a cookie, "+tc.current, (&Reply{Private: true, SetCookie: "x"}).CacheControl(tc.current), tc.cookie)
	}
}

// A private that names fields lets shared caches keep the rest of the response.
func TestH1QualifiedPrivateIsNotEnough(t *testing.T) {
	t.Parallel()
	got := (&Reply{Private: true}).CacheControl(`private="X-User", max-age=60`)
	if !startsBare(got, "private") {
		t.Errorf("Cache-Control is %q, want a private without fields", got)
	}
}

func startsBare(value, name string) bool {
	return value == name || len(value) > len(name) && value[:len(name)+1] == name+","
}

func TestH1Vary(t *testing.T) {
	t.Parallel()
	for current, wanted := range map[string]string{
		"": "Cookie", "Cookie": "Cookie", "cookie": "cookie", "*": "*", "Accept": "Accept, Cookie",
		"Accept, COOKIE": "Accept, COOKIE", "Cookie2": "Cookie2, Cookie", "Accept,*": "Accept,*",
	} {
		equal(t, "untouched, "+current, (&Reply{}).Vary(current), current)
		equal(t, "used, "+current, (&Reply{Private: true}).Vary(current), wanted)
	}
}

// Each way to look at a session makes the response private; not looking does not.
func TestH1EveryAccessorIsUse(t *testing.T) {
	t.Parallel()
	for name, look := range map[string]func(s *Session){
		"ID": func(s *Session) { s.ID() }, "IsNew": func(s *Session) { s.IsNew() }, "Subject": func(s *Session) { s.Subject() },
		"Created": func(s *Session) { s.Created() }, "LastSeen": func(s *Session) { s.LastSeen() },
		"Expires": func(s *Session) { s.Expires() }, "Keys": func(s *Session) { s.Keys() }, "Len": func(s *Session) { s.Len() },
		"Value": func(s *Session) { s.Value("x", new(int)) }, "Get": read, "Take": func(s *Session) { visits.Take(s) },
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

// C5: Apply leaves one Set-Cookie of the session's name and every other as it was.
func TestC5Apply(t *testing.T) {
	t.Parallel()
	header := map[string][]string{
		"Set-Cookie":    {"a=b", "session=old; Path=/", "session2=c", "sessio=d", "session", "session=older"},
		"Cache-Control": {"public", "max-age=5"},
		"Vary":          {"Accept", "Origin"},
	}
	r := Reply{Cookie: "session", SetCookie: "session=new", Private: true}
	r.Apply(header)
	want := map[string]string{
		"Set-Cookie": "[a=b session2=c sessio=d session session=new]", "Cache-Control": "[no-store]", "Vary": "[Accept, Origin, Cookie]",
	}
	for field, wanted := range want {
		equal(t, field, sprint(header[field]), wanted)
	}
	empty := map[string][]string{}
	(&Reply{Cookie: "session"}).Apply(empty)
	equal(t, "fields of an empty reply", len(empty), 0)
	(&Reply{Private: true}).Apply(empty)
	equal(t, "fields", sprint(empty["Cache-Control"])+sprint(empty["Vary"])+sprint(empty["Set-Cookie"]), "[private][Cookie][]")
}

// A reply that is applied to two headers, or is followed by another, changes nothing in a header that it does not know.
func TestRepliesShareNoHeader(t *testing.T) {
	t.Parallel()
	s := new(Session)
	newTestManager(t, Options{}).Attach(s)
	want(t, s.Load(t.Context()), nil)
	read(s)
	headers := make([]map[string][]string, 3)
	for i := range headers {
		headers[i] = map[string][]string{"Cache-Control": {fmt.Sprint("max-age=", i)}, "Vary": {fmt.Sprint("X-", i)}}
		reply, err := s.Commit(t.Context())
		want(t, err, nil)
		reply.Apply(headers[i])
	}
	reply := Reply{Private: true}
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
	s := new(Session)
	m.Attach(s)
	early, err := s.Commit(t.Context())
	if err := errors.Join(err, s.Load(t.Context()), s.Set("n", 1)); err != nil {
		t.Fatal(err)
	}
	header := map[string][]string{}
	early.Apply(header)
	committed, err := s.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	committed.Apply(header)
	header["Cache-Control"] = []string{"public, max-age=60"}
	last, err := s.Finish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	last.Apply(header)
	if len(header["Set-Cookie"]) != 1 {
		t.Fatalf("Set-Cookie: %q, want one", header["Set-Cookie"])
	}
	equal(t, "Cache-Control of a response that sets the cookie", header["Cache-Control"][0], "no-store")
}
