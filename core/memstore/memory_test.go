package memstore

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/cloakroom-go/sessions/core/internal/uuidtext"
	"github.com/cloakroom-go/sessions/core/store"
)

// heapInUse returns the bytes and the objects that are alive.
func heapInUse() (size, objects int) {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC() // the first may only have marked what the second sweeps
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc), int(stats.HeapObjects)
}

// typical returns a record like those of core: 81 bytes are an anonymous session with one number in it.
func typical(n int, subject string) store.Record {
	id := uuid.NewSHA1(uuid.Nil, fmt.Append(nil, n))
	data := bytes.Repeat([]byte{byte(n)}, 81)
	return store.Record{Key: "session:" + id.String(), Subject: subject, Data: data, Expires: time.Now().Add(time.Hour)}
}

func (s *Store) must(t *testing.T, rec store.Record) store.Record {
	t.Helper()
	saved, err := s.Save(t.Context(), rec)
	if err != nil {
		t.Fatalf("Save(%q) = %v", rec.Key, err)
	}
	return saved
}

// chunkBytes returns what the chunks of the arenas take, and what of it belongs to records.
func (s *Store) chunkBytes() (held, live int) {
	for i := range s.shards {
		for _, c := range s.shards[i].arena.chunks {
			if c != nil {
				held += cap(c.buf) + c.subjects.Cap()
			}
		}
		live += s.shards[i].arena.live
	}
	return held, live
}

// TestMemoryOfSessions bounds what a small session takes with everything: key, data, index, order.
func TestMemoryOfSessions(t *testing.T) {
	const sessions = 50_000
	for name, test := range map[string]struct {
		subject string
		most    int
	}{
		"anonymous": {"", 210},
		"signed in": {"subject-0123456789-0123456789-%08d", 330},
	} {
		before, objectsBefore := heapInUse()
		s := New(Options{})
		for n := range sessions {
			subject := test.subject
			if subject != "" {
				subject = fmt.Sprintf(subject, n)
			}
			s.must(t, typical(n, subject))
		}
		after, objects := heapInUse()
		t.Logf("%s: %d bytes and %.3f objects a session", name, (after-before)/sessions, float64(objects-objectsBefore)/sessions)
		if each := (after - before) / sessions; each > test.most {
			t.Errorf("%s: a session takes %d bytes, want at most %d", name, each, test.most)
		}
		if each := float64(objects-objectsBefore) / sessions; each > 0.15 {
			t.Errorf("%s: a session takes %.3f objects, want at most 0.15", name, each)
		}
		runtime.KeepAlive(s)
	}
}

// TestMemoryIsGivenBack deletes most sessions, in an order that leaves no part of the memory to dead ones alone.
func TestMemoryIsGivenBack(t *testing.T) {
	const sessions = 40_000
	before, _ := heapInUse()
	s := New(Options{})
	for n := range sessions {
		s.must(t, typical(n, ""))
	}
	full, _ := heapInUse()
	for n := range sessions {
		if n%20 != 0 {
			if err := s.Delete(t.Context(), typical(n, "").Key); err != nil {
				t.Fatal(err)
			}
		}
	}
	after, _ := heapInUse()
	t.Logf("%d bytes with all sessions, %d with a twentieth of them", full-before, after-before)
	if after-before > (full-before)/6 {
		t.Errorf("a twentieth of the sessions take %d bytes, all of them took %d", after-before, full-before)
	}
	verify(t, s)
	for n := 0; n < sessions; n += 20 {
		want := typical(n, "")
		if rec, err := s.Load(t.Context(), want.Key); err != nil || !bytes.Equal(rec.Data, want.Data) {
			t.Fatalf("Load of a session that stays = %q, %v", rec.Data, err)
		}
	}
}

