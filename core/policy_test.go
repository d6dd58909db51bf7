package core

import (
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/record"
	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

func TestIdleTimeout(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		policy policy
		times  record.Times
		wanted time.Duration // 0 for a permanent session
	}{
		"same policy as at the last save": {
			policy{expiry: time.Hour}, record.Times{Idle: ms(time.Hour)}, time.Hour,
		},
		"shorter policy for an older session": {
			policy{expiry: time.Hour}, record.Times{Idle: ms(24 * time.Hour)}, time.Hour,
		},
		"longer policy for an older session": {
			policy{expiry: 24 * time.Hour}, record.Times{Idle: ms(time.Hour)}, 24 * time.Hour,
		},
		"permanent session of before": {
			policy{expiry: time.Hour}, record.Times{}, time.Hour,
		},
		"permanent by policy": {
			policy{}, record.Times{Idle: ms(time.Hour)}, 0,
		},
		"own timeout, longer than the policy": {
			policy{expiry: time.Hour}, record.Times{Idle: ms(10 * time.Hour), OwnIdle: true}, 10 * time.Hour,
		},
		"own timeout, shorter than the policy": {
			policy{expiry: time.Hour}, record.Times{Idle: ms(time.Minute), OwnIdle: true}, time.Minute,
		},
		"own timeout under a permanent policy": {
			policy{}, record.Times{Idle: ms(time.Minute), OwnIdle: true}, time.Minute,
		},
		"permanent by choice": {
			policy{expiry: time.Hour}, record.Times{OwnIdle: true}, 0,
		},
		"own timeout below the preset's limit": {
			policy{expiry: time.Minute, maxExpiry: time.Hour},
			record.Times{Idle: ms(time.Hour) - 1, OwnIdle: true},
			time.Hour - time.Millisecond,
		},
		"own timeout at the preset's limit": {
			policy{expiry: time.Minute, maxExpiry: time.Hour},
			record.Times{Idle: ms(time.Hour), OwnIdle: true},
			time.Hour,
		},
		"own timeout beyond the preset's limit": {
			policy{expiry: time.Minute, maxExpiry: time.Hour},
			record.Times{Idle: ms(time.Hour) + 1, OwnIdle: true},
			time.Hour,
		},
		"permanent by choice under a preset": {
			policy{expiry: time.Minute, maxExpiry: time.Hour}, record.Times{OwnIdle: true}, time.Hour,
		},
		"no choice under a preset": {
			policy{expiry: time.Minute, maxExpiry: time.Hour},
			record.Times{Idle: ms(30 * time.Minute)},
			time.Minute,
		},
	} {
		equal(t, name, tc.policy.idleTimeout(&tc.times), ms(tc.wanted))
	}
}

func TestExpiresAt(t *testing.T) {
	t.Parallel()
	const seen = 10 * time.Hour // after the session was created
	for name, tc := range map[string]struct {
		policy policy
		times  record.Times
		wanted time.Duration // after the session was created; 0 for never
	}{
		"permanent":           {policy{}, record.Times{}, 0},
		"idle timeout":        {policy{expiry: time.Hour}, record.Times{}, 11 * time.Hour},
		"lifetime":            {policy{lifetime: 12 * time.Hour}, record.Times{}, 12 * time.Hour},
		"lifetime that ended": {policy{lifetime: time.Hour}, record.Times{}, time.Hour},
		"idle timeout before the lifetime": {
			policy{expiry: time.Hour, lifetime: 12 * time.Hour}, record.Times{}, 11 * time.Hour,
		},
		"lifetime before the idle timeout": {
			policy{expiry: 3 * time.Hour, lifetime: 12 * time.Hour}, record.Times{}, 12 * time.Hour,
		},
		"both at once": {
			policy{expiry: 2 * time.Hour, lifetime: 12 * time.Hour}, record.Times{}, 12 * time.Hour,
		},
		"own timeout": {
			policy{expiry: time.Hour}, record.Times{Idle: ms(5 * time.Hour), OwnIdle: true}, 15 * time.Hour,
		},
		"own timeout beyond the lifetime": {
			policy{expiry: time.Hour, lifetime: 12 * time.Hour},
			record.Times{Idle: ms(5 * time.Hour), OwnIdle: true},
			12 * time.Hour,
		},
		"permanent by choice under a lifetime": {
			policy{expiry: time.Hour, lifetime: 12 * time.Hour}, record.Times{OwnIdle: true}, 12 * time.Hour,
		},
	} {
		tc.times.Created, tc.times.Seen = testTime, testTime-1 // The argument counts, not Seen.
		wanted := int64(0)
		if tc.wanted != 0 {
			wanted = testTime + ms(tc.wanted)
		}
		equal(t, name, tc.policy.expiresAt(&tc.times, testTime+ms(seen)), wanted)
	}
}

