package core

import (
	"fmt"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/adapter"
)

// What browsers send with the requests in these tests.
func fetches() map[string]adapter.Fetch {
	return map[string]adapter.Fetch{
		"link":            {Method: "GET", Site: "cross-site", Mode: "navigate", Dest: "document"},
		"link, HEAD":      {Method: "HEAD", Site: "cross-site", Mode: "navigate", Dest: "document"},
		"link, no Dest":   {Method: "GET", Site: "cross-site", Mode: "navigate"},
		"form":            {Method: "POST", Site: "cross-site", Mode: "navigate", Dest: "document"},
		"frame":           {Method: "GET", Site: "cross-site", Mode: "navigate", Dest: "iframe"},
		"image":           {Method: "GET", Site: "cross-site", Mode: "no-cors", Dest: "image"},
		"script":          {Method: "GET", Site: "cross-site", Mode: "cors", Dest: "empty"},
		"no mode":         {Method: "GET", Site: "cross-site"},
		"own link":        {Method: "GET", Site: "same-origin", Mode: "navigate", Dest: "document"},
		"own form":        {Method: "POST", Site: "same-origin", Mode: "navigate", Dest: "document"},
		"own script":      {Method: "POST", Site: "same-origin", Mode: "cors", Dest: "empty"},
		"same site":       {Method: "POST", Site: "same-site", Mode: "navigate", Dest: "document"},
		"typed":           {Method: "GET", Site: "none", Mode: "navigate", Dest: "document"},
		"old browser":     {Method: "POST"},
		"nothing at all":  {},
		"unknown site":    {Method: "POST", Site: "galactic", Mode: "navigate", Dest: "document"},
		"web socket":      {Method: "GET", Site: "cross-site", Mode: "websocket", Dest: "websocket"},
		"page's resource": {Method: "GET", Site: "same-origin", Mode: "no-cors", Dest: "script"},
	}
}

// keptBackBy returns the requests without a cookie of ours although the browser may have one.
func keptBackBy() map[SameSite][]string {
	lax := []string{"form", "frame", "image", "script", "no mode", "web socket"}
	return map[SameSite][]string{
		SameSiteNone: nil, SameSiteLax: lax, SameSiteUnset: lax,
		SameSiteStrict: append([]string{"link", "link, HEAD", "link, no Dest"}, lax...),
	}
}

// newCrossSiteManager returns a manager whose cookie has this attribute.
func newCrossSiteManager(tb testing.TB, store Store, s SameSite, onEvent func(Event)) *Manager {
	tb.Helper()
	return newTestManager(tb, Options{Store: store, Cookie: Cookie{SameSite: s}, OnEvent: onEvent})
}

// A request that another site has caused, and for which the browser has kept the cookie back,
// starts no session: its cookie would replace that of the session that there is. What it writes
// lasts for the response, and is reported once.
func TestCrossSite(t *testing.T) {
	t.Parallel()
	for sameSite, names := range keptBackBy() {
		keptBack := map[string]bool{}
		for _, name := range names {
			keptBack[name] = true
		}
		for name, fetch := range fetches() {
			what := fmt.Sprintf("%s, %q", name, sameSite.value())
			var events recorder
			store := newSpy()
			m := newCrossSiteManager(t, store, sameSite, events.add)
			c := newClient(t, m)
			sc := c.openScope(&sender{fetch: fetch}, func(sc *Scope) {
				s := sc.Get()
				want(t, note.Set(s, "flash"), nil)
				increment(s)
				equal(t, what+": note", note.Get(s), "flash")
				equal(t, what+": visits", visits.Get(s), 1)
				want(t, note.Delete(s), nil)
				equal(t, what+": values", contents(s), "visits=1")
				if !keptBack[name] {
					return
				}
				want(t, s.Save(t.Context()), ErrCrossSite)
				want(t, sc.Commit(func(*adapter.Reply) { t.Errorf("%s: a reply", what) }), ErrCrossSite)
				equal(t, what+": calls", store.count(""), 0)
			})
			want(t, sc.Close(), nil)
			stored, reported := 1, 0
			if keptBack[name] {
				stored, reported = 0, 1
			}
			equal(t, what+": cookie", c.cookie != "", !keptBack[name])
			equal(t, what+": records", store.recordCount(), stored)
			got := 0
			for _, e := range events.closeAndList(t, m) {
				if e.Kind == EventCrossSite {
					got++
					want(t, e.Err, ErrCrossSite)
				}
			}
			equal(t, what+": reported", got, reported)
		}
	}
}

