package core

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/record"
	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

// The session in these tests was started at testTime with the secret counting(0). It was rotated
// ten seconds and twenty seconds later, each time with a grace period of 30 seconds.
const (
	firstRotation  = testTime + 10_000
	secondRotation = testTime + 20_000
	testGrace      = 30 * time.Second
)

// rotatedSession is a session whose secret was rotated twice.
type rotatedSession struct {
	oldest, older, current ticket.Secret
	header                 record.Header
}

func newRotatedSession() *rotatedSession {
	s := &rotatedSession{oldest: counting(0)}
	s.older = s.oldest.Rotate()
	s.current = s.older.Rotate()
	s.header = headerOf(s.current)
	s.header.History = ticket.History(nil).
		Append(s.oldest, s.older, firstRotation, firstRotation+ms(testGrace)).
		Append(s.older, s.current, secondRotation, secondRotation+ms(testGrace))
	return s
}

// madeUp returns a secret that was never issued, from somebody who has seen one of the session.
func (s *rotatedSession) madeUp() ticket.Secret { return s.current.Rotate() }

// newVerifier returns the verifier of a manager with this policy.
func newVerifier(p policy) *verifier { return &verifier{keyspace: testKeyspace(), policy: &p} }

func TestVerify(t *testing.T) {
	t.Parallel()
	s := newRotatedSession()
	stranger := counting(100)
	expires := func(r *Record) { r.Expires = time.UnixMilli(testTime).Add(50 * time.Minute) }
	for name, tc := range map[string]struct {
		secret ticket.Secret
		at     time.Duration // after testTime
		record func(r *Record)
		header func(h *record.Header)
		reason error
	}{
		"current secret":              {secret: s.current, at: time.Minute},
		"retired secret in the grace": {secret: s.older, at: 49 * time.Second},
		"retired secret afterwards":   {secret: s.older, at: 50 * time.Second, reason: errOvertaken},
		"retired secret much later":   {secret: s.older, at: 110 * time.Second, reason: errReused},
		"another secret":              {secret: stranger, at: time.Minute, reason: errOtherSecret},
		"cookie of another name": {
			secret: s.current, header: func(h *record.Header) { h.CookieName = []byte("sessions") }, reason: errOtherCookie,
		},
		"cookie of another name, another secret": {
			secret: stranger, header: func(h *record.Header) { h.CookieName = nil }, reason: errOtherCookie,
		},
		"a millisecond before it expires":    {secret: s.current, at: time.Hour - time.Millisecond},
		"expired by the policy":              {secret: s.current, at: time.Hour, reason: errExpired},
		"expired by the record":              {secret: s.current, at: 50 * time.Minute, record: expires, reason: errExpired},
		"expired, another secret":            {secret: stranger, at: time.Hour, reason: errOtherSecret},
		"expired, retired secret":            {secret: s.older, at: time.Hour, reason: errReused},
		"own timeout, longer than an hour":   {secret: s.current, at: 2 * time.Hour, header: ownTimeout(3 * time.Hour)},
		"own timeout that is over":           {secret: s.current, at: time.Minute, header: ownTimeout(time.Minute), reason: errExpired},
		"no data":                            {secret: s.current, record: func(r *Record) { r.Data = nil }, reason: record.ErrDamaged},
		"next format version":                {secret: s.current, record: func(r *Record) { r.Data = nextFormat(r.Data) }, reason: record.ErrFormat},
		"unknown format version, damaged":    {secret: s.current, record: func(r *Record) { r.Data[0]++ }, reason: record.ErrDamaged},
		"damaged digest":                     {secret: s.current, record: func(r *Record) { r.Data[2] ^= 1 }, reason: record.ErrDamaged},
		"cut":                                {secret: s.current, record: func(r *Record) { r.Data = r.Data[:len(r.Data)-1] }, reason: record.ErrDamaged},
		"another cookie's, of a next format": {secret: s.current, record: func(r *Record) { r.Data = nextFormat(r.Data) }, header: func(h *record.Header) { h.CookieName = nil }, reason: record.ErrFormat},
	} {
		h := s.header
		if tc.header != nil {
			tc.header(&h)
		}
		v := verified{snap: storedSnapshot(&h, entry("a", "1"))}
		if tc.record != nil {
			tc.record(&v.snap.Record)
		}
		v.snap = record.Snapshot{Record: v.snap.Record} // as a store returns it
		presented := testTicket(tc.secret)
		f := newVerifier(policy{expiry: time.Hour, grace: testGrace})
		err := f.verify(&v, &presented, time.UnixMilli(testTime).Add(tc.at))
		if !errors.Is(err, tc.reason) {
			t.Errorf("%s: reason is %v, want %v", name, err, tc.reason)
		}
		equal(t, name+": the ticket that was presented", presented, testTicket(tc.secret))
		if err != nil {
			continue
		}
		equal(t, name+": ticket", v.ticket, testTicket(s.current))
		equal(t, name+": retired", v.standing == standingRetired, tc.secret != s.current)
		equal(t, name+": entries", entriesOf(&v.snap), "a=1 ")
	}
	equal(t, "to the client a reused secret is unknown", errors.Is(errReused, ErrNotFound), true)
}

