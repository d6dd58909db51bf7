package core

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/ticket"
	"github.com/cloakroom-go/sessions/core/memstore"
)

// spellings returns the forms in which a secret could appear.
func spellings(tk *ticket.Ticket) []string {
	raw := append(append([]byte{}, tk.ID[:]...), tk.Secret[:]...)
	list := strings.Trim(fmt.Sprintf("%d", tk.Secret[:]), "[]")
	return []string{
		textOf(tk), string(tk.Secret[:]), hex.EncodeToString(tk.Secret[:]), strings.ToUpper(hex.EncodeToString(tk.Secret[:])),
		base64.StdEncoding.EncodeToString(tk.Secret[:]), base64.RawURLEncoding.EncodeToString(tk.Secret[:]),
		base64.StdEncoding.EncodeToString(raw), list, strings.ReplaceAll(list, " ", ","), strings.ReplaceAll(list, " ", ", "),
		strings.Trim(fmt.Sprintf("%#v", tk.Secret[:])[7:], "{}"),
	}
}

// L1: no secret appears in anything that is printed, logged or encoded, after any operation or
// fault.
func TestL1NoSecretAnywhere(t *testing.T) {
	t.Parallel()
	const value = "value-that-is-nobodys-business"
	log, out := debugLog()
	var events recorder
	store := newTouchSpy()
	m := newTestManager(t, Options{Store: store, Logger: log, OnEvent: func(e Event) {
		events.add(e)
		out.printf("%v %+v %#v\n", e, e, e)
		log.Debug("event", "event", e)
		if e.Err != nil {
			out.printf("%v %+v\n", e.Err, e.Err)
		}
	}})
	c := newClient(t, m)
	var tickets []ticket.Ticket
	show := func(s *Session, err error) {
		out.printf("%v %+v %#v %s %q %x %d\n", s, s, s, s, s, s, s)
		out.printf("%v %+v %#v %v\n", []*Session{s}, map[string]any{"s": s}, struct{ S *Session }{s}, m)
		encoded, jsonErr := json.Marshal(map[string]any{"s": s, "err": err})
		out.printf("%s %v %v %+v %#v\n", encoded, jsonErr, err, err, err)
		log.Debug("session", "s", s, "err", err, "m", m)
	}
	request := func(handler func(s *Session)) {
		s := unloadedSession(m, c.cookie)
		err := s.load(t.Context())
		show(s, err)
		handler(s)
		show(s, nil)
		tickets = append(tickets, s.ticket)
		reply, err := s.finish(t.Context())
		show(s, err)
		tickets = append(tickets, s.ticket)
		c.keepCookie(reply)
	}
	stale := func(handler func(s *Session)) func(s *Session) {
		return func(s *Session) {
			handler(s)
			c.clone().request(func(s *Session) { want(t, s.Login("bob"), nil) })
		}
	}
	request(func(s *Session) { want(t, note.Set(s, value), nil) })
	request(func(s *Session) { want(t, s.Renew(), nil); show(s, nil) })
	request(func(s *Session) { want(t, s.Login("ann"), nil) })
	request(func(s *Session) { visits.Update(s, func(int) int { return 1 }) })
	request(func(s *Session) { show(s, s.Set("bad", math.NaN())) })
	request(func(s *Session) { show(s, s.Set("bad", value+strings.Repeat("x", DefaultMaxSize))) })
	request(func(s *Session) { Key[int]("note").Get(s) })
	for _, op := range []string{"load", "save", "delete"} {
		store.failOn(op, errDown)
		request(func(s *Session) { show(s, note.Set(s, value+op)) })
		request((*Session).Destroy)
		store.onCall(nil)
	}
	request(func(s *Session) { want(t, note.Set(s, value), nil) })
	request(stale(func(s *Session) { want(t, note.Set(s, value+"!"), nil) }))
	request(func(s *Session) { show(s, note.Set(s, value)); show(s, s.Save(t.Context())) }) // overtaken
	request(func(s *Session) { show(s, s.SignIn(t.Context(), "ann", SignIn{})) })
	request(func(s *Session) { show(s, s.Confirm(t.Context(), Auth{Level: 2})) })
	request(func(s *Session) { show(s, s.KeepAlive(t.Context())) })
	request(func(s *Session) {
		const lease = Key[Lease]("lease")
		show(s, Once(t.Context(), s, lease, time.Minute, func() error { return errDown }))
	})
	one := c.cookie
	c.cookie = ""
	request(func(s *Session) { want(t, note.Set(s, value), nil) })
	c.cookie += "; " + one
	request((*Session).Destroy) // several sessions
	c.cookie = ""
	request(func(s *Session) { want(t, note.Set(s, value), nil) })
	request((*Session).Destroy)
	c.cookie = "session=" + strings.Repeat("A", 64)
	request(read)
	c.cookie = ""
	request(func(s *Session) { want(t, note.Set(s, value), nil) })
	request(func(s *Session) { want(t, s.Renew(), nil) })
	all := events.closeAndList(t, m)
	text := out.String()
	for _, kind := range []EventKind{EventCreated, EventLogin, EventRenewed, EventStoreFailed, EventGone, EventBadValue, EventDestroyed, EventSeveral, EventTouched} {
		equal(t, kind.String()+" was driven", hasKind(all, kind), true)
	}
	if strings.Contains(text, value) {
		t.Error("a value shows")
	}
	for i, tk := range tickets {
		if tk.Secret == (ticket.Secret{}) {
			continue
		}
		for form, spelling := range spellings(&tk) {
			if strings.Contains(text, spelling) {
				t.Errorf("secret %d shows in form %d", i, form)
			}
		}
	}
	if !strings.Contains(text, "session(0") {
		t.Error("the ids do not show either; the test is not testing")
	}
}

