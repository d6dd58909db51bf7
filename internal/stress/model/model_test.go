package model

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const (
	testIdle  = 12 * time.Second
	testGrace = 3 * time.Second
)

// scenario is a history to which a test adds what happens next.
type scenario struct {
	t       *testing.T
	history *History
	first   *Token
	session *Session
}

// begin starts a session that transaction 1 created with s0=1.
func begin(t *testing.T) *scenario {
	t.Helper()
	p := &scenario{t: t, history: NewHistory(Rules{Idle: testIdle, Grace: testGrace})}
	v := p.history.Visit(nil, "creator")
	p.mustAllow(v.SawNothing())
	p.mustAllow(v.Settle(p.write(v, Op{Set, "s0", 1}), Acked, "id"))
	p.first = p.cookie(v, "one")
	p.session = p.first.Session
	return p
}

func (p *scenario) mustAllow(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatalf("what may happen is a violation: %v", err)
	}
}

// mustViolate checks that something is a violation with this text.
func (p *scenario) mustViolate(err error, want string) {
	p.t.Helper()
	if !IsViolation(err) || !strings.Contains(err.Error(), want) {
		p.t.Errorf("= %v, want a violation: %q", err, want)
	}
}

func (p *scenario) cookie(v *Visit, value string) *Token {
	p.t.Helper()
	token, err := v.Cookie(value, "id")
	p.mustAllow(err)
	return token
}

func (p *scenario) visit(token *Token) *Visit { return p.history.Visit(token, "visitor") }

func (p *scenario) write(v *Visit, ops ...Op) *Tx { return v.Begin(func(int64) []Op { return ops }) }

// settled is a request that writes and whose outcome is recorded.
func (p *scenario) settled(token *Token, outcome Outcome, ops ...Op) *Visit {
	p.t.Helper()
	v := p.visit(token)
	p.mustAllow(v.Settle(p.write(v, ops...), outcome, "id"))
	return v
}

func newView(log []int64, values map[string]int64) *View {
	return &View{ID: "id", Values: values, Log: log}
}

type values = map[string]int64

func TestAcknowledgedIsThere(t *testing.T) {
	t.Parallel()
	p := begin(t)
	p.settled(p.first, Acked, Op{Set, "s1", 2})
	p.mustAllow(p.visit(p.first).Saw(newView([]int64{1, 2}, values{"s0": 1, "s1": 2})))
	p.mustViolate(p.visit(p.first).Saw(newView([]int64{1}, values{"s0": 1})), "lost")
	p.mustViolate(p.visit(p.first).Saw(newView([]int64{1, 2}, values{"s0": 1})), "its log gives")
	p.mustViolate(p.visit(p.first).Saw(newView([]int64{1, 2, 2}, values{"s0": 1, "s1": 2})), "twice")
	p.mustViolate(p.visit(p.first).Saw(newView(nil, nil)), "log is missing")
	p.mustViolate(p.visit(p.first).Saw(newView([]int64{1, 2, 9}, values{"s0": 1, "s1": 2})), "not its own")
	p.mustViolate(p.visit(p.first).SawNothing(), "nothing has ended")
}

func TestUnansweredMayBeThereUntilALaterSave(t *testing.T) {
	t.Parallel()
	p := begin(t)
	p.settled(p.first, Unknown, Op{Set, "s1", 2})
	p.mustAllow(p.visit(p.first).Saw(newView([]int64{1}, values{"s0": 1})))
	p.settled(p.first, Acked, Op{Set, "s2", 3})
	p.mustAllow(p.visit(p.first).Saw(newView([]int64{1, 3}, values{"s0": 1, "s2": 3})))
	p.mustViolate(p.visit(p.first).Saw(newView([]int64{1, 3, 2}, values{"s0": 1, "s1": 2, "s2": 3})), "which began after its end")
	p.mustViolate(p.visit(p.first).Saw(newView([]int64{1, 2, 3}, values{"s0": 1, "s1": 2, "s2": 3})), "its log was")
}

func TestSeenIsThereForGood(t *testing.T) {
	t.Parallel()
	p := begin(t)
	p.settled(p.first, Unknown, Op{Set, "s1", 2})
	p.mustAllow(p.visit(p.first).Saw(newView([]int64{1, 2}, values{"s0": 1, "s1": 2})))
	p.mustViolate(p.visit(p.first).Saw(newView([]int64{1}, values{"s0": 1})), "lost")
}

func TestClearTakesWhatCameBefore(t *testing.T) {
	t.Parallel()
	p := begin(t)
	p.settled(p.first, Acked, Op{Set, "q0", 2})
	p.settled(p.first, Acked, Op{Clear, "", 0}, Op{Set, "s1", 3})
	p.mustAllow(p.visit(p.first).Saw(newView([]int64{3}, values{"s1": 3})))
	p.mustViolate(p.visit(p.first).Saw(newView([]int64{3}, values{"s1": 3, "q0": 2})), "before the clear")
	p.mustViolate(p.visit(p.first).Saw(newView([]int64{1}, values{"s0": 1})), "lost")
	p.settled(p.first, Acked, Op{Set, "s2", 4})
	p.mustViolate(p.visit(p.first).Saw(newView([]int64{3}, values{"s1": 3})), "lost")
}