// A login starts a session all the same, with what its request has written: the form that an
// identity provider posts back is such a request.
func TestCrossSiteLogin(t *testing.T) {
	t.Parallel()
	for sameSite := range keptBackBy() {
		for name, fetch := range fetches() {
			store := newSpy()
			c := newClient(t, newCrossSiteManager(t, store, sameSite, nil))
			c.requestFrom(&sender{fetch: fetch}, func(s *Session) {
				set(t, 1)(s)
				want(t, s.SignIn(t.Context(), "ann", SignIn{}), nil)
				want(t, note.Set(s, "welcome"), nil)
			})
			got := c.load()
			equal(t, name+": subject", got.Subject(), "ann")
			equal(t, name+": values", contents(got), "note=welcome visits=1")
			equal(t, name+": records", store.recordCount(), 1)
		}
	}
}

// A request with a ticket has a cookie of ours, so the browser has kept none back. If it opens a
// session, that is used; and if it is unknown, there is nothing to lose.
func TestCrossSiteWithATicket(t *testing.T) {
	t.Parallel()
	for name, fetch := range fetches() {
		store := newSpy()
		m := newCrossSiteManager(t, store, SameSiteStrict, nil)
		c := newSignedIn(t, m, "ann")
		c.requestFrom(&sender{fetch: fetch}, increment)
		equal(t, name+": visits", visits.Get(c.load()), 1)
		equal(t, name+": subject", c.load().Subject(), "ann")
		unknown := newTestTicket(t, m)
		stranger := newClient(t, m)
		stranger.cookie = "session=" + textOf(&unknown)
		stranger.requestFrom(&sender{fetch: fetch}, increment)
		equal(t, name+": visits of the stranger", visits.Get(stranger.load()), 1)
		equal(t, name+": records", store.recordCount(), 2)
	}
	// What is no ticket is no cookie of ours.
	store := newSpy()
	c := newClient(t, newCrossSiteManager(t, store, SameSiteLax, nil))
	c.cookie = "session=garbage"
	c.requestFrom(&sender{fetch: fetches()["form"]}, increment)
	equal(t, "records of a malformed ticket", store.recordCount(), 0)
}

// A cross-site request that only reads, or deletes what is not there, is no event and no error.
func TestCrossSiteRead(t *testing.T) {
	t.Parallel()
	var events recorder
	store := newSpy()
	m := newCrossSiteManager(t, store, SameSiteLax, events.add)
	c := newClient(t, m)
	c.requestFrom(&sender{fetch: fetches()["form"]}, func(s *Session) {
		read(s)
		want(t, note.Delete(s), nil)
		s.Destroy()
		want(t, s.Save(t.Context()), nil)
	})
	equal(t, "calls", store.count(""), 0)
	equal(t, "events", kinds(events.closeAndList(t, m)), "")
}

// A session that is loaded later knows where the request comes from, too.
func TestCrossSiteLazy(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store, Lazy: true})
	c := newClient(t, m)
	c.requestFrom(&sender{fetch: fetches()["form"]}, func(s *Session) {
		set(t, 1)(s)
		want(t, s.Save(t.Context()), ErrCrossSite)
	})
	equal(t, "calls", store.count(""), 0)
	equal(t, "cookie", c.cookie, "")
}

