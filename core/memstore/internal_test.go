package memstore

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// verify checks that everything the store keeps about its records agrees.
func verify(t *testing.T, s *Store) {
	t.Helper()
	var count, size int64
	held := make(map[holder]int64)
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		sh.addRooms(s, held)
		count += int64(sh.entries.len)
		size += sh.verifyEntries(t, s)
		sh.verifyIndex(t)
		sh.verifyHeap(t)
		sh.verifyLists(t)
		sh.verifySubjects(t)
		sh.verifyArena(t)
		sh.mu.Unlock()
	}
	verifyRooms(t, &s.budget.rooms, held)
	if s.budget.records.Load() != count || s.budget.bytes.Load() != size {
		t.Errorf("the store counts %d records and %d bytes, it has %d and %d", s.budget.records.Load(), s.budget.bytes.Load(), count, size)
	}
}

// addRooms adds the room of each record to that of its holder.
func (sh *shard) addRooms(in *Store, held map[holder]int64) {
	for i := range sh.entries.len {
		var p payload
		sh.read(i, &p)
		held[sh.holderOf(p.subject)] += in.options.place() + p.cost()
	}
}

// place returns the room of a record besides its bytes.
func (o *Options) place() int64 { return o.MaxBytes / int64(o.MaxRecords) }

func verifyRooms(t *testing.T, r *rooms, held map[holder]int64) {
	t.Helper()
	if r.anonymous != held[visitors] {
		t.Errorf("the room of all visitors is counted as %d, it is %d", r.anonymous, held[visitors])
	}
	delete(held, visitors)
	if !maps.Equal(r.signedIn, held) {
		t.Errorf("the rooms of users are counted as %v, they are %v", r.signedIn, held)
	}
	large := 0
	for h, size := range held {
		if size <= r.large {
			continue
		}
		large++
		if pos, ok := r.largest.positions[h]; !ok || r.largest.order[pos] != (room{h, size}) {
			t.Errorf("a room of %d is not in the heap", size)
		}
	}
	if len(r.largest.order) != large || len(r.largest.positions) != large {
		t.Errorf("%d rooms in the heap, %d positions, want %d", len(r.largest.order), len(r.largest.positions), large)
	}
	for pos := range r.largest.order {
		if r.largest.larger(pos, (max(pos, 1)-1)/2) {
			t.Errorf("room %d lies behind a smaller one", pos)
		}
	}
}

func (sh *shard) keyOf(i uint32) string {
	var p payload
	sh.read(i, &p)
	return string(p.key.appendText(nil))
}

func (sh *shard) subjectOf(i uint32) string {
	var p payload
	sh.read(i, &p)
	return p.subject
}

// verifyEntries returns what the records weigh.
func (sh *shard) verifyEntries(t *testing.T, in *Store) (size int64) {
	t.Helper()
	for i := range sh.entries.len {
		var p payload
		rec := sh.record(i, &p, sh.keyOf(i))
		sh.read(i, &p)
		rec.Subject, rec.Data = p.subject, p.data
		if p.cost() != costOf(&rec) {
			t.Errorf("%q costs %d in the arena, %d as a record", rec.Key, p.cost(), costOf(&rec))
		}
		size += p.cost()
		of, k := in.locate(rec.Key)
		if of != sh || k.hash != p.keyHash || k.hash != sh.entries.at(i).keyHash || sh.find(&k, &p) != i {
			t.Errorf("%q is not found where it lies", rec.Key)
		}
	}
	return size
}

func (sh *shard) verifyIndex(t *testing.T) {
	t.Helper()
	if sh.index.buckets.len != sh.entries.len {
		t.Errorf("%d buckets for %d entries", sh.index.buckets.len, sh.entries.len)
	}
	linked := uint32(0)
	for b := range sh.index.buckets.len {
		for i := *sh.index.buckets.at(b); i != none; i = sh.entries.at(i).nextInBucket {
			linked++
			if sh.index.bucket(sh.entries.at(i).keyHash) != sh.index.buckets.at(b) {
				t.Errorf("%q lies in a bucket that is not its own", sh.keyOf(i))
			}
		}
	}
	if linked != sh.entries.len {
		t.Errorf("%d entries in the index, there are %d", linked, sh.entries.len)
	}
}