func TestExpired(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		policy policy
		stored time.Duration // when the record expires, after testTime; 0 for never
		ends   time.Duration // when the session has expired, after testTime; 0 for never
	}{
		"permanent":                       {policy{}, 0, 0},
		"by the record":                   {policy{}, time.Hour, time.Hour},
		"by the policy":                   {policy{expiry: time.Hour}, 0, time.Hour},
		"by the lifetime":                 {policy{lifetime: 2 * time.Hour}, 0, 2 * time.Hour},
		"by the policy before the record": {policy{expiry: time.Hour}, 3 * time.Hour, time.Hour},
		"by the record before the policy": {policy{expiry: 3 * time.Hour}, time.Hour, time.Hour},
	} {
		snap := record.Snapshot{Times: record.Times{Created: testTime, Seen: testTime}}
		if tc.stored != 0 {
			snap.Record.Expires = time.UnixMilli(testTime).Add(tc.stored)
		}
		if tc.ends == 0 {
			century := time.UnixMilli(testTime).AddDate(100, 0, 0)
			equal(t, name+": after a century", tc.policy.expired(&snap, century), false)
			continue
		}
		end := time.UnixMilli(testTime).Add(tc.ends)
		equal(t, name+": a millisecond before", tc.policy.expired(&snap, end.Add(-time.Millisecond)), false)
		equal(t, name+": at the instant", tc.policy.expired(&snap, end), true)
	}
}

func TestTouchDue(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		policy policy
		times  record.Times
		wanted time.Duration // after the session was last extended
	}{
		"a tenth of the idle timeout": {
			policy{expiry: 10 * time.Hour}, record.Times{Idle: ms(10 * time.Hour)}, time.Hour,
		},
		"a shorter policy than the record's": {
			policy{expiry: 10 * time.Hour}, record.Times{Idle: ms(20 * time.Hour)}, time.Hour,
		},
		"a longer policy than the record's": {
			policy{expiry: 20 * time.Hour}, record.Times{Idle: ms(10 * time.Hour)}, time.Hour,
		},
		"a permanent policy, and a record that expires": {
			policy{}, record.Times{Idle: ms(10 * time.Hour)}, time.Hour,
		},
		"a policy that expires, and a permanent record": {
			policy{expiry: 10 * time.Hour}, record.Times{}, time.Hour,
		},
		"a permanent session has a cookie for 400 days": {
			policy{}, record.Times{}, 40 * 24 * time.Hour,
		},
		"an own timeout": {
			policy{expiry: 10 * time.Hour}, record.Times{Idle: ms(time.Hour), OwnIdle: true}, 6 * time.Minute,
		},
		"less than ten milliseconds": {
			policy{expiry: 5 * time.Millisecond}, record.Times{Idle: 5}, time.Millisecond,
		},
	} {
		tc.times.Created, tc.times.Seen = testTime-ms(time.Hour), testTime+ms(time.Minute)
		tc.times.Extended = testTime
		at := testTime + ms(tc.wanted)
		equal(t, name, tc.policy.touchDueAt(&tc.times), at)
		equal(t, name+": a millisecond before", tc.policy.touchDue(&tc.times, at-1), false)
		equal(t, name+": at the instant", tc.policy.touchDue(&tc.times, at), true)
	}
}