func TestUnloggedKeysHoldTheirBounds(t *testing.T) {
	t.Parallel()
	p := begin(t)
	log, base := []int64{1}, int64(1)
	p.settled(p.first, Acked, Op{Set, "q0", 2}, Op{Add, UnloggedCounter, 0})
	p.settled(p.first, Unknown, Op{Set, "q0", 3}, Op{Add, UnloggedCounter, 0})
	for _, may := range []values{{"q0": 2, "u": 1}, {"q0": 3, "u": 2}} {
		may["s0"] = base
		p.mustAllow(p.visit(p.first).Saw(newView(log, may)))
	}
	p.mustViolate(p.visit(p.first).Saw(newView(log, values{"s0": base, "q0": 2, "u": 2})), "q0 holds 2")
	p.mustViolate(p.visit(p.first).Saw(newView(log, values{"s0": base, "q0": 3, "u": 1})), "the counter is 1")
	p.mustViolate(p.visit(p.first).Saw(newView(log, values{"s0": base, "q0": 3, "u": 3})), "the counter is 3")
	p.mustViolate(p.visit(p.first).Saw(newView(log, values{"s0": base, "u": 2})), "q0 holds 0")
}

func TestDestroyIsForGood(t *testing.T) {
	t.Parallel()
	p := begin(t)
	before := p.visit(p.first)
	p.settled(p.first, Acked, Op{Destroy, "", 0})
	p.mustAllow(before.Saw(newView([]int64{1}, values{"s0": 1}))) // it may have loaded before
	p.mustAllow(p.visit(p.first).SawNothing())
	p.mustViolate(p.visit(p.first).Saw(newView([]int64{1}, values{"s0": 1})), "dead before it came")
	if !p.history.Ended(p.session) {
		t.Error("the session has not ended")
	}
}

func TestUnansweredDestroyMayComeLater(t *testing.T) {
	t.Parallel()
	p := begin(t)
	p.settled(p.first, Unknown, Op{Destroy, "", 0})
	p.mustAllow(p.visit(p.first).Saw(newView([]int64{1}, values{"s0": 1})))
	p.mustAllow(p.visit(p.first).SawNothing())
	p.mustViolate(p.visit(p.first).Saw(newView([]int64{1}, values{"s0": 1})), "dead before it came")
}

func TestLoginEndsTheOldCookie(t *testing.T) {
	t.Parallel()
	p := begin(t)
	next := p.cookie(p.settled(p.first, Acked, Op{Login, "ann", 0}), "two")
	seen := newView([]int64{1, 2}, values{"s0": 1})
	p.mustViolate(p.visit(next).Saw(seen), "opens the session of")
	seen.Subject = "ann"
	p.mustAllow(p.visit(next).Saw(seen))
	p.mustAllow(p.visit(p.first).SawNothing())
	p.mustViolate(p.visit(p.first).Saw(seen), "dead before it came")
	late := p.visit(p.first)
	p.mustViolate(late.Settle(p.write(late, Op{Set, "s1", 3}), Acked, "id"), "changes the session")
	p.mustViolate(p.visit(next).SawNothing(), "nothing has ended")
}

func TestUnansweredLoginIsSettledByALaterSave(t *testing.T) {
	t.Parallel()
	p := begin(t)
	p.settled(p.first, Unknown, Op{Login, "ann", 0})
	p.settled(p.first, Acked, Op{Set, "s1", 3})
	p.mustViolate(p.visit(p.first).SawNothing(), "nothing has ended")
}

func TestGoneNeedsAReason(t *testing.T) {
	t.Parallel()
	p := begin(t)
	v := p.visit(p.first)
	p.mustViolate(v.Settle(p.write(v, Op{Set, "s1", 2}), Gone, "id"), "nothing has ended")
	p = begin(t)
	p.settled(p.first, Acked, Op{Destroy, "", 0})
	p.settled(p.first, Gone, Op{Set, "s1", 3})
}

func TestRenewalKeepsTheOldCookieForItsGrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := begin(t)
		next := p.cookie(p.settled(p.first, Acked, Op{Renew, "", 0}), "two")
		seen := newView([]int64{1, 2}, values{"s0": 1})
		p.mustAllow(p.visit(p.first).Saw(seen))
		p.mustViolate(p.visit(p.first).SawNothing(), "nothing has ended")
		time.Sleep(testGrace + time.Millisecond)
		p.mustViolate(p.visit(p.first).Saw(seen), "dead before it came")
		p.mustAllow(p.visit(p.first).SawNothing())
		p.mustViolate(p.visit(next).SawNothing(), "nothing has ended")
	})
}

func TestLeftAloneExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := begin(t)
		if !p.history.Abandon(p.session, 0) || p.history.Usable(p.first) {
			t.Fatal("the session is not left alone")
		}
		time.Sleep(testIdle + slack + time.Millisecond)
		p.mustAllow(p.visit(p.first).SawNothing())
		p.mustViolate(p.visit(p.first).Saw(newView([]int64{1}, values{"s0": 1})), "dead before it came")
	})
}

// A timeout that went unanswered may have been set.
func TestUnansweredTimeoutMayBeOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := begin(t)
		p.settled(p.first, Unknown, Op{Expire, "", int64(time.Second)})
		p.mustViolate(p.visit(p.first).SawNothing(), "nothing has ended")
		time.Sleep(time.Second)
		p.mustAllow(p.visit(p.first).SawNothing())
	})
}

func TestIdentityStays(t *testing.T) {
	t.Parallel()
	p := begin(t)
	p.mustViolate(p.visit(p.first).Saw(&View{ID: "other", Log: []int64{1}}), "its id has become")
	v := p.visit(p.first)
	if _, err := v.Cookie("x", "other"); !IsViolation(err) {
		t.Errorf("a cookie of another session = %v, want a violation", err)
	}
	v = p.visit(nil)
	p.mustViolate(v.Saw(newView([]int64{1}, values{"s0": 1})), "without a cookie")
	v = p.visit(nil)
	p.mustAllow(v.SawNothing())
	p.mustViolate(v.Settle(p.write(v, Op{Set, "s0", 2}), Acked, "id"), "another session was created")
}
