package bench

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/cloakroom-go/sessions/internal/testserver"
)

// newWorld is a world with a Redis.
func newWorld(tb testing.TB) world {
	tb.Helper()
	return world{payload: fiveKeys(), redis: testserver.Shared(tb, testserver.Redis{}).Addr()}
}

// TestContenders proves each contender in each case, and that each request of a slot counts. Tests that build sites do not
// run in parallel: some peers change variables of their packages meanwhile.
func TestContenders(t *testing.T) {
	for _, c := range contenders() {
		t.Run(c.String(), func(t *testing.T) {
			w := world{payload: fiveKeys()}
			if c.store == redisStore {
				w = newWorld(t)
			}
			for _, u := range useCases() {
				trial, err := newTrial(t.Context(), c, u, w)
				if err != nil {
					t.Fatal(err)
				}
				trial.n = 10
				if err := trial.slot(t.Context()); err != nil {
					t.Error(err)
				}
				if err := trial.check(t.Context()); err != nil {
					t.Error(err)
				}
				trial.close()
			}
		})
	}
}

// TestExchangesAllocateNothing has bare frameworks, none of which allocates for a handler that does next to nothing.
func TestExchangesAllocateNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, c := range choose((*contender).isBare) {
		s, err := c.build(world{payload: fiveKeys()})
		if err != nil {
			t.Fatal(err)
		}
		x := s.exchange(t.Context(), read)
		for _, cookie := range []string{"", bareField} {
			x.carry(cookie)
			if n := testing.AllocsPerRun(100, func() { x.send() }); n != 0 {
				t.Errorf("%v: the harness allocates %v times", c, n)
			}
			if x.body() != okBody {
				t.Errorf("%v: the body is %q", c, x.body())
			}
		}
	}
}

// TestFloorPlaysTheSameCommands records what a contender sends to Redis, plays it again, and counts it.
func TestFloorPlaysTheSameCommands(t *testing.T) {
	w := newWorld(t)
	w.db = 9
	ours := choose(isOursOnGin)[0]
	for _, u := range useCases()[:3] {
		tape, err := record(t.Context(), ours, &u, w, 5)
		if err != nil {
			t.Fatal(err)
		}
		besides, err := newTrial(t.Context(), choose(isOursInMemory)[0], u, w)
		if err != nil {
			t.Fatal(err)
		}
		before := besides.sent
		for _, m := range manners() {
			played := tape.in(m, besides)
			if err := errors.Join(played.slot(t.Context()), played.check(t.Context())); err != nil || len(played.figures) != 1 {
				t.Errorf("%d figures, %v", len(played.figures), err)
			}
		}
		if want := len(manners()) * len(tape.played); besides.sent-before != want {
			t.Errorf("%d requests were sent in turn, want %d", besides.sent-before, want)
		}
		besides.close()
		sent, err := countTraffic(t.Context(), ours, &u, w)
		if want := float64(len(tape.played[0])); err != nil || sent.commands != want || sent.trips != want {
			t.Errorf("case %s: %+v, %v, want %v commands in as many round trips", u.name, sent, err, want)
		}
		if u.action != read {
			tape.played = tape.played[1:]
			if err := errors.Join(tape.slot(t.Context()), tape.check(t.Context())); err == nil {
				t.Errorf("case %s: that a request is missing goes unnoticed", u.name)
			}
		}
	}
}

// TestWireTellsTripsFromCommands has a client that sends two commands at once.
func TestWireTellsTripsFromCommands(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wire, err := newWire(t.Context(), w.redis)
	if err != nil {
		t.Fatal(err)
	}
	defer wire.close()
	w.redis = wire.addr()
	c := newClient(w)
	c.Ping(t.Context())
	wire.take()
	p := c.Pipeline()
	p.Ping(t.Context())
	p.Echo(t.Context(), strings.Repeat("long", 100_000))
	if _, err := p.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Ping(t.Context())
	if commands, trips := wire.take(); len(commands) != 3 || trips != 2 {
		t.Errorf("%d commands in %d round trips, want 3 in 2", len(commands), trips)
	}
}

// forgetful is a library that stores nothing, or gives every visitor the same session.
type forgetful struct {
	bare[*fiber.Ctx]
	shared *int
}

func (f forgetful) read(*fiber.Ctx) (int, error) { return *f.shared, nil }

func (f forgetful) change(*fiber.Ctx) error { *f.shared++; return nil }

// TestProofFails has contenders that pretend.
func TestProofFails(t *testing.T) {
	t.Parallel()
	w := world{payload: fiveKeys()}
	for name, lib := range map[string]library[*fiber.Ctx]{
		"stores nothing":       bare[*fiber.Ctx]{},
		"shares one session":   forgetful{shared: new(int)},
		"needs no cookie, too": forgetful{shared: func() *int { n := 1; return &n }()},
	} {
		if err := fiberSite(w, lib).prove(t.Context()); err == nil {
			t.Errorf("a library that %s passes", name)
		}
	}
}

// TestProofFailsWithoutTheCookie has a contender that keeps none.
func TestProofFailsWithoutTheCookie(t *testing.T) {
	t.Parallel()
	c := &contender{"Fiber", cookieKept, "", buildFunc(func(w world) (*site, error) {
		return fiberSite(w, keeping[*fiber.Ctx]{context: fiberContext}), nil
	})}
	if _, err := newTrial(t.Context(), c, useCases()[4], world{payload: fiveKeys()}); err == nil {
		t.Error("it passes")
	}
}

// TestCheckNoticesLostRequests has a request whose change is not counted on.
func TestCheckNoticesLostRequests(t *testing.T) {
	trial, err := newTrial(t.Context(), choose((*contender).isOurs)[0], useCases()[1], world{payload: fiveKeys()})
	if err != nil {
		t.Fatal(err)
	}
	defer trial.close()
	trial.sent++
	if trial.check(t.Context()) == nil {
		t.Error("a change that was lost goes unnoticed")
	}
}

func TestShelves(t *testing.T) {
	t.Parallel()
	for _, build := range shelves() {
		s, err := build(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		keys, err := s.fill(1024, time.Now().Add(time.Hour), time.Now().Add(time.Hour))
		if s.sweep < 0 { // it is only weighed
			s.get = func(key string) bool { return key != "nothing" }
		}
		if err != nil || len(keys) != 2 || !s.get(keys[0]) || s.get("nothing") {
			t.Errorf("%s: %d keys, %v, or it does not return what it has", s.name, len(keys), err)
		}
		// It is not closed: to stop its sweep so soon is a data race of scs's.
	}
}