func (sh *shard) verifyHeap(t *testing.T) {
	t.Helper()
	if sh.expiry.order.len != sh.entries.len {
		t.Errorf("%d entries in the heap, there are %d", sh.expiry.order.len, sh.entries.len)
	}
	next := int64(math.MaxInt64)
	for at := range sh.expiry.order.len {
		s := sh.entries.at(*sh.expiry.order.at(at))
		if s.heapPos != at {
			t.Errorf("an entry does not lie where it believes to: %d, not %d", at, s.heapPos)
		}
		if parent := *sh.expiry.order.at((max(at, 1) - 1) / 2); s.expiresBefore(sh.entries.at(parent)) {
			t.Errorf("entry %d lies behind one that expires later", at)
		}
		next = min(next, s.expiryNanos())
	}
	if sh.nextExpiry.Load() != next {
		t.Errorf("the next expiry is published as %d, it is %d", sh.nextExpiry.Load(), next)
	}
}

func (sh *shard) verifyLists(t *testing.T) {
	t.Helper()
	listed := uint32(0)
	for c := range sh.idle {
		before := uint32(none)
		oldest := int64(never)
		for i := sh.idle[c].first; i != none; before, i = i, sh.entries.at(i).links[useList].next {
			listed++
			s := sh.entries.at(i)
			if s.links[useList].prev != before || classOf(sh.subjectOf(i)) != class(c) || sh.holderOf(sh.subjectOf(i)).class() != class(c) {
				t.Errorf("%q does not belong where it is in list %d", sh.keyOf(i), c)
			}
			if s.lastUsed >= oldest {
				t.Errorf("list %d is not in the order of use", c)
			}
			oldest = s.lastUsed
		}
		if sh.idle[c].last != before {
			t.Errorf("list %d ends elsewhere", c)
		}
		if sh.oldest[c].Load() != oldest {
			t.Errorf("the oldest of class %d is published as %d, it is %d", c, sh.oldest[c].Load(), oldest)
		}
	}
	if listed != sh.entries.len {
		t.Errorf("%d entries in the lists, there are %d", listed, sh.entries.len)
	}
}

func (sh *shard) verifySubjects(t *testing.T) {
	t.Helper()
	indexed, signed := 0, 0
	for hash, of := range sh.subjects {
		before := uint32(none)
		if of.first == none {
			t.Error("a subject is there that has no records")
		}
		for i := of.first; i != none; before, i = i, sh.entries.at(i).links[subjectList].next {
			indexed++
			if sh.entries.at(i).links[subjectList].prev != before || sh.holderOf(sh.subjectOf(i)) != hash {
				t.Errorf("%q does not belong to the subject that it is under", sh.keyOf(i))
			}
		}
		if of.last != before {
			t.Error("the records of a subject end elsewhere")
		}
	}
	for i := range sh.entries.len {
		if sh.subjectOf(i) != "" {
			signed++
		}
	}
	if indexed != signed {
		t.Errorf("%d entries in the index, %d have a subject", indexed, signed)
	}
}

func (sh *shard) verifyArena(t *testing.T) {
	t.Helper()
	alive := make([]int, len(sh.arena.chunks))
	for i := range sh.entries.len {
		var p payload
		sh.read(i, &p)
		alive[sh.entries.at(i).location.chunk] += p.size()
	}
	live, dead, gone := 0, 0, 0
	for i, c := range sh.arena.chunks {
		if c == nil {
			gone++
			continue
		}
		live += c.live
		dead += c.size() - c.live
		if n := uint32(i); c.live != alive[n] || (c.live == 0 && n != sh.arena.current) {
			t.Errorf("chunk %d counts %d bytes of records, it has %d", n, c.live, alive[n])
		}
	}
	if sh.arena.live != live || sh.arena.dead != dead || len(sh.arena.unused) != gone {
		t.Errorf("the arena counts %d bytes alive, %d dead and %d chunks gone, it has %d, %d and %d",
			sh.arena.live, sh.arena.dead, len(sh.arena.unused), live, dead, gone)
	}
}

// model is a store as simple as can be: what is alive, the longest idle first.
type model struct {
	options  Options
	alive    []store.Record
	heaviest string // the user who gave up room last
	holder   func(subject string) holder
}

