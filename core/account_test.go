package core

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// wantAuth fails the test unless got has this level and these methods.
func wantAuth(tb testing.TB, what string, got Auth, level int, methods ...string) {
	tb.Helper()
	if got.Level != level || !slices.Equal(got.Methods, methods) {
		tb.Errorf("%s: authentication is %v at level %d, want %v at level %d", what, got.Methods, got.Level, methods, level)
	}
}

func TestLoginLimits(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	c.request(func(s *Session) {
		for _, subject := range []string{"", strings.Repeat("a", 1025), strings.Repeat("a", 1<<20)} {
			if err := s.Login(subject); err == nil || len(err.Error()) > 200 {
				t.Errorf("Login with %d bytes: %v", len(subject), err)
			}
		}
	})
	equal(t, "cookie", c.cookie, "")
	for _, subject := range []string{"a", strings.Repeat("a", 1024), "\x00\n:*?[]", "é\xff"} {
		c.request(func(s *Session) { want(t, s.Login(subject), nil) })
		c.request(func(s *Session) { equal(t, "Subject", s.Subject(), subject) })
	}
}

func TestLoginOnANewSession(t *testing.T) {
	t.Parallel()
	var events recorder
	m := newTestManager(t, Options{OnEvent: events.add})
	c := newClient(t, m)
	c.request(func(s *Session) { want(t, s.Login("ann"), nil) })
	c.request(func(s *Session) {
		equal(t, "Subject", s.Subject(), "ann")
		equal(t, "IsNew", s.IsNew(), false)
	})
	equal(t, "events", kinds(events.closeAndList(t, m)), "created login loaded")
}

func TestF2LoginKillsTheOldToken(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	c.request(set(t, 1))
	old, before := c.clone(), c.ticket()
	reply := c.request(func(s *Session) {
		want(t, s.Login("ann"), nil)
		equal(t, "Subject at once", s.Subject(), "ann")
	})
	if reply.SetCookie == "" || c.ticket().Secret == before.Secret {
		t.Fatal("Login keeps the secret")
	}
	equal(t, "id", c.ticket().ID, before.ID)
	old.request(func(s *Session) { equal(t, "the old token is new", s.IsNew(), true) })
	c.request(func(s *Session) {
		equal(t, "visits", visits.Get(s), 1)
		equal(t, "Subject", s.Subject(), "ann")
	})
	equal(t, "records", store.recordCount(), 1)
	// The login of another subject changes the secret again.
	before = c.ticket()
	c.request(func(s *Session) { want(t, s.Login("bob"), nil) })
	equal(t, "secret is the old one", c.ticket().Secret == before.Secret, false)
	c.request(func(s *Session) { equal(t, "Subject", s.Subject(), "bob") })
}

// F2, F5: login and step-up are part of the one conditional save of the data. The secret from before
// a login by another identity is refused from then on. That from before a login or step-up of the
// same subject opens the session with the former proof, and gets no cookie, until the new secret has
// come back; then it is refused.
func TestF2AuthenticationIsOneSave(t *testing.T) {
	t.Parallel()
	former, pwd := Auth{Methods: []string{"otp"}, Level: 2}, Auth{Methods: []string{"pwd"}, Level: 1}
	ann := func(s *Session) { want(t, s.LoginWith("ann", former), nil) }
	prove := func(s *Session) error { return s.LoginWith("ann", pwd) }
	for name, tc := range map[string]struct {
		before func(s *Session)
		prove  func(s *Session) error
		former string // the subject under the former secret
		calls  int    // a load, a save and, when the subject changes, the load of its revocation
		level  int
		after  []string
	}{
		"login":            {set(t, 1), prove, "", 3, 1, []string{"pwd"}},
		"login of another": {signInAs(t, "bob"), prove, "", 3, 1, []string{"pwd"}},
		"login again":      {ann, prove, "ann", 2, 1, []string{"pwd"}},
		"step-up":          {ann, func(s *Session) error { return s.StepUp(pwd) }, "ann", 2, 2, []string{"otp", "pwd"}},
	} {
		store := newSpy()
		c := newClient(t, newTestManager(t, Options{Store: store}))
		c.request(tc.before)
		id, planted := c.id(), c.clone()
		store.reset()
		reply := c.request(func(s *Session) {
			want(t, visits.Set(s, 7), nil)
			want(t, tc.prove(s), nil)
		})
		equal(t, name+": saves", store.count("save"), 1)
		equal(t, name+": calls", store.count(""), tc.calls)
		equal(t, name+": a cookie is sent", reply.SetCookie != "", true)
		equal(t, name+": the secret is another", planted.ticket() == c.ticket(), false)
		if tc.former == "" {
			planted.request(func(s *Session) { wantShutOut(t, name, s, ReasonSignedIn) })
		} else {
			s := planted.load()
			equal(t, name+": id under the former secret", s.ID(), id)
			equal(t, name+": subject under the former secret", s.Subject(), tc.former)
			wantAuth(t, name+", under the former secret", s.Auth(), 2, "otp")
			want(t, note.Set(s, "former"), nil)
			equal(t, name+": cookie for the former secret", planted.respond(s).SetCookie, "")
		}
		c.request(func(s *Session) {
			equal(t, name+": id", s.ID(), id)
			equal(t, name+": data", visits.Get(s), 7)
			equal(t, name+": former secrets", s.snap.Identity().History.Len(), 0)
			wantAuth(t, name, s.Auth(), tc.level, tc.after...)
		})
		reason := ReasonReplaced
		if tc.former == "" {
			reason = ReasonSignedIn
		}
		reply = planted.request(func(s *Session) { wantShutOut(t, name+", delivered", s, reason) })
		equal(t, name+": cookie for the former secret, delivered", reply.SetCookie, "")
	}
}