// TestDeadPayloadsAreBounded replaces sessions at random, which leaves each time a dead payload somewhere in the arena.
func TestDeadPayloadsAreBounded(t *testing.T) {
	t.Parallel()
	const sessions = 6000
	s := New(Options{})
	random := rand.New(rand.NewPCG(5, 5)) //nolint:gosec // a test's choice of what to do next
	recs := make([]store.Record, sessions)
	for n := range recs {
		recs[n] = s.must(t, typical(n, []string{"", fmt.Sprint("subject", n)}[n%2]))
	}
	for range 8 * sessions {
		n := random.IntN(sessions)
		recs[n].Data = bytes.Repeat([]byte{byte(n)}, random.IntN(160))
		recs[n] = s.must(t, recs[n])
	}
	verify(t, s)
	for i := range s.shards {
		l := &s.shards[i].arena
		if l.dead > l.live/4+2*minChunkSize {
			t.Errorf("shard %d: %d bytes are dead beside %d alive", i, l.dead, l.live)
		}
	}
	if held, live := s.chunkBytes(); held > 2*live {
		t.Errorf("the arenas take %d bytes, %d are alive", held, live)
	}
}

// TestHandedOutStaysAsItIs has readers look again and again at what Load has given them, while writers replace, delete
// and create, so that chunks of the arena come and go beneath it. The race detector sees who writes there.
func TestHandedOutStaysAsItIs(t *testing.T) {
	t.Parallel()
	const sessions = 300
	s := New(Options{})
	subject := func(b byte) string { return strings.Repeat(string('a'+b%26), 20) }
	write := func(n int, b byte, size int) {
		rec := typical(n, subject(b))
		old, _ := s.Load(t.Context(), rec.Key)
		rec.Version, rec.Data = old.Version, bytes.Repeat([]byte{b}, size)
		_, _ = s.Save(t.Context(), rec) // another writer may have been faster
	}
	var wg sync.WaitGroup
	for w := range 3 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(w), 9)) //nolint:gosec // a test's choice of what to do next
			for range 8000 {
				n := random.IntN(sessions)
				if random.IntN(4) == 0 {
					_ = s.Delete(t.Context(), typical(n, "").Key)
				}
				write(n, byte(random.IntN(256)), 1+random.IntN(400))
			}
		})
	}
	for w := range 2 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(w), 10)) //nolint:gosec // a test's choice of what to do next
			given := make([]store.Record, 100)
			for i := range 8000 {
				if rec, err := s.Load(t.Context(), typical(random.IntN(sessions), "").Key); err == nil {
					given[i%len(given)] = rec
				}
				old := given[random.IntN(len(given))]
				if old.Key == "" {
					continue
				}
				if b := old.Data[0]; bytes.Count(old.Data, []byte{b}) != len(old.Data) || old.Subject != subject(b) {
					t.Errorf("what Load returned has changed: %x of %q", old.Data, old.Subject)
					return
				}
			}
		})
	}
	wg.Wait()
	verify(t, s)
}

// TestAppendingLeavesTheStoreAlone appends to what Load returned, where the next payload lies.
func TestAppendingLeavesTheStoreAlone(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	sh := &s.shards[0]
	first, second := s.keyIn(sh), s.keyIn(sh, s.keyIn(sh))
	for _, key := range []string{first, second} {
		s.must(t, store.Record{Key: key, Data: []byte("data")})
	}
	rec, _ := s.Load(t.Context(), first)
	_ = append(rec.Data, bytes.Repeat([]byte{0xff}, 100)...)
	if next, err := s.Load(t.Context(), second); err != nil || string(next.Data) != "data" {
		t.Errorf("after appending to another record's data Load = %q, %v", next.Data, err)
	}
	verify(t, s)
}