func (m *model) find(key string) int {
	return slices.IndexFunc(m.alive, func(rec store.Record) bool { return rec.Key == key })
}

func (m *model) expire(now time.Time) {
	m.alive = slices.DeleteFunc(m.alive, func(rec store.Record) bool { return rec.Expired(now) })
}

// use puts rec at the end, in the place of what there was under its key.
func (m *model) use(rec store.Record) {
	m.remove(rec.Key)
	m.alive = append(m.alive, rec)
}

func (m *model) remove(key string) {
	m.alive = slices.DeleteFunc(m.alive, func(rec store.Record) bool { return rec.Key == key })
}

func (m *model) bytes() (total int64) {
	for i := range m.alive {
		total += costOf(&m.alive[i])
	}
	return total
}

// save says what must come of a save. spare is how many expired records the store still has to drop.
func (m *model) save(rec store.Record, now time.Time, spare int) error {
	at := m.find(rec.Key)
	switch {
	case at < 0 && (rec.Version != 0 || rec.Expired(now)):
		return store.ErrNotFound
	case at >= 0 && m.alive[at].Version != rec.Version:
		return store.ErrConflict
	case rec.Expired(now):
		return store.ErrNotFound
	}
	extra, more := costOf(&rec), 1
	if at >= 0 {
		extra, more = extra-costOf(&m.alive[at]), 0
	}
	for (more > 0 && len(m.alive)+spare+more > m.options.MaxRecords) || (extra > 0 && m.bytes()+extra > m.options.MaxBytes) {
		if spare > 0 {
			spare--
		} else if !m.evict(&rec) {
			return store.ErrFull
		}
	}
	return nil
}

// evict drops what has to make room for rec, and reports whether there is anything.
func (m *model) evict(rec *store.Record) bool {
	for _, signedIn := range []bool{false, true} {
		i := slices.IndexFunc(m.alive, func(old store.Record) bool {
			return old.Key != rec.Key && (old.Subject != "") == signedIn && (!signedIn || !m.options.KeepSignedIn)
		})
		if i < 0 {
			continue
		}
		if m.crowded(&m.alive[i], rec) {
			if j := m.ofHeaviest(rec.Key); j >= 0 {
				i = j
			}
		}
		m.alive = slices.Delete(m.alive, i, i+1)
		return true
	}
	return false
}

// rooms returns the room of each subject, the empty one for all anonymous records.
func (m *model) rooms() map[string]int64 {
	rooms := make(map[string]int64)
	for i := range m.alive {
		rooms[m.alive[i].Subject] += costOf(&m.alive[i]) + m.options.place()
	}
	return rooms
}

// largest returns the user with the most room.
func (m *model) largest() (subject string, room int64) {
	for s, r := range m.rooms() {
		if s != "" && (r > room || r == room && m.holder(s) > m.holder(subject)) {
			subject, room = s, r
		}
	}
	return subject, room
}

// crowded reports whether somebody has so much that old, which has been idle longest, need not go for rec.
func (m *model) crowded(old, rec *store.Record) bool {
	rooms, large := m.rooms(), m.options.MaxBytes/1024
	_, most := m.largest()
	if old.Subject != "" {
		return !m.options.KeepSignedIn && most > 2*rooms[old.Subject]+large
	}
	tolerated := 16 * (2*(costOf(old)+m.options.place()) + large)
	saver := rooms[rec.Subject]
	if rec.Subject == "" {
		saver = 0
	}
	return !m.options.KeepSignedIn && most > tolerated && (most > rooms[""] || saver > tolerated)
}

// ofHeaviest returns which record of the user with the most room has to go, if that is another one than key.
func (m *model) ofHeaviest(key string) int {
	if subject, most := m.largest(); m.heaviest == "" || m.rooms()[m.heaviest] < most-most/8 {
		m.heaviest = subject
	}
	return slices.IndexFunc(m.alive, func(old store.Record) bool { return old.Key != key && old.Subject == m.heaviest })
}

// chooser decides what a player does: a random source, or the input of a fuzz target.
type chooser interface {
	IntN(n int) int
}

// player makes random calls of the store and of the model.
type player struct {
	*testing.T
	chooser
	store *Store
	model *model
	users int // how many of three records have a subject
	keys  []string
	stale []store.Record // versions that once were
	given []handed
}