// Only a login or a step-up changes the proof.
func TestAuthChangesOnlyByLoginAndStepUp(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store}))
		at := time.Now()
		c.request(func(s *Session) {
			want(t, s.LoginWith("ann", Auth{Methods: []string{"pwd"}, Level: 1}), nil)
			wantAuth(t, "pending", s.Auth(), 1, "pwd")
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
			c.request(handler)
			c.request(func(s *Session) {
				wantAuth(t, name, s.Auth(), 1, "pwd")
				equal(t, name+": authenticated at", s.AuthenticatedAt().UnixMilli(), at.UnixMilli())
				equal(t, name+": subject", s.Subject(), "ann")
			})
		}
	})
}

func TestStepUpAddsAndLoginReplacesAuth(t *testing.T) {
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
		c.request(func(s *Session) {
			want(t, step.prove(s), nil)
			wantAuth(t, step.name+", pending", s.Auth(), step.level, step.methods...)
		})
		s := c.load()
		wantAuth(t, step.name, s.Auth(), step.level, step.methods...)
		_ = append(s.Auth().Methods[:0], "forged")
		wantAuth(t, step.name+", after a caller wrote into it", s.Auth(), step.level, step.methods...)
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
		before := c.load().AuthenticatedAt()
		cookie := c.cookie
		c.request(func(s *Session) {
			equal(t, name+": login", s.LoginWith("ann", test.auth) == nil, test.ok)
			equal(t, name+": step-up", s.StepUp(test.auth) == nil, test.ok)
		})
		s := c.load()
		if test.ok {
			wantAuth(t, name, s.Auth(), test.auth.Level, test.auth.Methods...)
			continue
		}
		equal(t, name+": the cookie is as before", c.cookie, cookie)
		equal(t, name+": authenticated at", s.AuthenticatedAt(), before)
	}
}

func TestStepUpAnonymous(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	nothing := func(name string, s *Session) {
		want(t, s.StepUp(Auth{Level: 2}), ErrAnonymous)
		wantAuth(t, name, s.Auth(), 0)
		equal(t, name+": authenticated at", s.AuthenticatedAt(), time.Time{})
	}
	equal(t, "cookie of a new session", c.request(func(s *Session) { nothing("new", s) }).SetCookie, "")
	c.request(set(t, 1))
	equal(t, "cookie of an anonymous one", c.request(func(s *Session) { nothing("anonymous", s) }).SetCookie, "")
	c.request(signInAs(t, "ann"))
	c.request(func(s *Session) {
		s.Destroy()
		nothing("destroyed", s)
	})
	equal(t, "after Destroy", c.load().IsNew(), true)
}