// TestOneHash has all keys fall on one hash, and subjects on another.
func TestOneHash(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	sh := &s.shards[0]
	now := time.Now()
	const records = 40
	for n := range records {
		rec := store.Record{Key: fmt.Sprint("key", n), Data: []byte{byte(n)}}
		if _, err := sh.save(&lookupKey{prefix: rec.Key, hash: 7}, &saveArgs{rec: &rec, now: now}); err != nil {
			t.Fatal(err)
		}
	}
	for n := 0; n < records; n += 2 {
		sh.delete(&lookupKey{prefix: fmt.Sprint("key", n), hash: 7})
	}
	for n := range records {
		var rec store.Record
		err := sh.load(&lookupKey{prefix: fmt.Sprint("key", n), hash: 7}, now, &rec)
		if (err == nil) != (n%2 == 1) || (err == nil && rec.Data[0] != byte(n)) {
			t.Errorf("load of record %d = %v, %v", n, rec.Data, err)
		}
	}
	for n := range byte(records) {
		id := uuidtext.ID{n}
		k := lookupKey{prefix: "key", id: id, form: uuidKey, hash: 7}
		rec := store.Record{Key: "key" + uuid.UUID(id).String(), Data: []byte{n}}
		if _, err := sh.save(&k, &saveArgs{rec: &rec, now: now}); err != nil {
			t.Fatal(err)
		}
		if err := sh.load(&k, now, &rec); err != nil || rec.Data[0] != n {
			t.Errorf("load of record %v = %v, %v", id, rec.Data, err)
		}
	}
	k := lookupKey{prefix: "key", id: uuidtext.ID{records}, form: uuidKey, hash: 7}
	if err := sh.load(&k, now, new(store.Record)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("load of a record that is not there = %v", err)
	}
}

// TestSubjectsOfOneHash finds two subjects with one hash; neither may see the other's records.
func TestSubjectsOfOneHash(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	seen := make(map[holder]string)
	for n := 0; ; n++ {
		subject := fmt.Sprint("subject", n)
		other, ok := seen[s.shards[0].holderOf(subject)]
		if !ok {
			seen[s.shards[0].holderOf(subject)] = subject
			continue
		}
		for n := range 500 {
			s.must(t, typical(n, []string{subject, other}[n%2]))
		}
		for _, of := range []string{subject, other} {
			found, err := s.BySubject(t.Context(), of)
			if err != nil || len(found) != 250 {
				t.Errorf("BySubject = %d records, %v, want 250", len(found), err)
			}
			for _, rec := range found {
				if rec.Subject != of {
					t.Errorf("BySubject(%q) returned a record of %q", of, rec.Subject)
				}
			}
			keys := 0
			s.walkKeys(t, of, 7, func(page []string, _ string) { keys += len(page) })
			if keys != 250 {
				t.Errorf("SubjectKeys = %d keys, want 250", keys)
			}
		}
		verify(t, s)
		return
	}
}

// TestSizesAroundTheLimits stores keys, subjects and data of all the sizes at which something else is done.
func TestSizesAroundTheLimits(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	var recs []store.Record
	for _, size := range []int{0, 1, 127, 128, largeData - 1, largeData, largeData + 1, 2 * minChunkSize, maxChunkSize - 50, maxChunkSize, 3 * maxChunkSize, 1 << 20} {
		fill := strings.Repeat("x", size)
		recs = append(
			recs,
			store.Record{Key: fmt.Sprint("data", size), Data: []byte(fill)},
			store.Record{Key: fmt.Sprint("subject", size), Subject: fill},
			store.Record{Key: fmt.Sprint("key", size) + fill, Data: []byte(fill), Subject: fill},
		)
	}
	for round := range 3 {
		for i, rec := range recs {
			recs[i] = s.must(t, rec)
		}
		for _, want := range recs {
			got, err := s.Load(t.Context(), want.Key)
			if err != nil || got.Key != want.Key || got.Subject != want.Subject || !bytes.Equal(got.Data, want.Data) {
				t.Fatalf("round %d: Load of %d bytes of data, %d of subject = %d and %d, %v",
					round, len(want.Data), len(want.Subject), len(got.Data), len(got.Subject), err)
			}
			if len(want.Data) >= largeData && &got.Data[0] != &want.Data[0] {
				t.Errorf("%d bytes of data were copied, want them kept as they were handed over", len(want.Data))
			}
		}
		verify(t, s)
	}
}