func TestRenewalDue(t *testing.T) {
	t.Parallel()
	s := counting(0)
	history := ticket.History(nil).Append(s, s.Rotate(), testTime+300, testTime+400)
	for name, tc := range map[string]struct {
		header record.Header
		since  int64
	}{
		"since the start":         {record.Header{Times: record.Times{Created: testTime}}, testTime},
		"since the last login":    {record.Header{Times: record.Times{Created: testTime, Authenticated: testTime + 200}}, testTime + 200},
		"since the last rotation": {record.Header{Times: record.Times{Created: testTime}, Identity: record.Identity{History: history}}, testTime + 300},
	} {
		snap := storedSnapshot(&tc.header)
		p := policy{renewEvery: time.Hour}
		at := tc.since + ms(time.Hour)
		equal(t, name+": a millisecond before", p.renewalDue(&snap, at-1), false)
		equal(t, name+": at the instant", p.renewalDue(&snap, at), true)
		equal(t, name+": without RenewEvery", (&policy{}).renewalDue(&snap, at+ms(time.Hour)), false)
	}
}

func TestNextDue(t *testing.T) {
	t.Parallel()
	const sinceEpoch = 5 * time.Minute // from the epoch of the policy to testTime
	for name, tc := range map[string]struct {
		touch   time.Duration // when the touch is due, after testTime
		renewal time.Duration // when the renewal is due, after testTime; 0 for never
		wanted  time.Duration // after testTime
		later   bool
	}{
		"touch is due now":               {0, 0, 0, false},
		"touch is overdue":               {-time.Minute, 0, -time.Minute, false},
		"touch within the window":        {30 * time.Minute, 0, 30 * time.Minute, false},
		"touch at the end of the window": {time.Hour, 0, time.Hour, false},
		"touch after the window":         {time.Hour + time.Millisecond, 0, time.Hour + time.Millisecond, true},
		"touch in a month":               {720 * time.Hour, 0, time.Hour + time.Millisecond, true},
		"renewal before the touch":       {time.Hour, time.Minute, time.Minute, false},
		"renewal after the touch":        {time.Minute, time.Hour, time.Minute, false},
		"renewal is overdue":             {time.Hour, -time.Minute, -time.Minute, false},
		"both after the window":          {2 * time.Hour, 3 * time.Hour, time.Hour + time.Millisecond, true},
	} {
		now := time.UnixMilli(testTime)
		p := policy{expiry: 1000 * time.Hour, epoch: now.Add(-sinceEpoch)}
		h := record.Header{Times: record.Times{
			Created: testTime - ms(100*time.Hour), Extended: testTime + ms(tc.touch) - ms(100*time.Hour), Idle: ms(1000 * time.Hour),
		}}
		if tc.renewal != 0 {
			p.renewEvery = 100*time.Hour + tc.renewal
		}
		snap := storedSnapshot(&h)
		at, later := p.nextDueAt(&snap, now)
		equal(t, name+": time since the epoch", at, sinceEpoch+tc.wanted)
		equal(t, name+": later", later, tc.later)
	}
}

func TestPersistent(t *testing.T) {
	t.Parallel()
	for _, remember := range []bool{false, true} {
		p := policy{remember: remember}
		for cookie, wanted := range map[record.CookiePersistence]bool{
			record.CookiePolicy: remember, record.CookieRemember: true, record.CookieForget: false,
		} {
			equal(t, "persistent", p.persistent(&record.Times{Cookie: cookie}), wanted)
		}
	}
}

func TestTimeOf(t *testing.T) {
	t.Parallel()
	equal(t, "0 is the zero time", timeOf(0).IsZero(), true)
	equal(t, "milliseconds", timeOf(testTime).UnixMilli(), testTime)
}