// L1: the context of a request, which may be logged, does not print the secret.
func TestL1ScopePrints(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	c.request(set(t, 7))
	sc := new(Scope)
	want(t, sc.Open(t.Context(), nil, c.m, nil, c.cookie), nil)
	secret := c.ticket().Secret
	plain := strings.Trim(fmt.Sprintf("%d", secret[:]), "[]")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		printed := fmt.Sprintf(verb, sc)
		if strings.Contains(printed, plain) || strings.Contains(printed, fmt.Sprintf("%x", secret)) || len(printed) > 80 {
			t.Errorf("%s of a scope prints %q", verb, printed)
		}
	}
}

// L1: a session prints as its id with any verb, and encodes as nothing.
func TestSessionPrintsItsID(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	c.request(set(t, 1))
	s := c.load()
	wanted := "session(" + c.id() + ")"
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%p"} {
		if verb == "%p" {
			continue // It prints an address.
		}
		equal(t, verb, fmt.Sprintf(verb, s), wanted)
	}
	equal(t, "LogValue", s.LogValue().String(), wanted)
	encoded, err := json.Marshal(s) //nolint:staticcheck // That it encodes as nothing is the point.
	want(t, err, nil)
	equal(t, "JSON", string(encoded), "{}")
}

// T3: the store contains no secret, and nothing that opens a session in place of one.
func TestT3StoreAuthenticatesNobody(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	var secrets []ticket.Secret
	c.request(set(t, 1))
	secrets = append(secrets, c.ticket().Secret)
	c.request(func(s *Session) { want(t, s.Renew(), nil) })
	secrets = append(secrets, c.ticket().Secret)
	c.request(func(s *Session) { want(t, s.Login("ann"), nil) })
	secrets = append(secrets, c.ticket().Secret)
	c.request(renew)
	secrets = append(secrets, c.ticket().Secret)
	tab := c.clone()
	underWay := tab.load()
	want(t, underWay.StepUp(Auth{Level: 2}), nil)
	c.request(func(s *Session) { want(t, s.StepUp(Auth{Level: 1}), nil) })
	secrets = append(secrets, c.ticket().Secret)
	tab.respond(underWay)
	secrets = append(secrets, tab.ticket().Secret)
	for i, secret := range secrets {
		equal(t, "a secret is there twice", slices.Index(secrets, secret), i)
	}
	lines := map[ticket.Kind]bool{}
	for i, rec := range store.saved {
		for _, secret := range secrets {
			if strings.Contains(string(rec.Data)+rec.Key+rec.Subject, string(secret[:])) {
				t.Errorf("save %d holds a secret", i)
			}
		}
		snap, err := decodeRecord(rec)
		want(t, err, nil)
		stored := map[string][32]byte{"digest": snap.Digest()}
		history := snap.Identity().History
		for i := range history.Len() {
			retired := history[24+i*72+8:] // See docs/record-format.md.
			stored["former digest"], stored["seal"] = [32]byte(retired), [32]byte(retired[32:])
		}
		for _, line := range snap.Identity().Past.Lines() {
			stored["digest of the past "+sprint(len(stored))] = line.Digest
			lines[line.Kind] = true
		}
		for what, raw := range stored {
			forged := ticket.Ticket{ID: c.ticket().ID, Secret: raw}
			thief := newClient(t, c.m)
			thief.cookie = "session=" + textOf(&forged)
			thief.request(func(s *Session) {
				if !s.IsNew() {
					t.Errorf("save %d: the %s opens the session", i, what)
				}
				if _, ok := s.Overtaken(); ok {
					t.Errorf("save %d: the %s is taken for a former secret", i, what)
				}
			})
		}
	}
	for _, kind := range []ticket.Kind{ticket.Over, ticket.Former, ticket.LesserTwin} {
		equal(t, "a line of kind "+sprint(kind), lines[kind], true)
	}
}

// T3: the history of a record contains none of its secrets.
func TestT3HistoryHidesItsSecrets(t *testing.T) {
	t.Parallel()
	store := memstore.New(memstore.Options{})
	c := newClient(t, newTestManager(t, Options{Store: store}))
	c.request(set(t, 1))
	tickets := []ticket.Ticket{c.ticket()}
	for range 4 {
		c.request(renew)
		tickets = append(tickets, c.ticket())
	}
	rec, err := store.Load(t.Context(), "session:"+c.id())
	want(t, err, nil)
	for i := range tickets {
		s := tickets[i].Secret
		equal(t, "shared half in the record", bytes.Contains(rec.Data, s[:16]), false)
		equal(t, "own half in the record", bytes.Contains(rec.Data, s[16:]), false)
		equal(t, "shared by the line", bytes.Equal(s[:16], tickets[0].Secret[:16]), true)
		equal(t, "own halves differ", slices.Index(tickets, tickets[i]), i)
	}
}