// Each level has a time of its own: proving a lower one makes no higher one fresh.
func TestFreshLevel(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store}))
		fresh := func(what string, s *Session, wanted ...bool) {
			t.Helper()
			for level, wanted := range wanted {
				equal(t, what+": level "+strconv.Itoa(level), s.FreshLevel(level, time.Minute), wanted)
			}
		}
		c.request(func(s *Session) {
			fresh("anonymous", s, false, false, false, false)
			want(t, s.LoginWith("ann", Auth{Level: 2}), nil)
			fresh("with the login", s, true, true, true, false)
		})
		time.Sleep(time.Hour)
		former := c.clone()
		c.request(func(s *Session) {
			fresh("an hour later", s, false, false, false, false)
			want(t, s.StepUp(Auth{Level: 1}), nil)
			fresh("with a lower step-up", s, true, true, false, false)
			equal(t, "level", s.Auth().Level, 2)
		})
		fresh("under the former secret", former.load(), false, false, false, false)
		time.Sleep(time.Minute)
		c.request(func(s *Session) { fresh("after it", s, true, true, false, false) })
		c.request(func(s *Session) { want(t, s.StepUp(Auth{Level: 3, At: time.Now().Add(-2 * time.Minute)}), nil) })
		time.Sleep(time.Millisecond)
		c.request(func(s *Session) {
			fresh("an older step-up", s, false, false, false, false)
			equal(t, "level 3, of three minutes", s.FreshLevel(3, 3*time.Minute), true)
			want(t, s.Login("bob"), nil)
			fresh("another user", s, true, false, false, false)
		})
		fresh("in the end", c.load(), true, false, false, false)
	})
}

// A single sign-on of this morning is no fresh proof.
func TestFreshAfterASingleSignOn(t *testing.T) {
	t.Parallel()
	inBubble(t, newSpy, func(t *testing.T, store *spy) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store}))
		at := time.Now().Add(-8 * time.Hour)
		want(t, signIn(c.load(), SignIn{Auth: Auth{At: at, Level: 2}}), nil)
		c.request(func(s *Session) {
			want(t, s.LoginWith("ann", Auth{At: at, Level: 2}), nil)
			equal(t, "fresh", s.Fresh(time.Hour) || s.FreshLevel(2, time.Hour), false)
			equal(t, "fresh in eight hours", s.Fresh(8*time.Hour) && s.FreshLevel(2, 8*time.Hour), true)
		})
		s := c.load()
		equal(t, "fresh", s.Fresh(time.Hour) || s.FreshLevel(2, time.Hour), false)
		equal(t, "time", s.AuthenticatedAt().UnixMilli(), at.UnixMilli())
	})
}

func TestFresh(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store}))
		c.request(func(s *Session) {
			equal(t, "anonymous", s.Fresh(1<<63-1), false)
			want(t, s.Login("ann"), nil)
			equal(t, "with the login", s.Fresh(time.Minute), true)
		})
		time.Sleep(time.Minute)
		c.request(func(s *Session) { equal(t, "on the instant", s.Fresh(time.Minute), true) })
		time.Sleep(time.Millisecond)
		c.request(func(s *Session) {
			equal(t, "after it", s.Fresh(time.Minute), false)
			want(t, s.StepUp(Auth{}), nil)
			equal(t, "with the step-up", s.Fresh(time.Minute), true)
		})
		time.Sleep(30 * time.Second)
		c.request(increment)
		time.Sleep(30*time.Second + time.Millisecond)
		c.request(func(s *Session) {
			equal(t, "a write is no proof", s.Fresh(time.Minute), false)
			s.Destroy()
			equal(t, "after Destroy", s.Fresh(1<<63-1), false)
		})
	})
}

// The time of authentication is that of the call, even if the commit merges later.
func TestAuthenticatedAtAfterAMerge(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store}))
		c.request(set(t, 1))
		a := c.clone()
		s := a.load()
		at := time.Now().UnixMilli()
		want(t, s.LoginWith("ann", Auth{Level: 2}), nil)
		equal(t, "pending", s.AuthenticatedAt().UnixMilli(), at)
		time.Sleep(time.Second)
		c.request(increment)
		a.respond(s)
		equal(t, "committed", s.AuthenticatedAt().UnixMilli(), at)
		a.request(func(s *Session) {
			equal(t, "stored", s.AuthenticatedAt().UnixMilli(), at)
			wantAuth(t, "merged", s.Auth(), 2)
			equal(t, "the other request's write", visits.Get(s), 2)
		})
		equal(t, "the other request's secret is dead", c.load().IsNew(), true)
	})
}

