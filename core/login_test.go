package core

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/record"
)

// sameAuth fails the test unless the session's authentication is the wanted one.
func sameAuth(tb testing.TB, what string, got Auth, level int, methods ...string) {
	tb.Helper()
	if got.Level != level || !slices.Equal(got.Methods, methods) {
		tb.Errorf("%s: authentication is %v at level %d, want %v at level %d", what, got.Methods, got.Level, methods, level)
	}
}

// Login and step-up are part of the one conditional write that saves the data, and the secret before is dead from then on
// (F2, F5).
func TestF2AuthenticationIsOneSave(t *testing.T) {
	t.Parallel()
	pwd := Auth{Methods: []string{"pwd"}, Level: 1}
	for name, prove := range map[string]func(s *Session) error{
		"login":   func(s *Session) error { return s.LoginWith("ann", pwd) },
		"step-up": func(s *Session) error { return s.StepUp(pwd) },
	} {
		store := newSpy()
		c := newSignedIn(t, newTestManager(t, Options{Store: store}), "ann")
		id, planted := c.id(), c.with()
		store.forget()
		reply := c.visit(func(s *Session) {
			want(t, visits.Set(s, 7), nil)
			want(t, prove(s), nil)
		})
		equal(t, name+": saves", store.count("save"), 1)
		equal(t, name+": calls", store.count(""), 2)
		equal(t, name+": a cookie is sent", reply.SetCookie != "", true)
		equal(t, name+": the secret is another", planted.ticketOf() == c.ticketOf(), false)
		equal(t, name+": the former secret opens nothing", planted.arrive().IsNew(), true)
		s := c.arrive()
		equal(t, name+": id", s.ID(), id)
		equal(t, name+": data", visits.Get(s), 7)
		equal(t, name+": former secrets", s.snap.Identity().History.Len(), 0)
		sameAuth(t, name, s.Auth(), 1, "pwd")
	}
}

// R2: A loads, B authenticates, A does whatever it does under the old secret. It is refused and B's data are intact.
func TestR2StepUpWins(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]func(s *Session){
		"write":   set(t, 2),
		"renew":   renew,
		"login":   as(t, "eve"),
		"step-up": func(s *Session) { want(t, s.StepUp(Auth{Level: 3}), nil) },
		"span":    func(s *Session) { want(t, s.Remember(true), nil) },
	} {
		eachStore(t, func(t *testing.T, store Store) {
			t.Helper()
			c := newSignedIn(t, newTestManager(t, Options{Store: store}), "ann")
			a := c.with()
			slow := a.arrive()
			c.visit(func(s *Session) { want(t, s.StepUp(Auth{Level: 2}), nil); want(t, visits.Set(s, 1), nil) })
			handler(slow)
			reply := a.leave(slow)
			equal(t, name+": cookie of the refused", reply.SetCookie, "")
			c.visit(func(s *Session) {
				equal(t, name+": subject", s.Subject(), "ann")
				equal(t, name+": visits", visits.Get(s), 1)
				sameAuth(t, name, s.Auth(), 2)
			})
		})
	}
}

// What was proved changes with an authentication and with nothing else.
func TestAuthOnlyByAuthentication(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store}))
		at := time.Now()
		c.visit(func(s *Session) {
			want(t, s.LoginWith("ann", Auth{Methods: []string{"pwd"}, Level: 1}), nil)
			sameAuth(t, "pending", s.Auth(), 1, "pwd")
		})
		for name, handler := range map[string]func(s *Session){
			"write":  increment,
			"clear":  func(s *Session) { want(t, s.Clear(), nil) },
			"renew":  func(s *Session) { want(t, s.Renew(), nil) },
			"expiry": func(s *Session) { want(t, s.SetExpiry(48*time.Hour), nil) },
			"span":   func(s *Session) { want(t, s.Remember(true), nil) },
			"touch":  read,
		} {
			time.Sleep(10 * time.Hour)
			c.visit(handler)
			c.visit(func(s *Session) {
				sameAuth(t, name, s.Auth(), 1, "pwd")
				equal(t, name+": authenticated at", s.AuthenticatedAt().UnixMilli(), at.UnixMilli())
				equal(t, name+": subject", s.Subject(), "ann")
			})
		}
	})
}