// handed is a record that the store has handed out, and its data and subject as they were then.
type handed struct {
	rec     store.Record
	data    []byte
	subject string
}

func newPlayer(t *testing.T, options Options, choices chooser) *player {
	t.Helper()
	p := &player{T: t, chooser: choices, store: New(options), model: &model{options: options}, users: 1}
	p.model.holder = p.store.shards[0].holderOf
	// Few shards, so that each has many records.
	few := []*shard{&p.store.shards[3], &p.store.shards[20], &p.store.shards[63]}
	for i := 0; len(p.keys) < 60; i++ {
		key := fmt.Sprint("key", i)
		if i%2 == 0 {
			key = fmt.Sprintf("session:%08x-0000-7000-8000-0123456789ab", i)
		}
		if sh, _ := p.store.locate(key); slices.Contains(few, sh) {
			p.keys = append(p.keys, key)
		}
	}
	return p
}

func (p *player) step(mortal bool) {
	time.Sleep(time.Nanosecond) // since the order of use is told by the clock
	now := time.Now()
	p.model.expire(now)
	key := p.keys[p.IntN(len(p.keys))]
	switch p.IntN(10) {
	case 0, 1:
		p.load(key)
	case 2:
		p.touch(key, now.Add(time.Duration(p.IntN(7200)-1800)*time.Second))
	case 3:
		p.model.remove(key)
		if err := p.store.Delete(p.Context(), key); err != nil {
			p.Errorf("Delete = %v", err)
		}
	case 4:
		if mortal {
			time.Sleep(time.Duration(p.IntN(600)) * time.Second)
		}
	default:
		p.save(key, now, mortal)
	}
}

func (p *player) load(key string) {
	rec, err := p.store.Load(p.Context(), key)
	at := p.model.find(key)
	if (err == nil) != (at >= 0) {
		p.Fatalf("Load(%q) = %v, the model has it: %v", key, err, at >= 0)
	}
	if err == nil {
		p.equal(rec, p.model.alive[at])
		p.given = append(p.given, handed{rec, bytes.Clone(rec.Data), strings.Clone(rec.Subject)})
		p.model.use(p.model.alive[at])
	}
}

func (p *player) touch(key string, expires time.Time) {
	at := p.model.find(key)
	rec := store.Record{Version: 1}
	if at >= 0 {
		rec = p.model.alive[at]
	}
	if err := p.store.Touch(p.Context(), store.Record{Key: key, Version: rec.Version, Expires: expires}); (err == nil) != (at >= 0) {
		p.Fatalf("Touch(%q) = %v, the model has it: %v", key, err, at >= 0)
	}
	if at >= 0 {
		if !rec.Expires.IsZero() && expires.After(rec.Expires) {
			rec.Expires = expires
		}
		p.model.use(rec)
	}
}

func (p *player) save(key string, now time.Time, mortal bool) {
	rec := store.Record{Key: key, Data: bytes.Repeat([]byte{byte(len(p.stale))}, p.IntN(500))}
	if p.IntN(20) == 0 {
		rec.Data = bytes.Repeat(rec.Data, 20)
	}
	if p.IntN(3) < p.users {
		rec.Subject = fmt.Sprint("subject", min(p.IntN(4), p.IntN(4)))
	}
	if mortal && p.IntN(8) > 0 {
		rec.Expires = now.Add(time.Duration(p.IntN(3600)-100) * time.Second)
	}
	if at := p.model.find(key); at >= 0 && p.IntN(4) > 0 {
		rec.Version = p.model.alive[at].Version
	} else if len(p.stale) > 0 && p.IntN(4) == 0 {
		rec.Version = p.stale[p.IntN(len(p.stale))].Version
	}
	spare := p.store.Len() - len(p.model.alive)
	want := p.model.save(rec, now, spare)
	saved, err := p.store.Save(p.Context(), rec)
	if !errors.Is(err, want) {
		p.Fatalf("Save(%q) = %v, want %v", key, err, want)
	}
	if err == nil {
		rec.Version = saved.Version
		p.equal(saved, rec)
		p.model.use(rec)
		p.stale = append(p.stale, rec)
	}
}

