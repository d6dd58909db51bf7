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
	ann     *Token // of the login in lose
	session *Session
}

// begin starts a session that transaction 1 created with s0=1.
func begin(t *testing.T) *scenario {
	t.Helper()
	p := &scenario{t: t, history: NewHistory(Rules{Idle: testIdle, Grace: testGrace})}
	v := p.history.Visit(nil, "creator")
	p.mustAllow(v.SawNothing(false))
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
	p.mustViolate(p.visit(p.first).SawNothing(true), "nothing has ended")
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
	p.mustAllow(p.visit(p.first).SawNothing(true))
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
	p.mustAllow(p.visit(p.first).SawNothing(true))
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
	p.mustAllow(p.visit(p.first).SawNothing(true))
	p.mustViolate(p.visit(p.first).Saw(seen), "dead before it came")
	late := p.visit(p.first)
	p.mustViolate(late.Settle(p.write(late, Op{Set, "s1", 3}), Acked, "id"), "changes the session")
	p.mustViolate(p.visit(next).SawNothing(true), "nothing has ended")
}

func TestUnansweredLoginIsSettledByALaterSave(t *testing.T) {
	t.Parallel()
	p := begin(t)
	p.settled(p.first, Unknown, Op{Login, "ann", 0})
	p.settled(p.first, Acked, Op{Set, "s1", 3})
	p.mustViolate(p.visit(p.first).SawNothing(true), "nothing has ended")
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

func TestRenewalKeepsTheOldCookieUntilDeliveryAndItsGrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := begin(t)
		next := p.cookie(p.settled(p.first, Acked, Op{Renew, "", 0}), "two")
		seen := newView([]int64{1, 2}, values{"s0": 1})
		time.Sleep(2 * testGrace) // The new cookie has not come back.
		p.mustAllow(p.visit(p.first).Saw(seen))
		p.mustViolate(p.visit(p.first).SawNothing(true), "nothing has ended")
		p.settled(next, Acked, Op{Set, "q0", 3})
		seen.Values["q0"] = 3
		p.mustAllow(p.visit(p.first).Saw(seen))
		p.mustViolate(p.visit(p.first).SawNothing(true), "nothing has ended")
		time.Sleep(testGrace + time.Millisecond)
		p.mustViolate(p.visit(p.first).Saw(seen), "dead before it came")
		p.mustAllow(p.visit(p.first).SawNothing(true))
		p.mustViolate(p.visit(p.first).SawNothing(false), "taken for a stranger")
		p.mustViolate(p.visit(next).SawNothing(true), "nothing has ended")
		time.Sleep(rememberedFor)
		p.mustAllow(p.visit(p.first).SawNothing(false))
	})
}

func TestLoginAgainKeepsTheOldCookieUntilDelivery(t *testing.T) {
	t.Parallel()
	p := begin(t)
	ann := p.cookie(p.settled(p.first, Acked, Op{Login, "ann", 0}), "two")
	again := p.cookie(p.settled(ann, Acked, Op{Login, "ann", 0}), "three")
	seen := newView([]int64{1, 2, 3}, values{"s0": 1})
	seen.Subject = "ann"
	p.mustAllow(p.visit(ann).Saw(seen))
	p.mustViolate(p.visit(ann).SawNothing(true), "nothing has ended")
	p.settled(again, Acked, Op{Add, UnloggedCounter, 0})
	seen.Values["u"] = 1
	p.mustAllow(p.visit(again).Saw(seen))
	p.mustViolate(p.visit(ann).Saw(seen), "dead before it came")
	p.mustAllow(p.visit(ann).SawNothing(true))
	p.mustViolate(p.visit(ann).SawNothing(false), "taken for a stranger")
	p.mustViolate(p.visit(again).SawNothing(true), "nothing has ended")
}

// lose returns a visitor who has found the session and is to lose against a login of ann.
func (p *scenario) lose() *Visit {
	p.t.Helper()
	v := p.visit(p.first)
	p.mustAllow(v.Saw(newView([]int64{1}, values{"s0": 1, "q0": 1, "u": 2})))
	p.ann = p.cookie(p.settled(p.first, Acked, Op{Login, "ann", 0}), "ann's")
	return v
}

// beginWithUnlogged is begin for a session with keys that are not logged.
func beginWithUnlogged(t *testing.T) *scenario {
	t.Helper()
	p := &scenario{t: t, history: NewHistory(Rules{Idle: testIdle, Grace: testGrace})}
	v := p.history.Visit(nil, "creator")
	ops := []Op{{Set, "s0", 1}, {Set, "q0", 1}, {Add, UnloggedCounter, 0}, {Add, UnloggedCounter, 0}}
	p.mustAllow(v.Settle(p.write(v, ops...), Acked, "id"))
	p.first = p.cookie(v, "one")
	p.session = p.first.Session
	return p
}

// own is the token of the session that bob has for himself.
func (p *scenario) own(v *Visit, value string) *Token {
	p.t.Helper()
	token, err := v.Cookie(value, "own")
	p.mustAllow(err)
	return token
}