func TestLoginAndStepUpInOneRequest(t *testing.T) {
	t.Parallel()
	pwd, otp := Auth{Methods: []string{"pwd"}, Level: 1}, Auth{Methods: []string{"otp"}, Level: 2}
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	c.request(func(s *Session) {
		want(t, s.LoginWith("ann", pwd), nil)
		want(t, s.StepUp(otp), nil)
		wantAuth(t, "pending", s.Auth(), 2, "pwd", "otp")
	})
	equal(t, "saves", store.count("save"), 1)
	wantAuth(t, "login, step-up", c.load().Auth(), 2, "pwd", "otp")
	c.request(func(s *Session) {
		want(t, s.StepUp(Auth{Methods: []string{"hwk"}, Level: 3}), nil)
		want(t, s.LoginWith("bob", pwd), nil)
		wantAuth(t, "pending", s.Auth(), 1, "pwd")
	})
	wantAuth(t, "step-up, login", c.load().Auth(), 1, "pwd")
	c.request(func(s *Session) {
		want(t, s.StepUp(otp), nil)
		want(t, s.StepUp(Auth{Methods: []string{"hwk"}}), nil)
	})
	s := c.load()
	equal(t, "subject", s.Subject(), "bob")
	wantAuth(t, "two step-ups", s.Auth(), 2, "pwd", "otp", "hwk")
	c.request(func(s *Session) {
		want(t, s.LoginWith("bob", pwd), nil)
		want(t, s.StepUp(Auth{Methods: []string{"sms"}}), nil)
		wantAuth(t, "pending", s.Auth(), 1, "pwd", "sms")
	})
	wantAuth(t, "login, step-up over what was proved before", c.load().Auth(), 1, "pwd", "sms")
	c.request(func(s *Session) {
		s.Destroy()
		want(t, s.LoginWith("cy", otp), nil)
	})
	equal(t, "login after Destroy", c.load().Subject(), "cy")
	wantAuth(t, "login after Destroy", c.load().Auth(), 2, "otp")
}

// A1: a login copies the caller's strings.
func TestA1AuthIsCopied(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	buf := []byte("pwdann")
	methods := []string{unsafeString(buf[:3])}
	s := c.load()
	want(t, s.LoginWith(unsafeString(buf[3:]), Auth{Methods: methods}), nil)
	copy(buf, "XXXXXX")
	methods[0] = "forged"
	c.respond(s)
	equal(t, "subject", c.load().Subject(), "ann")
	wantAuth(t, "after the buffer was used again", c.load().Auth(), 0, "pwd")
}

func TestLateLogin(t *testing.T) {
	t.Parallel()
	c := newSignedIn(t, newTestManager(t, Options{}), "ann")
	s := c.load()
	c.respond(s)
	want(t, s.LoginWith("bob", Auth{}), ErrLate)
	want(t, s.StepUp(Auth{}), ErrLate)
	want(t, s.Remember(true), ErrLate)
	equal(t, "subject", c.load().Subject(), "ann")
}

// A step-up with an older proof takes nothing from a later one.
func TestStepUpWithAnOlderProof(t *testing.T) {
	t.Parallel()
	for _, atOnce := range []bool{false, true} {
		inBubble(t, newSpy, func(t *testing.T, store *spy) {
			t.Helper()
			c := newClient(t, newTestManager(t, Options{Store: store, Lifetime: 12 * time.Hour}))
			if !atOnce {
				c.request(signInAs(t, "ann"))
			}
			c.request(func(s *Session) {
				if atOnce {
					want(t, s.Login("ann"), nil)
				}
				want(t, s.StepUp(Auth{At: time.Now().Add(-11 * time.Hour), Level: 2}), nil)
				equal(t, "fresh, before the commit", s.Fresh(time.Minute), true)
			})
			s := c.load()
			equal(t, "fresh", s.Fresh(time.Minute), true)
			equal(t, "fresh at level 2", s.FreshLevel(2, time.Hour), false)
			equal(t, "remaining", s.Remaining(), 12*time.Hour)
		})
	}
}