// maintained are the requests with which a cookie that only extends or renews a session is sent.
func maintained(name string) bool {
	switch name {
	case "image", "script", "own script", "web socket", "page's resource":
		return false
	}
	return true
}

// A session is extended, and its cookie sent again, by navigations. Other requests do it only if
// that is overdue, because a cookie that arrives after that of a login signs the user out.
func TestFetchesDoNotExtend(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, Expiry: time.Hour})
		for name, fetch := range fetches() {
			for age, due := range map[time.Duration][2]bool{ // whether fetches and navigations extend
				6*time.Minute - time.Millisecond:  {false, false},
				6 * time.Minute:                   {false, true},
				12*time.Minute - time.Millisecond: {false, true},
				12 * time.Minute:                  {true, true},
				50 * time.Minute:                  {true, true},
			} {
				c := newSignedIn(t, m, "ann")
				c.request(read)
				begun := time.Now()
				time.Sleep(age)
				v := &sender{fetch: fetch, ip: "192.0.2.7"}
				sc := new(Scope)
				want(t, sc.Open(t.Context(), nil, m, v, c.cookie), nil)
				read(sc.Get())
				reply, err := sc.CommitHeader()
				want(t, err, nil)
				extends := due[0]
				if maintained(name) {
					extends = due[1]
				}
				what := name + " after " + age.String()
				equal(t, what+": a cookie is sent", reply.SetCookie != "", extends)
				seen, _, expires := c.times(store)
				equal(t, what+": used", seen.After(begun), extends)
				equal(t, what+": extended", expires.After(begun.Add(time.Hour)), extends)
			}
		}
	})
}

// So it is with renewals by age: other requests wait for a tenth of RenewEvery.
func TestFetchesDoNotRenew(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, RenewEvery: time.Hour})
		for name, fetch := range fetches() {
			for age, due := range map[time.Duration][2]bool{
				time.Hour - time.Millisecond:      {false, false},
				time.Hour:                         {false, true},
				66*time.Minute - time.Millisecond: {false, true},
				66 * time.Minute:                  {true, true},
			} {
				c := newSignedIn(t, m, "ann")
				c.request(read)
				time.Sleep(age)
				before := c.ticket()
				c.requestFrom(&sender{fetch: fetch}, read)
				renews := due[0]
				if maintained(name) {
					renews = due[1]
				}
				equal(t, name+" after "+age.String()+": renewed", c.ticket() != before, renews)
			}
		}
	})
}

// Changes that the handler asks for are not postponed.
func TestFetchesThatWrite(t *testing.T) {
	t.Parallel()
	v := &sender{fetch: fetches()["own script"]}
	c := newClient(t, newTestManager(t, Options{}))
	c.requestFrom(v, increment)
	before := c.ticket()
	c.requestFrom(v, renew)
	equal(t, "renewed", c.ticket() != before, true)
	before = c.ticket()
	c.requestFrom(v, signInAs(t, "ann"))
	equal(t, "signed in", c.load().Subject(), "ann")
	equal(t, "another secret", c.ticket() != before, true)
	c.requestFrom(v, increment)
	equal(t, "visits", visits.Get(c.load()), 2)
	c.requestFrom(v, (*Session).Destroy)
	equal(t, "cookie", c.cookie, "")
}

// After the response has begun the client is not asked any more, because the framework may reuse
// it.
func TestFetchAfterTheResponse(t *testing.T) {
	t.Parallel()
	v := &asked{}
	c := newClient(t, newTestManager(t, Options{}))
	sc := c.openScope(v, func(*Scope) {})
	before := v.n
	want(t, visits.Set(sc.Get(), 1), ErrLate)
	want(t, sc.Close(), nil)
	equal(t, "asked", v.n, before)
}

// asked counts how often it is asked why the browser sends the request.
type asked struct{ n int }

func (*asked) Client() (ip, userAgent string) { return "", "" }

func (a *asked) Fetch() adapter.Fetch { a.n++; return adapter.Fetch{} }