func (p *player) equal(got, want store.Record) {
	p.Helper()
	if got.Key != want.Key || got.Subject != want.Subject || got.Version != want.Version || !bytes.Equal(got.Data, want.Data) || !got.Expires.Equal(want.Expires) {
		p.Fatalf("got %+v, want %+v", got, want)
	}
}

// intact checks that nothing that was handed out has changed.
func (p *player) intact() {
	p.Helper()
	for i := range p.given {
		h := &p.given[i]
		if !bytes.Equal(h.rec.Data, h.data) || h.rec.Subject != h.subject {
			p.Fatalf("what Load(%q) returned has changed", h.rec.Key)
		}
	}
}

// compare checks that exactly what is alive in the model is alive in the store.
func (p *player) compare() {
	p.Helper()
	p.model.expire(time.Now())
	page, next, err := p.store.List(p.Context(), "", "", math.MaxInt)
	if err != nil || next != "" || len(page) != len(p.model.alive) {
		p.Fatalf("List = %d records, next %q, %v; the model has %d", len(page), next, err, len(p.model.alive))
	}
	for _, rec := range page {
		at := p.model.find(rec.Key)
		if at < 0 {
			p.Fatalf("%q should have gone", rec.Key)
		}
		p.equal(rec, p.model.alive[at])
	}
	for n := range 4 {
		subject := fmt.Sprint("subject", n)
		found, err := p.store.BySubject(p.Context(), subject)
		want := 0
		for _, rec := range p.model.alive {
			if rec.Subject == subject {
				want++
			}
		}
		if err != nil || len(found) != want {
			p.Fatalf("BySubject(%q) = %d records, %v, want %d", subject, len(found), err, want)
		}
	}
	if n := p.store.Len(); n > p.model.options.MaxRecords || p.store.Bytes() > p.model.options.MaxBytes {
		p.Fatalf("%d records and %d bytes are beyond the bound", n, p.store.Bytes())
	}
}

func TestD3AgainstModel(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options Options
		mortal  bool
		users   int
	}{
		"count":       {Options{MaxRecords: 20, MaxBytes: DefaultMaxBytes}, true, 1},
		"count users": {Options{MaxRecords: 12, MaxBytes: DefaultMaxBytes}, true, 3},
		"count keep":  {Options{MaxRecords: 20, MaxBytes: DefaultMaxBytes, KeepSignedIn: true}, true, 1},
		"bytes":       {Options{MaxRecords: DefaultMaxRecords, MaxBytes: 12_000}, false, 1},
		"bytes users": {Options{MaxRecords: DefaultMaxRecords, MaxBytes: 12_000}, false, 2},
		"both":        {Options{MaxRecords: 40, MaxBytes: 12_000}, false, 2},
		"bytes keep":  {Options{MaxRecords: DefaultMaxRecords, MaxBytes: 12_000, KeepSignedIn: true}, false, 1},
		"unbounded":   {Options{MaxRecords: DefaultMaxRecords, MaxBytes: DefaultMaxBytes}, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(5) {
				synctest.Test(t, func(t *testing.T) {
					random := rand.New(rand.NewPCG(seed, 7)) //nolint:gosec // a test's choice of what to do next
					p := newPlayer(t, c.options, random)
					p.users = c.users
					for range 600 {
						p.step(c.mortal)
						p.compare()
						verify(t, p.store)
						if t.Failed() {
							t.Fatalf("seed %d", seed)
						}
					}
					p.intact()
				})
			}
		})
	}
}

// choices takes decisions from bytes, and does the same thing for ever when they are used up.
type choices struct{ data []byte }

func (c *choices) IntN(n int) int {
	if len(c.data) < 2 {
		c.data = nil
		return 0
	}
	v := int(c.data[0])<<8 | int(c.data[1])
	c.data = c.data[2:]
	return v % n
}

// FuzzStore plays what the input says against the model, on a store that is bound both ways.
func FuzzStore(f *testing.F) {
	for seed := range uint64(4) {
		random := rand.New(rand.NewPCG(seed, 11)) //nolint:gosec // a test's choice of what to do next
		data := make([]byte, 1000)
		for i := range data {
			data[i] = byte(random.IntN(256))
		}
		f.Add(seed%2 == 0, data)
	}
	f.Fuzz(func(t *testing.T, keep bool, data []byte) {
		synctest.Test(t, func(t *testing.T) {
			c := &choices{data}
			p := newPlayer(t, Options{MaxRecords: 30, MaxBytes: DefaultMaxBytes, KeepSignedIn: keep}, c)
			for n := 1; len(c.data) > 0; n++ {
				p.step(true)
				if n%8 == 0 {
					p.compare()
					verify(t, p.store)
				}
			}
			p.compare()
			verify(t, p.store)
			p.intact()
		})
	})
}