func TestVector(t *testing.T) {
	t.Parallel()
	var v vector[uint32]
	for i := range uint32(10 * blockLen) {
		if at := v.push(i * 3); at != i || *v.at(i) != i*3 {
			t.Fatalf("push gave %d, which holds %d", at, *v.at(i))
		}
	}
	for n := uint32(10 * blockLen); n > 0; n-- {
		v.pop()
		if v.len != n-1 || len(v.blocks) > int(v.len/blockLen)+2 {
			t.Fatalf("%d elements in %d parts", v.len, len(v.blocks))
		}
		for i := range v.len {
			if *v.at(i) != i*3 {
				t.Fatalf("element %d of %d has changed", i, v.len)
			}
		}
	}
}

func TestPackedKeys(t *testing.T) {
	t.Parallel()
	const id = "0198a2b4-c6d8-7e0f-9123-456789abcdef"
	for key, size := range map[string]int{
		"":                                     1,
		"a":                                    2,
		id:                                     1 + uuidLen,
		"session:" + id:                        1 + uuidLen + 8,
		id + id:                                1 + uuidLen + len(id),
		strings.ToUpper(id):                    1 + len(id),
		"session:" + id[:35]:                   1 + 8 + 35,
		"session:" + id[:35] + "g":             1 + 8 + 36,
		strings.ReplaceAll(id, "-", "_"):       1 + len(id),
		"0198a2b4c-6d8-7e0f-9123-456789abcdef": 1 + len(id),
		strings.Repeat("-", 36):                1 + 36,
		strings.Repeat("p", 300) + id:          1 + uuidLen + 300,
	} {
		r := parseKey(key)
		if k := r.pack(nil); len(k) != size {
			t.Errorf("%q takes %d bytes, want %d", key, len(k), size)
		}
	}
}

// FuzzPackedKey checks that each key comes back, and is told from others.
func FuzzPackedKey(f *testing.F) {
	const id = "0198a2b4-c6d8-7e0f-9123-456789abcdef"
	for _, key := range []string{"", "a", id, "session:" + id, strings.ToUpper(id), "0198a2b4c-6d8-7e0f-9123-456789abcdef", "\xff" + id} {
		f.Add(key, key)
		f.Add(key, uuid.Nil.String())
		f.Add(key+uuid.Nil.String(), key)
		f.Add(key, "session:"+id)
		f.Add(key, "tession:"+id)
	}
	f.Fuzz(func(t *testing.T, key, other string) {
		r, o := parseKey(key), parseKey(other)
		k := r.pack(nil)
		if back := string(k.appendText(nil)); back != key || k.textLen() != len(key) {
			t.Errorf("%q comes back as %q, its length as %d", key, back, k.textLen())
		}
		if k.hasPrefix(other) != strings.HasPrefix(key, other) {
			t.Errorf("%q starts with %q: %v", key, other, k.hasPrefix(other))
		}
		for i := range min(len(key)+1, 200) {
			if !k.hasPrefix(key[:i]) || k.hasPrefix(key[:i]+"\x00"+key[i:]) {
				t.Errorf("%q does not start with its first %d bytes, or starts with what is longer", key, i)
			}
		}
		if k.equals(&o) != (key == other) || !k.equals(&r) {
			t.Errorf("%q is %q: %v, is itself: %v", key, other, k.equals(&o), k.equals(&r))
		}
		if k[0] == plainKey {
			if k.equals(&lookupKey{prefix: key, form: uuidKey}) {
				t.Errorf("%q has an id", key)
			}
			return
		}
		id, prefix := uuidtext.ID(k[1:]), key[:len(key)-uuidTextLen]
		if !k.equals(&lookupKey{prefix: prefix, id: id, form: uuidKey}) || k.equals(&lookupKey{prefix: prefix + "x", id: id, form: uuidKey}) {
			t.Errorf("%q is not told by prefix and id", key)
		}
		if id[len(key)%uuidLen] ^= 1; k.equals(&lookupKey{prefix: prefix, id: id, form: uuidKey}) {
			t.Errorf("%q is %v, too", key, id)
		}
	})
}