func TestAuthAddsUpAndIsReplaced(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	for _, step := range []struct {
		name    string
		prove   func(s *Session) error
		level   int
		methods []string
	}{
		{"login without proof", func(s *Session) error { return s.Login("ann") }, 0, nil},
		{"step-up", func(s *Session) error { return s.StepUp(Auth{Methods: []string{"pwd"}, Level: 1}) }, 1, []string{"pwd"}},
		{"higher", func(s *Session) error { return s.StepUp(Auth{Methods: []string{"otp"}, Level: 2}) }, 2, []string{"pwd", "otp"}},
		{"lower and known", func(s *Session) error { return s.StepUp(Auth{Methods: []string{"pwd"}, Level: 1}) }, 2, []string{"pwd", "otp"}},
		{"nothing said", func(s *Session) error { return s.StepUp(Auth{}) }, 2, []string{"pwd", "otp"}},
		{"login replaces", func(s *Session) error { return s.LoginWith("ann", Auth{Methods: []string{"hwk"}, Level: 1}) }, 1, []string{"hwk"}},
		{"of somebody else", func(s *Session) error { return s.Login("bob") }, 0, nil},
	} {
		c.visit(func(s *Session) {
			want(t, step.prove(s), nil)
			sameAuth(t, step.name+", pending", s.Auth(), step.level, step.methods...)
		})
		s := c.arrive()
		sameAuth(t, step.name, s.Auth(), step.level, step.methods...)
		_ = append(s.Auth().Methods[:0], "forged")
		sameAuth(t, step.name+", after a caller wrote into it", s.Auth(), step.level, step.methods...)
	}
}

func TestAuthLimits(t *testing.T) {
	t.Parallel()
	many := func(n, size int) (out []string) {
		for i := range n {
			out = append(out, strings.Repeat(string(rune('a'+i)), size))
		}
		return out
	}
	c := newSignedIn(t, newTestManager(t, Options{}), "ann")
	for name, test := range map[string]struct {
		auth Auth
		ok   bool
	}{
		"nothing":        {Auth{}, true},
		"as much as can": {Auth{Methods: many(16, 32), Level: 255}, true},
		"17 methods":     {Auth{Methods: many(17, 1)}, false},
		"a long method":  {Auth{Methods: many(1, 33)}, false},
		"no method":      {Auth{Methods: []string{"pwd", ""}}, false},
		"level below":    {Auth{Level: -1}, false},
		"level beyond":   {Auth{Level: 256}, false},
	} {
		before := c.arrive().AuthenticatedAt()
		cookie := c.cookie
		c.visit(func(s *Session) {
			equal(t, name+": login", s.LoginWith("ann", test.auth) == nil, test.ok)
			equal(t, name+": step-up", s.StepUp(test.auth) == nil, test.ok)
		})
		s := c.arrive()
		if test.ok {
			sameAuth(t, name, s.Auth(), test.auth.Level, test.auth.Methods...)
			continue
		}
		equal(t, name+": the cookie is as before", c.cookie, cookie)
		equal(t, name+": authenticated at", s.AuthenticatedAt(), before)
	}
}

// Beyond the bound what was proved last stays, also if it had been proved before.
func TestAuthKeepsTheLatest(t *testing.T) {
	t.Parallel()
	var before, wanted []string
	for i := range 16 {
		before = append(before, "m"+strconv.Itoa(i))
	}
	wanted = append(append(append(wanted, "m0"), before[3:]...), "x", "y")
	p := record.Proof{Methods: before}
	sameAuth(t, "union", Auth(p.Add(&record.Proof{Methods: []string{"x", "m0", "y"}})), 0, wanted...)
	equal(t, "what was before stays as it was", len(p.Methods), 16)
}

func TestStepUpAnonymous(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	nothing := func(name string, s *Session) {
		want(t, s.StepUp(Auth{Level: 2}), ErrAnonymous)
		sameAuth(t, name, s.Auth(), 0)
		equal(t, name+": authenticated at", s.AuthenticatedAt(), time.Time{})
	}
	equal(t, "cookie of a new session", c.visit(func(s *Session) { nothing("new", s) }).SetCookie, "")
	c.visit(set(t, 1))
	equal(t, "cookie of an anonymous one", c.visit(func(s *Session) { nothing("anonymous", s) }).SetCookie, "")
	c.visit(as(t, "ann"))
	c.visit(func(s *Session) {
		s.Destroy()
		nothing("destroyed", s)
	})
	equal(t, "after Destroy", c.arrive().IsNew(), true)
}

