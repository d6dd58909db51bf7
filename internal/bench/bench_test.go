package bench

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/cloakroom-go/sessions/internal/testserver"
)

// newEnv returns an environment with a Redis.
func newEnv(tb testing.TB) environment {
	tb.Helper()
	return environment{payload: fiveKeys(), redis: testserver.Shared(tb, testserver.Redis{}).Addr()}
}

// TestSubjects verifies each subject in each use case, and that each request of a slot counts.
// Tests that build apps do not run in parallel, because some libraries write to package variables.
func TestSubjects(t *testing.T) {
	for _, s := range subjects() {
		t.Run(s.String(), func(t *testing.T) {
			env := environment{payload: fiveKeys()}
			if s.store == inRedis {
				env = newEnv(t)
			}
			for _, u := range useCases() {
				b, err := newBenchmark(t.Context(), s, u, env)
				if err != nil {
					t.Fatal(err)
				}
				b.slotRequests = 10
				if err := b.measureSlot(t.Context()); err != nil {
					t.Error(err)
				}
				if err := b.check(t.Context()); err != nil {
					t.Error(err)
				}
				b.close()
			}
		})
	}
}

// TestRequestersAllocateNothing uses bare frameworks, none of which allocates for a handler that
// does next to nothing.
func TestRequestersAllocateNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, s := range subjectsWhere((*subject).isBare) {
		a, err := s.build(environment{payload: fiveKeys()})
		if err != nil {
			t.Fatal(err)
		}
		r, err := a.connectedRequester(t.Context(), actionRead)
		if err != nil {
			t.Fatal(err)
		}
		for _, cookie := range []string{"", cookieWithoutSession} {
			r.setCookie(cookie)
			if n := testing.AllocsPerRun(100, func() { r.send() }); n != 0 {
				t.Errorf("%v: the harness allocates %v times", s, n)
			}
			if r.responseBody() != okBody {
				t.Errorf("%v: the body is %q", s, r.responseBody())
			}
		}
	}
}

// TestReplaySendsTheSameCommands records the commands of a subject, replays them, and counts them.
func TestReplaySendsTheSameCommands(t *testing.T) {
	env := newEnv(t)
	env.db = 9
	cloakroom := subjectsWhere(isGinOnRedis)[0]
	for _, u := range useCases()[:3] {
		r, err := recordReplay(t.Context(), cloakroom, &u, env, 5)
		if err != nil {
			t.Fatal(err)
		}
		interleaved, err := newBenchmark(t.Context(), subjectsWhere(isGinInMemory)[0], u, env)
		if err != nil {
			t.Fatal(err)
		}
		before := interleaved.sent
		for _, m := range replayModes() {
			other := r.withMode(m, interleaved)
			if err := errors.Join(other.measureSlot(t.Context()), other.check(t.Context())); err != nil || len(other.samples) != 1 {
				t.Errorf("%d samples, %v", len(other.samples), err)
			}
		}
		if want := len(replayModes()) * len(r.requests); interleaved.sent-before != want {
			t.Errorf("%d requests were interleaved, want %d", interleaved.sent-before, want)
		}
		interleaved.close()
		sent, err := countTraffic(t.Context(), cloakroom, &u, env)
		if want := float64(len(r.requests[0])); err != nil || sent.commands != want || sent.trips != want {
			t.Errorf("case %s: %+v, %v, want %v commands in as many round trips", u.name, sent, err, want)
		}
		if u.action != actionRead {
			r.requests = r.requests[1:]
			if err := errors.Join(r.measureSlot(t.Context()), r.check(t.Context())); err == nil {
				t.Errorf("case %s: that a request is missing goes unnoticed", u.name)
			}
		}
	}
}