// TestLoadAt compares it with Load, and has it count as use as that does.
func TestLoadAt(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"", "session:", "a", strings.Repeat("long", 100)} {
		for _, subject := range []string{"", "ann"} {
			testLoadAt(t, prefix, subject)
		}
	}
}

func testLoadAt(t *testing.T, prefix, subject string) {
	t.Helper()
	s := New(Options{MaxRecords: 2})
	ids := []uuid.UUID{{1}, {2}, {3}}
	now := time.Now()
	save := func(id uuid.UUID) {
		s.must(t, store.Record{Key: prefix + id.String(), Subject: subject, Data: id[:], Expires: now.Add(time.Minute)})
	}
	load := func(prefix string, id uuid.UUID, after time.Duration) (store.Record, error) {
		before := store.Record{Key: "key", Subject: "subject", Data: []byte("data"), Expires: now, Version: math.MaxUint64}
		rec := before
		err := s.LoadAt(prefix, (*uuidtext.ID)(&id), now.Add(after), &rec)
		if err != nil && !reflect.DeepEqual(rec, before) || rec.Key != before.Key {
			t.Errorf("%q: LoadAt = %v, and leaves %+v", prefix, err, rec)
		}
		return rec, err
	}
	save(ids[0])
	want, err := s.Load(t.Context(), prefix+ids[0].String())
	if want.Key != prefix+ids[0].String() || err != nil {
		t.Fatalf("Load = %q, %v", want.Key, err)
	}
	save(ids[1])
	got, err := load(prefix, ids[0], time.Minute-1)
	if got.Key = want.Key; !reflect.DeepEqual(got, want) || err != nil {
		t.Errorf("%q: LoadAt = %+v, %v, want %+v", prefix, got, err, want)
	}
	for _, other := range []string{prefix + "-", "s" + prefix} {
		if _, err := load(other, ids[0], 0); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%q finds the record under %q: %v", other, prefix, err)
		}
	}
	save(ids[2]) // takes the place of the one that was idle longer
	if _, err := load(prefix, ids[1], 0); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the record that was idle longest is still there: %v", err)
	}
	if _, err := load(prefix, ids[0], time.Minute); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a record whose time is over: %v", err)
	}
}

// TestAllocations bounds how often a call allocates: what is returned is part of the store.
func TestAllocations(t *testing.T) {
	s := New(Options{})
	recs := make([]store.Record, 2000)
	for n := range recs {
		recs[n] = s.must(t, typical(n, []string{"", "someone"}[n%2]))
	}
	n := 0
	for name, call := range map[string]func(rec *store.Record) error{
		"Load": func(rec *store.Record) error { _, err := s.Load(t.Context(), rec.Key); return err },
		"LoadAt": func(rec *store.Record) error {
			id := uuid.MustParse(rec.Key[len("session:"):])
			return s.LoadAt("session:", (*uuidtext.ID)(&id), time.Now(), new(store.Record))
		},
		"Save":  func(rec *store.Record) (err error) { *rec, err = s.Save(t.Context(), *rec); return err },
		"Touch": func(rec *store.Record) error { return s.Touch(t.Context(), *rec) },
		"Delete and Save": func(rec *store.Record) (err error) {
			_ = s.Delete(t.Context(), rec.Key)
			rec.Version = 0
			*rec, err = s.Save(t.Context(), *rec)
			return err
		},
	} {
		got := testing.AllocsPerRun(5*len(recs), func() {
			n++
			if err := call(&recs[n%len(recs)]); err != nil {
				t.Fatal(err)
			}
		})
		if got > 0 {
			t.Errorf("%s: %v allocations, want none", name, got)
		}
	}
}