func TestFresh(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store}))
		c.visit(func(s *Session) {
			equal(t, "anonymous", s.Fresh(1<<63-1), false)
			want(t, s.Login("ann"), nil)
			equal(t, "with the login", s.Fresh(time.Minute), true)
		})
		time.Sleep(time.Minute)
		c.visit(func(s *Session) { equal(t, "on the instant", s.Fresh(time.Minute), true) })
		time.Sleep(time.Millisecond)
		c.visit(func(s *Session) {
			equal(t, "after it", s.Fresh(time.Minute), false)
			want(t, s.StepUp(Auth{}), nil)
			equal(t, "with the step-up", s.Fresh(time.Minute), true)
		})
		time.Sleep(30 * time.Second)
		c.visit(increment)
		time.Sleep(30*time.Second + time.Millisecond)
		c.visit(func(s *Session) {
			equal(t, "a write is no proof", s.Fresh(time.Minute), false)
			s.Destroy()
			equal(t, "after Destroy", s.Fresh(1<<63-1), false)
		})
	})
}

// The time of authentication is that of the call, whatever the commit meets.
func TestAuthenticatedAtAfterAMerge(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store}))
		c.visit(set(t, 1))
		a := c.with()
		s := a.arrive()
		at := time.Now().UnixMilli()
		want(t, s.LoginWith("ann", Auth{Level: 2}), nil)
		equal(t, "pending", s.AuthenticatedAt().UnixMilli(), at)
		time.Sleep(time.Second)
		c.visit(increment)
		a.leave(s)
		equal(t, "committed", s.AuthenticatedAt().UnixMilli(), at)
		a.visit(func(s *Session) {
			equal(t, "stored", s.AuthenticatedAt().UnixMilli(), at)
			sameAuth(t, "merged", s.Auth(), 2)
			equal(t, "the other request's write", visits.Get(s), 2)
		})
		equal(t, "the other request's secret is dead", c.arrive().IsNew(), true)
	})
}

func TestLoginAndStepUpInOneRequest(t *testing.T) {
	t.Parallel()
	pwd, otp := Auth{Methods: []string{"pwd"}, Level: 1}, Auth{Methods: []string{"otp"}, Level: 2}
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	c.visit(func(s *Session) {
		want(t, s.LoginWith("ann", pwd), nil)
		want(t, s.StepUp(otp), nil)
		sameAuth(t, "pending", s.Auth(), 2, "pwd", "otp")
	})
	equal(t, "saves", store.count("save"), 1)
	sameAuth(t, "login, step-up", c.arrive().Auth(), 2, "pwd", "otp")
	c.visit(func(s *Session) {
		want(t, s.StepUp(Auth{Methods: []string{"hwk"}, Level: 3}), nil)
		want(t, s.LoginWith("bob", pwd), nil)
		sameAuth(t, "pending", s.Auth(), 1, "pwd")
	})
	sameAuth(t, "step-up, login", c.arrive().Auth(), 1, "pwd")
	c.visit(func(s *Session) {
		want(t, s.StepUp(otp), nil)
		want(t, s.StepUp(Auth{Methods: []string{"hwk"}}), nil)
	})
	s := c.arrive()
	equal(t, "subject", s.Subject(), "bob")
	sameAuth(t, "two step-ups", s.Auth(), 2, "pwd", "otp", "hwk")
	c.visit(func(s *Session) {
		want(t, s.LoginWith("bob", pwd), nil)
		want(t, s.StepUp(Auth{Methods: []string{"sms"}}), nil)
		sameAuth(t, "pending", s.Auth(), 1, "pwd", "sms")
	})
	sameAuth(t, "login, step-up over what was proved before", c.arrive().Auth(), 1, "pwd", "sms")
	c.visit(func(s *Session) {
		s.Destroy()
		want(t, s.LoginWith("cy", otp), nil)
	})
	equal(t, "login after Destroy", c.arrive().Subject(), "cy")
	sameAuth(t, "login after Destroy", c.arrive().Auth(), 2, "otp")
}