// ownTimeout gives a session its own idle timeout.
func ownTimeout(d time.Duration) func(h *record.Header) {
	return func(h *record.Header) { h.Idle, h.OwnIdle = ms(d), true }
}

func TestVerifyNextDue(t *testing.T) {
	t.Parallel()
	secret := counting(0)
	h := headerOf(secret)
	h.Idle = ms(20 * time.Hour)
	presented := testTicket(secret)
	epoch := time.UnixMilli(testTime).Add(-time.Minute)
	for name, tc := range map[string]struct {
		at      time.Duration // after testTime
		nextDue time.Duration // after testTime
		later   bool
	}{
		"later":           {59 * time.Minute, 2*time.Hour - time.Minute + time.Millisecond, true},
		"within the hour": {time.Hour, 2 * time.Hour, false},
		"overdue":         {3 * time.Hour, 2 * time.Hour, false},
	} {
		v := verified{snap: record.Snapshot{Record: storedSnapshot(&h).Record}}
		f := newVerifier(policy{expiry: 20 * time.Hour, epoch: epoch})
		want(t, f.verify(&v, &presented, time.UnixMilli(testTime).Add(tc.at)), nil)
		equal(t, name+": when", v.nextDue-time.Minute, tc.nextDue)
		equal(t, name+": later", v.dueLater, tc.later)
	}
}

// A touch extends the store's record and leaves its data as it is.
func TestVerifyAfterATouch(t *testing.T) {
	t.Parallel()
	secret := counting(0)
	h := headerOf(secret)
	rec := storedSnapshot(&h).Record
	touched := time.UnixMilli(testTime).Add(30 * time.Minute)
	rec.Expires = touched.Add(time.Hour)
	presented := testTicket(secret)
	v := verified{snap: record.Snapshot{Record: rec}}
	f := newVerifier(policy{expiry: time.Hour})
	want(t, f.verify(&v, &presented, time.UnixMilli(testTime).Add(89*time.Minute)), nil)
	equal(t, "seen", v.snap.Seen, touched.UnixMilli())
	equal(t, "issued", v.snap.Extended, touched.UnixMilli())
	want(t, f.verify(&v, &presented, time.UnixMilli(testTime).Add(90*time.Minute)), errExpired)
}

func TestStanding(t *testing.T) {
	t.Parallel()
	s := newRotatedSession()
	const (
		firstEnd  = firstRotation + 30_000  // of the grace period of the oldest secret
		secondEnd = secondRotation + 30_000 // of that of the older one
		minute    = ticket.Remembered
		year      = 365 * 24 * 3600 * 1000
	)
	type answer struct {
		at     int64
		wanted standing
	}
	for name, tc := range map[string]struct {
		secret  ticket.Secret
		grace   time.Duration
		answers []answer
	}{
		"current": {s.current, testGrace, []answer{
			{testTime, standingCurrent}, {secondEnd, standingCurrent}, {testTime + year, standingCurrent},
		}},
		"retired by the second rotation": {s.older, testGrace, []answer{
			{secondRotation, standingRetired},
			{secondEnd - 1, standingRetired},
			{secondEnd, standingSpent},
			{secondEnd + minute - 1, standingSpent},
			{secondEnd + minute, standingReused},
			{testTime + year, standingReused},
		}},
		"retired by the first rotation": {s.oldest, testGrace, []answer{
			{secondRotation, standingRetired},
			{firstEnd - 1, standingRetired},
			{firstEnd, standingSpent},
			{firstEnd + minute - 1, standingSpent},
			{firstEnd + minute, standingReused},
			{testTime + year, standingReused},
		}},
		"retired, without a grace period today": {s.older, 0, []answer{
			{secondEnd - 1, standingRetired}, {secondEnd, standingSpent}, {secondEnd + minute, standingReused},
		}},
		"made up": {s.madeUp(), testGrace, []answer{
			{secondRotation, standingSpent},
			{secondEnd + minute - 1, standingSpent},
			{secondEnd + minute, standingReused},
		}},
		"of nobody": {counting(100), testGrace, []answer{
			{secondRotation, standingUnknown}, {secondEnd, standingUnknown}, {testTime + year, standingUnknown},
		}},
		"zero": {ticket.Secret{}, testGrace, []answer{{secondRotation, standingUnknown}, {testTime + year, standingUnknown}}},
	} {
		for _, a := range tc.answers {
			name := name + " at " + strconv.FormatInt(a.at-testTime, 10)
			v := verified{snap: storedSnapshot(&s.header), ticket: testTicket(tc.secret)}
			equal(t, name, v.standingAt(a.at, tc.grace), a.wanted)
			wanted := tc.secret
			if a.wanted == standingRetired {
				wanted = s.current
			}
			equal(t, name+": secret", v.ticket.Secret, wanted)
		}
	}
}