// TestRedisProxyTellsRoundTripsFromCommands uses a client that sends two commands at once.
func TestRedisProxyTellsRoundTripsFromCommands(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	proxy, err := newRedisProxy(t.Context(), env.redis)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.close()
	env.redis = proxy.addr()
	c := newClient(env)
	p := c.Pipeline()
	p.Ping(t.Context())
	c.Ping(t.Context())
	if _, err := p.Exec(t.Context()); err != nil { // Pipelines have connections of their own.
		t.Fatal(err)
	}
	proxy.take()
	p.Ping(t.Context())
	p.Echo(t.Context(), strings.Repeat("long", 100_000))
	if _, err := p.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Ping(t.Context())
	if commands, trips := proxy.take(); len(commands) != 3 || trips != 2 {
		t.Errorf("%d commands in %d round trips, want 3 in 2", len(commands), trips)
	}
}

// forgetful is a library that stores nothing, or gives every visitor the same session.
type forgetful struct {
	bareLibrary[*fiber.Ctx]
	shared *int
}

func (f forgetful) read(*fiber.Ctx) (int, error) { return *f.shared, nil }

func (f forgetful) change(*fiber.Ctx) error { *f.shared++; return nil }

// TestVerifyFails uses libraries that do not keep sessions.
func TestVerifyFails(t *testing.T) {
	t.Parallel()
	env := environment{payload: fiveKeys()}
	for name, lib := range map[string]library[*fiber.Ctx]{
		"stores nothing":       bareLibrary[*fiber.Ctx]{},
		"shares one session":   forgetful{shared: new(int)},
		"needs no cookie, too": forgetful{shared: func() *int { n := 1; return &n }()},
	} {
		if err := fiberApp(env, lib).verify(t.Context()); err == nil {
			t.Errorf("a library that %s passes", name)
		}
	}
}

// TestVerifyFailsIfUntouchedSessionsAreSaved has apps that claim the opposite of what they do.
func TestVerifyFailsIfUntouchedSessionsAreSaved(t *testing.T) {
	env := environment{payload: fiveKeys()}
	for _, s := range []*subject{
		subjectsWhere(isGinInMemory)[0],
		subjectsWhere(func(s *subject) bool { return s.framework == onFiberV3 && s.store == inMemory && !s.isCloakroom() })[0],
	} {
		a, err := s.build(env)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.verify(t.Context()); err != nil {
			t.Errorf("%v: %v", s, err)
		}
		a.alwaysSaves = !a.alwaysSaves
		if a.verify(t.Context()) == nil {
			t.Errorf("%v: whether an untouched session is saved goes unnoticed", s)
		}
		a.close()
	}
}

// TestVerifyFailsWithoutTheCookie uses a baseline whose middleware is missing.
func TestVerifyFailsWithoutTheCookie(t *testing.T) {
	t.Parallel()
	s := &subject{onFiber, baselineName, "", buildFunc(func(env environment) (*app, error) {
		return fiberApp(env, baselineLibrary[*fiber.Ctx]{contextOf: fiberContext}), nil
	})}
	if _, err := newBenchmark(t.Context(), s, useCases()[4], environment{payload: fiveKeys()}); err == nil {
		t.Error("it passes")
	}
}

// TestCheckNoticesLostRequests pretends that one more request was sent.
func TestCheckNoticesLostRequests(t *testing.T) {
	s, env := subjectsWhere((*subject).isCloakroom)[0], environment{payload: fiveKeys()}
	b, err := newBenchmark(t.Context(), s, useCases()[1], env)
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	b.sent++
	if b.check(t.Context()) == nil {
		t.Error("a change that was lost goes unnoticed")
	}
}

func TestStoresUnderTest(t *testing.T) {
	t.Parallel()
	for _, build := range storesUnderTest() {
		s, err := build(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		keys, err := s.fill(1024, time.Now().Add(time.Hour), time.Now().Add(time.Hour))
		if s.sweepInterval < 0 { // only its size is measured
			s.get = func(key string) bool { return key != "nothing" }
		}
		if err != nil || len(keys) != 2 || !s.get(keys[0]) || s.get("nothing") {
			t.Errorf("%s: %d keys, %v, or it does not return what it has", s.name, len(keys), err)
		}
		// It is not closed, since stopping its cleanup this early is a data race in scs.
	}
}
