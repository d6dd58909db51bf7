package core

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/record"
)

// operation is one change that a handler makes to a delta, given what it sees under the key.
type operation struct {
	name  string
	key   string
	apply func(d *delta, value string, present bool)
}

// operations returns the changes from which TestAddIsOneAfterTheOther builds deltas.
func operations() []operation {
	ops := []operation{{"clear", "", func(d *delta, _ string, _ bool) { d.clear() }}}
	set := func(key string) {
		ops = append(ops, operation{"set " + key, key, func(d *delta, _ string, _ bool) { d.put(setTo(key, "set")) }})
	}
	remove := func(key string) {
		ops = append(ops, operation{"delete " + key, key, func(d *delta, _ string, _ bool) { d.put(deletionOf(key)) }})
	}
	update := func(key, suffix string) {
		fn := appending(suffix)
		ops = append(ops, operation{"update " + key + suffix, key, func(d *delta, value string, present bool) {
			result, _ := fn([]byte(value), present)
			d.putUpdate([]byte(key), fn, result)
		}})
	}
	set("a")
	remove("a")
	update("a", "+")
	update("a", "!")
	set("b")
	update("b", "+")
	return ops
}

// smallDeltas calls use with each delta of at most two operations on the base.
func smallDeltas(base *record.Snapshot, use func(name string, d *delta)) {
	ops := operations()
	build := func(sequence ...operation) {
		d, name := &delta{}, ""
		for _, op := range sequence {
			view := after(base, d)
			_, value, present := view.Find(op.key)
			op.apply(d, string(value), present)
			name += op.name + ", "
		}
		use(name, d)
	}
	build()
	for _, first := range ops {
		build(first)
		for _, second := range ops {
			build(first, second)
		}
	}
}

// after returns the snapshot with the delta applied as it is.
func after(base *record.Snapshot, d *delta) *record.Snapshot {
	h := base.Header()
	out := encodeRecord(&base.Record, &h, d.appendEntries(nil, base))
	return &out
}

// afterMerge returns the snapshot with the delta applied after its updates have run again.
func afterMerge(t *testing.T, base *record.Snapshot, d *delta) *record.Snapshot {
	t.Helper()
	again, err := d.reapply(base)
	want(t, err, nil)
	return after(base, again)
}

// sameEntries reports whether two snapshots have the same values, in whatever order.
func sameEntries(a, b *record.Snapshot) bool {
	same := a.Len() == b.Len()
	a.Each(func(key, value []byte) {
		_, other, ok := b.Find(string(key))
		same = same && ok && bytes.Equal(other, value)
	})
	return same
}

// TestAddIsOneAfterTheOther goes through all pairs of small deltas, of which the second was made
// on top of the first. Adding them up has the effect of applying one after the other: on the base
// for which they were made, and on any other after their updates have run again.
func TestAddIsOneAfterTheOther(t *testing.T) {
	t.Parallel()
	var bases []record.Snapshot
	for _, entries := range [][]record.Entry{
		nil, {entry("a", "x")}, {entry("b", "y"), entry("c", "z")}, {entry("a", "v"), entry("b", "w")},
	} {
		bases = append(bases, storedSnapshot(&record.Header{}, entries...))
	}
	for i := range bases {
		base := &bases[i]
		smallDeltas(base, func(first string, d1 *delta) {
			once := after(base, d1)
			var merged []*record.Snapshot
			for j := range bases {
				merged = append(merged, afterMerge(t, &bases[j], d1))
			}
			smallDeltas(once, func(second string, d2 *delta) {
				sum := *d1
				sum.keys = slices.Clone(d1.keys)
				sum.add(d2)
				if got, wanted := after(base, &sum), after(once, d2); !sameEntries(got, wanted) {
					t.Fatalf("%sthen %son %s: %s, want %s",
						first, second, entriesOf(base), entriesOf(got), entriesOf(wanted))
				}
				for j := range bases {
					other := &bases[j]
					got, wanted := afterMerge(t, other, &sum), afterMerge(t, merged[j], d2)
					if !sameEntries(got, wanted) {
						t.Fatalf("%sthen %smerged into %s: %s, want %s",
							first, second, entriesOf(other), entriesOf(got), entriesOf(wanted))
					}
				}
			})
		})
	}
}

// TestAddLoginAndDuration does the same with what a delta changes apart from values, for one
// subject. (A timeout that is chosen before another subject signs in is kept if both are in one
// delta, which does not know their order.)
func TestAddLoginAndDuration(t *testing.T) {
	t.Parallel()
	secret := counting(0)
	h := signedIn(secret)
	h.OwnIdle, h.Idle = true, ms(3*time.Hour)
	base := storedBase(secret, &h)
	c := newComposer(policy{expiry: time.Hour})
	deltas := deltasWithoutValues()
	for i, d1 := range deltas {
		first := composeOK(t, c, base, d1, momentAt(0))
		once := &verified{snap: first.snap, ticket: first.ticket}
		for j, d2 := range deltas {
			second := composeOK(t, c, once, d2, momentAt(0))
			sum := *d1
			sum.add(d2)
			both := composeOK(t, c, base, &sum, momentAt(0))
			got, wanted := both.snap.Header(), second.snap.Header()
			name := fmt.Sprint("deltas ", i, " and ", j)
			equal(t, name+": times", got.Times, wanted.Times)
			equal(t, name+": subject", string(got.Subject), string(wanted.Subject))
			equal(t, name+": account", string(got.Account), string(wanted.Account))
		}
	}
}

// deltasWithoutValues returns each combination of a login, a timeout and a persistence.
func deltasWithoutValues() (all []*delta) {
	hour, permanent, follow := ms(time.Hour), int64(0), int64(followPolicy)
	for _, l := range []*login{
		nil,
		{subject: "ann", at: testTime + 1, proof: record.Proof{Methods: []string{"otp"}, Levels: atLevel(2)}},
		{subject: "ann", at: testTime + 2, proof: record.Proof{Methods: []string{"hwk"}, Levels: atLevel(3)}, stepUp: true},
	} {
		for _, expiry := range []*int64{nil, &hour, &permanent, &follow} {
			for _, cookie := range []record.CookiePersistence{
				record.CookiePolicy, record.CookieRemember, record.CookieForget,
			} {
				d := &delta{login: l, expiry: expiry, cookie: cookie}
				if l != nil {
					d.secret = secretLogin
				}
				all = append(all, d)
			}
		}
	}
	return all
}