func TestLoginThatLostStartsItsOwn(t *testing.T) {
	t.Parallel()
	p := beginWithUnlogged(t)
	v := p.lose()
	write := p.write(v, Op{Set, "s1", 3}, Op{Login, "bob", 0})
	p.mustAllow(v.Settle(write, Acked, "own"))
	token := p.own(v, "bob's")
	see := func(log []int64, vals values) error {
		view := &View{"own", "bob", vals, log}
		return p.visit(token).Saw(view)
	}
	p.mustAllow(see([]int64{1, 3}, values{"s0": 1, "s1": 3, "q0": 1, "u": 2}))
	p.mustViolate(see([]int64{1, 3}, values{"s1": 3, "q0": 1, "u": 2}), "its log gives")
	p.mustViolate(see([]int64{1, 3}, values{"s0": 1, "s1": 3, "u": 2}), "q0 holds 0")
	p.mustViolate(see([]int64{1, 3}, values{"s0": 1, "s1": 3, "q0": 1, "u": 1}), "the counter is 1")
	p.mustViolate(see([]int64{3}, values{"s1": 3}), "not the head")
	p.mustViolate(see([]int64{1, 2, 3}, values{"s0": 1, "s1": 3, "q0": 1, "u": 2}), "not its own")
	seen := newView([]int64{1, 2, 3}, values{"s0": 1, "s1": 3, "q0": 1, "u": 2})
	seen.Subject = "ann"
	p.mustViolate(p.visit(p.ann).Saw(seen), "not its own")
}

func TestLoginsJoinTheirOwn(t *testing.T) {
	t.Parallel()
	p := beginWithUnlogged(t)
	first := p.lose()
	second, third := p.visit(p.first), p.visit(p.first)
	for _, v := range []*Visit{second, third} {
		v.startTick = first.startTick // They have loaded before ann has signed in.
		p.mustAllow(v.Saw(newView([]int64{1}, values{"s0": 1, "q0": 1, "u": 2})))
	}
	begun := p.write(first, Op{Set, "s1", 3}, Op{Login, "bob", 0})
	joins := p.write(second, Op{Set, "s1", 4}, Op{Login, "bob", 0})
	eve := p.write(third, Op{Login, "eve", 0})
	p.mustAllow(second.Settle(joins, Acked, "own")) // It is told first.
	token := p.own(second, "bob's")
	view := &View{"own", "bob", values{"s0": 1, "s1": 4, "q0": 1, "u": 2}, []int64{1, begun.ID, joins.ID}}
	p.mustAllow(p.visit(token).Saw(view))
	p.mustViolate(p.visit(token).Saw(&View{"own", "bob", values{"s0": 1, "s1": 4, "q0": 1, "u": 2}, []int64{1, joins.ID}}), "lost")
	p.mustAllow(first.Settle(begun, Acked, "own"))
	p.own(first, "bob's other")
	p.mustViolate(third.Settle(eve, Acked, "own"), "another session was created")
}

func TestLoginIsNeverRefused(t *testing.T) {
	t.Parallel()
	p := beginWithUnlogged(t)
	v := p.lose()
	p.mustViolate(v.Settle(p.write(v, Op{Login, "bob", 0}), Gone, "id"), "was refused")
}

func TestOvertakenLoginJoins(t *testing.T) {
	t.Parallel()
	p := begin(t)
	ann := p.cookie(p.settled(p.first, Acked, Op{Login, "ann", 0}), "two")
	late := p.visit(p.first)
	p.mustAllow(late.SawNothing(true))
	join := p.write(late, Op{Set, "s1", 3}, Op{Login, "ann", 0}, Op{Set, "s2", 3})
	if !late.Refuse(join, 1) {
		t.Fatal("nothing is left")
	}
	p.mustAllow(late.Settle(join, Acked, "id"))
	seen := newView([]int64{1, 2, 3}, values{"s0": 1, "s2": 3})
	seen.Subject = "ann"
	p.mustAllow(p.visit(ann).Saw(seen))
	p.mustAllow(p.visit(p.cookie(late, "three")).Saw(seen))
	eve := p.visit(p.first)
	p.mustAllow(eve.SawNothing(true))
	p.mustViolate(eve.Settle(p.write(eve, Op{Login, "eve", 0}), Acked, "id"), "another session was created")
}

func TestRefusedIsNotThere(t *testing.T) {
	t.Parallel()
	p := begin(t)
	ann := p.cookie(p.settled(p.first, Acked, Op{Login, "ann", 0}), "two")
	late := p.visit(p.first)
	p.mustAllow(late.SawNothing(true))
	if refused := p.write(late, Op{Set, "s1", 3}); late.Refuse(refused, 1) {
		t.Fatal("something is left")
	}
	seen := newView([]int64{1, 2, 3}, values{"s0": 1, "s1": 3})
	seen.Subject = "ann"
	p.mustViolate(p.visit(ann).Saw(seen), "not its own")
}

func TestStrangersAreNotOvertaken(t *testing.T) {
	t.Parallel()
	p := begin(t)
	p.mustViolate(p.history.Visit(nil, "stranger").SawNothing(true), "without a cookie is overtaken")
	p.settled(p.first, Acked, Op{Destroy, "", 0})
	p.mustAllow(p.visit(p.first).SawNothing(true))
	p.mustViolate(p.visit(p.first).SawNothing(false), "taken for a stranger")
}

func TestLeftAloneExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := begin(t)
		if !p.history.Abandon(p.session, 0) || p.history.Usable(p.first) {
			t.Fatal("the session is not left alone")
		}
		time.Sleep(testIdle + slack + time.Millisecond)
		p.mustAllow(p.visit(p.first).SawNothing(true))
		p.mustViolate(p.visit(p.first).Saw(newView([]int64{1}, values{"s0": 1})), "dead before it came")
	})
}

// A timeout that went unanswered may have been set.
func TestUnansweredTimeoutMayBeOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := begin(t)
		p.settled(p.first, Unknown, Op{Expire, "", int64(time.Second)})
		p.mustViolate(p.visit(p.first).SawNothing(true), "nothing has ended")
		time.Sleep(time.Second)
		p.mustAllow(p.visit(p.first).SawNothing(true))
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
	p.mustAllow(v.SawNothing(false))
	p.mustViolate(v.Settle(p.write(v, Op{Set, "s0", 2}), Acked, "id"), "another session was created")
}