// TestStaysConsistentUnderConcurrency makes every kind of call at once on a store that is always full.
func TestStaysConsistentUnderConcurrency(t *testing.T) {
	t.Parallel()
	s := New(Options{MaxRecords: 50, MaxBytes: 20_000})
	var wg sync.WaitGroup
	for n := range 6 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(n), 3)) //nolint:gosec // a test's choice of what to do next
			for range 4000 {
				s.disturb(t, random)
			}
		})
	}
	wg.Wait()
	verify(t, s)
	if s.Len() > 50 || s.Bytes() > 20_000 {
		t.Errorf("%d records and %d bytes are beyond the bound", s.Len(), s.Bytes())
	}
}

func (s *Store) disturb(t *testing.T, random *rand.Rand) {
	t.Helper()
	key := fmt.Sprint("key", random.IntN(120))
	rec, err := s.Load(t.Context(), key)
	if err != nil {
		rec = store.Record{Key: key}
	}
	switch random.IntN(8) {
	case 0:
		err = s.Delete(t.Context(), key)
	case 1:
		err = s.Touch(t.Context(), store.Record{Key: key, Version: rec.Version, Expires: time.Now().Add(time.Duration(random.IntN(50)) * time.Microsecond)})
	case 2:
		_, err = s.BySubject(t.Context(), "someone")
	default:
		rec.Data = make([]byte, random.IntN(2000))
		rec.Subject = []string{"", "someone", "another"}[random.IntN(3)]
		rec.Expires = time.Now().Add(time.Duration(random.IntN(2000)) * time.Microsecond)
		_, err = s.Save(t.Context(), rec)
	}
	for _, want := range []error{nil, store.ErrNotFound, store.ErrConflict} {
		if errors.Is(err, want) {
			return
		}
	}
	t.Errorf("a call failed: %v", err)
}

func (s *Store) in(sh *shard, key string) bool {
	of, _ := s.locate(key)
	return of == sh
}

// keyIn returns a key of that shard.
func (s *Store) keyIn(sh *shard, not ...string) string {
	for i := 0; ; i++ {
		if key := fmt.Sprint("key", i); s.in(sh, key) && !slices.Contains(not, key) {
			return key
		}
	}
}

// TestD3GrowingRecordSparesItsShard has a record grow that is the one idle longest, with a fresh one in its shard: the
// next oldest of the whole store has to go, not the fresh one.
func TestD3GrowingRecordSparesItsShard(t *testing.T) {
	t.Parallel()
	s := New(Options{MaxBytes: 3 * (recordOverhead + 300)})
	grows := s.keyIn(&s.shards[0])
	fresh := s.keyIn(&s.shards[0], grows)
	oldest := s.keyIn(&s.shards[1])
	var first store.Record
	for _, key := range []string{grows, oldest, fresh} {
		rec, err := s.Save(t.Context(), store.Record{Key: key, Data: make([]byte, 280)})
		if err != nil {
			t.Fatal(err)
		}
		if key == grows {
			first = rec
		}
	}
	first.Data = make([]byte, 400)
	if _, err := s.Save(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(t.Context(), fresh); err != nil {
		t.Error("the record used last has gone")
	}
	if _, err := s.Load(t.Context(), oldest); err == nil {
		t.Error("the record idle longest, but for the one that grew, is still there")
	}
}

// TestD3SmallestStore has creates race for a store of one place: what one has reserved and not yet linked another must
// not take for nothing to drop.
func TestD3SmallestStore(t *testing.T) {
	t.Parallel()
	s := New(Options{MaxRecords: 1})
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			for i := range 3000 {
				if _, err := s.Save(t.Context(), store.Record{Key: fmt.Sprint(n, "-", i)}); err != nil {
					t.Errorf("Save = %v, want success: whatever is there may go", err)
					return
				}
			}
		})
	}
	wg.Wait()
	verify(t, s)
}