// While a save is under way the session shows what is being saved, and a step-up that comes meanwhile adds to it.
func TestStepUpDuringTheSaveOfALogin(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	for name, fails := range map[string]error{"saved": nil, "failed": errDown} {
		c := newClient(t, m)
		s := c.arrive()
		want(t, s.LoginWith("ann", Auth{Methods: []string{"pwd"}, Level: 1}), nil)
		store.once(func() {
			equal(t, name+": subject", s.Subject(), "ann")
			sameAuth(t, name+", under way", s.Auth(), 1, "pwd")
			want(t, s.StepUp(Auth{Methods: []string{"otp"}, Level: 2}), nil)
			sameAuth(t, name+", both", s.Auth(), 2, "pwd", "otp")
		})
		if fails != nil {
			during := store.before
			store.hook(func(ctx context.Context, op, key string) error { _ = during(ctx, op, key); return fails })
		}
		_, err := s.commit(t.Context())
		equal(t, name+": the store failed", errors.Is(err, ErrStore), fails != nil)
		store.hook(nil)
		c.leave(s)
		equal(t, name+": subject", c.arrive().Subject(), "ann")
		sameAuth(t, name, c.arrive().Auth(), 2, "pwd", "otp")
	}
}

// A1: what a login keeps is not the caller's memory.
func TestA1AuthIsCopied(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	buf := []byte("pwdann")
	methods := []string{unsafeString(buf[:3])}
	s := c.arrive()
	want(t, s.LoginWith(unsafeString(buf[3:]), Auth{Methods: methods}), nil)
	copy(buf, "XXXXXX")
	methods[0] = "forged"
	c.leave(s)
	equal(t, "subject", c.arrive().Subject(), "ann")
	sameAuth(t, "after the buffer was used again", c.arrive().Auth(), 0, "pwd")
}

func TestLateLogin(t *testing.T) {
	t.Parallel()
	c := newSignedIn(t, newTestManager(t, Options{}), "ann")
	s := c.arrive()
	c.leave(s)
	want(t, s.LoginWith("bob", Auth{}), ErrLate)
	want(t, s.StepUp(Auth{}), ErrLate)
	want(t, s.Remember(true), ErrLate)
	equal(t, "subject", c.arrive().Subject(), "ann")
}

// Two requests that authenticate at once: one wins, the other's session is gone, and the winner's cookie is good.
func TestR2ParallelAuthentications(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newSignedIn(t, newTestManager(t, Options{Store: store}), "ann")
		tabs, sessions := make([]*client, 8), make([]*Session, 8)
		for i := range tabs { // all have arrived before one leaves
			tabs[i] = c.with()
			sessions[i] = tabs[i].arrive()
			want(t, sessions[i].StepUp(Auth{Level: i + 1}), nil)
		}
		var group sync.WaitGroup
		for i := range tabs {
			group.Go(func() { tabs[i].leave(sessions[i]) })
		}
		group.Wait()
		var in []int
		for i, tab := range tabs {
			if s := tab.arrive(); !s.IsNew() {
				in = append(in, i+1)
				sameAuth(t, "the winner's", s.Auth(), i+1)
			}
		}
		equal(t, "winners", len(in), 1)
	})
}

// What one user chose for how long to be remembered is not for the next in the same browser.
func TestRememberIsNotInherited(t *testing.T) {
	t.Parallel()
	m := newTestManager(t, Options{Expiry: time.Hour, Cookie: Cookie{SessionOnly: true}})
	c := newClient(t, m)
	remembered := func(user string) func(s *Session) {
		return func(s *Session) {
			want(t, s.Login(user), nil)
			want(t, s.Remember(true), nil)
			want(t, s.SetExpiry(720*time.Hour), nil)
		}
	}
	c.visit(remembered("ann"))
	equal(t, "ann's remaining", c.arrive().Remaining() > 700*time.Hour, true)
	c.visit(as(t, "ann"))
	equal(t, "ann's after another login", c.arrive().Remaining() > 700*time.Hour, true)
	reply := c.visit(as(t, "bob"))
	equal(t, "bob's cookie has a life", strings.Contains(reply.SetCookie, "Max-Age"), false)
	equal(t, "bob's remaining", c.arrive().Remaining() <= time.Hour, true)
	reply = c.visit(remembered("eve"))
	equal(t, "eve's cookie has a life", strings.Contains(reply.SetCookie, "Max-Age"), true)
}