// A session that was never renewed, or whose history ended with a login, has no former secrets.
func TestStandingWithoutHistory(t *testing.T) {
	t.Parallel()
	secret := counting(0)
	h := headerOf(secret)
	for name, tc := range map[string]struct {
		secret ticket.Secret
		wanted standing
	}{
		"current":          {secret, standingCurrent},
		"of the same half": {secret.Rotate(), standingUnknown},
		"another":          {counting(1), standingUnknown},
	} {
		v := verified{snap: storedSnapshot(&h), ticket: testTicket(tc.secret)}
		equal(t, name, v.standingAt(testTime, 0), tc.wanted)
	}
}

// NoGrace keeps no retired secret, so that an old one opens nothing from the rotation on.
func TestStandingWithNoGrace(t *testing.T) {
	t.Parallel()
	old := counting(0)
	current := old.Rotate()
	h := headerOf(current)
	h.History = h.History.Append(old, current, firstRotation, firstRotation)
	for at, wanted := range map[int64]standing{
		firstRotation - 1:                 standingSpent, // by a clock that is behind
		firstRotation:                     standingSpent,
		firstRotation + ticket.Remembered: standingReused,
	} {
		v := verified{snap: storedSnapshot(&h), ticket: testTicket(old)}
		equal(t, "old secret", v.standingAt(at, 0), wanted)
	}
}

func TestMayEnd(t *testing.T) {
	t.Parallel()
	s := newRotatedSession()
	loggedIn := headerOf(counting(200))
	for name, tc := range map[string]struct {
		secret ticket.Secret
		header *record.Header
		wanted bool
	}{
		"current secret":       {s.current, &s.header, true},
		"retired secret":       {s.older, &s.header, true},
		"oldest secret":        {s.oldest, &s.header, true},
		"another secret":       {counting(100), &s.header, false},
		"secret after a login": {counting(200), &loggedIn, true},
		"secret before it":     {s.current, &loggedIn, false},
	} {
		snap := storedSnapshot(tc.header)
		data := bytes.Clone(snap.Record.Data)
		ref := sessionRef{key: snap.Record.Key, ticket: testTicket(tc.secret)}
		for _, at := range []time.Duration{20 * time.Second, time.Minute, 10_000 * time.Hour} {
			equal(t, name, ref.mayEnd(&snap, time.UnixMilli(testTime).Add(at), testGrace), tc.wanted)
		}
		equal(t, name+": secret of the reference", ref.ticket.Secret, tc.secret)
		equal(t, name+": the record is as it was", bytes.Equal(snap.Record.Data, data), true)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	touched := func(r *Record) { r.Expires = time.UnixMilli(testTime).Add(2 * time.Hour) }
	garbage := func(r *Record) { r.Data = slices.Repeat([]byte{9}, 100) }
	for name, tc := range map[string]struct {
		at     time.Duration // after testTime
		record func(r *Record)
		header func(h *record.Header)
		wanted recordStatus
		err    error
	}{
		"live":                         {at: time.Hour - time.Millisecond, wanted: recordLive},
		"expired by the policy":        {at: time.Hour, wanted: recordUnusable},
		"live since a touch":           {at: 2*time.Hour - time.Millisecond, record: touched, wanted: recordLive},
		"expired after a touch":        {at: 2 * time.Hour, record: touched, wanted: recordUnusable},
		"damaged":                      {record: garbage, wanted: recordUnusable, err: record.ErrDamaged},
		"of a cookie of another name":  {header: func(h *record.Header) { h.CookieName = []byte("x") }, wanted: recordForeign},
		"of another cookie, expired":   {at: time.Hour, header: func(h *record.Header) { h.CookieName = []byte("x") }, wanted: recordForeign},
		"of a longer prefix":           {record: func(r *Record) { r.Key = "session:x:" + testID.String() }, wanted: recordForeign},
		"of a longer prefix, damaged":  {record: func(r *Record) { r.Key += "x"; garbage(r) }, wanted: recordForeign},
		"with its own, longer timeout": {at: 2 * time.Hour, header: ownTimeout(3 * time.Hour), wanted: recordLive},
	} {
		h := headerOf(counting(0))
		if tc.header != nil {
			tc.header(&h)
		}
		snap := record.Snapshot{Record: storedSnapshot(&h).Record}
		if tc.record != nil {
			tc.record(&snap.Record)
		}
		f := newVerifier(policy{expiry: time.Hour})
		got, err := f.classify(&snap, time.UnixMilli(testTime).Add(tc.at))
		equal(t, name, got, tc.wanted)
		if !errors.Is(err, tc.err) {
			t.Errorf("%s: error is %v, want %v", name, err, tc.err)
		}
		if got == recordLive {
			equal(t, name+": created", snap.Created, testTime)
		}
	}
}

// nextFormat returns data that a later release has written in a format of its own.
func nextFormat(data []byte) []byte {
	data = append([]byte{2}, data...)
	return binary.BigEndian.AppendUint32(data, crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)))
}
