package storetest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"math"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloakroom-go/sessions/core/memstore"
	"github.com/cloakroom-go/sessions/core/store"
)

// full is a store with all that is optional but Instant.
type full interface {
	store.Store
	store.Toucher
	store.Indexer
	store.SubjectPager
	store.Lister
	store.Counter
}

// broken is a store with a fault, and the cases that must find it.
type broken struct {
	fault    string
	caughtBy string
	wrap     func(good *memstore.Store) store.Store
}

func brokenStores() []broken {
	return []broken{
		{
			"lets the last write win", "Save/ReplaceConflict Save/CreateConflict Races/R4NothingIsLost Races/OneCreateWins Races/OneReplaceWins Races/Everything",
			func(s *memstore.Store) store.Store { return &lastWriteWins{full: s} },
		},
		{
			"creates when it should replace", "Save/ReplaceAbsent Delete/R1DeleteWinsOverSave Races/R1DeleteWins",
			func(s *memstore.Store) store.Store { return &revives{full: s} },
		},
		{
			"returns expired records", "Expiry/X1ToTheInstant Expiry/X7NeverReturned Expiry/X7CreateOverExpired Expiry/X1ReplaceMoves Expiry/X9PermanentAndBack Index/OutlivesOldExpiry Expiry/X9BeyondThirtyDays Version/NeverReusedAfterExpiry Expiry/X6ExpiredIsNotStored SubjectKeys/X7NotExpired Count/X7NotExpired",
			func(s *memstore.Store) store.Store { return &late{full: s, expires: make(map[string]time.Time)} },
		},
		{
			"rounds an expiry down", "Expiry/RoundTrip Expiry/X1ToTheInstant",
			onSave(func(rec *store.Record) {
				if rec.Expires.After(time.Now().Add(time.Second)) {
					rec.Expires = rec.Expires.Truncate(time.Second)
				}
			}),
		},
		{
			"gives permanent records a life of a day", "Expiry/X9Permanent Expiry/RoundTrip Expiry/X9PermanentAndBack",
			onSave(func(rec *store.Record) {
				if rec.Expires.IsZero() {
					rec.Expires = time.Now().AddDate(0, 0, 1)
				}
			}),
		},
		{
			"takes a life over for ever", "Expiry/X6ExpiredIsNotStored",
			onSave(func(rec *store.Record) {
				if rec.Expired(time.Now()) {
					rec.Expires = time.Time{}
				}
			}),
		},
		{
			"cannot count beyond thirty days", "Expiry/X9BeyondThirtyDays",
			onSave(func(rec *store.Record) {
				if time.Until(rec.Expires) > 30*24*time.Hour {
					rec.Expires = time.Unix(0, 0)
				}
			}),
		},
		{
			"counts expiries in 64 bits of nanoseconds", "Hostile/Expires",
			onSave(func(rec *store.Record) {
				if !rec.Expires.IsZero() {
					rec.Expires = time.Unix(0, rec.Expires.UnixNano())
				}
			}),
		},
		{
			"shortens on touch", "Touch/NeverShortens Touch/RaceWithTouch Touch/PermanentStays",
			func(s *memstore.Store) store.Store { return &touchSaves{full: s, shortens: true} },
		},
		{
			"changes the version on touch", "Touch/LeavesDataAndVersion",
			func(s *memstore.Store) store.Store { return &touchSaves{full: s} },
		},
		{
			"creates on touch", "Touch/NeverCreates Touch/R1RaceWithDelete Delete/Removes",
			func(s *memstore.Store) store.Store { return &touchCreates{full: s} },
		},
		{
			"does not look at the version on touch", "Touch/OtherVersion Touch/RaceWithSave",
			func(s *memstore.Store) store.Store { return &touchBlind{full: s} },
		},
		{
			"does nothing on touch", "Touch/Extends Touch/ToNever",
			func(s *memstore.Store) store.Store { return &touchNothing{full: s} },
		},
		{
			"supports methods by halves", "Touch/Unsupported Index/Unsupported SubjectKeys/Unsupported List/Unsupported Count/Unsupported",
			func(s *memstore.Store) store.Store { return &halfSupported{full: s} },
		},
		{
			"reuses versions", "Version/NeverReusedAfterDelete Version/NeverReusedAfterExpiry Races/Everything",
			func(s *memstore.Store) store.Store { return &reuses{full: s, base: make(map[string]uint64)} },
		},
		{
			"keeps the version of what has not changed", "Version/ChangesWithEachSave",
			func(s *memstore.Store) store.Store { return &lazyVersion{full: s} },
		},
		{
			"writes into what it was given", "Data/SavedStaysUntouched",
			func(s *memstore.Store) store.Store { return &scribbles{full: s} },
		},
		{
			"appends to what it was given", "Data/SavedStaysUntouched",
			onSave(func(rec *store.Record) { _ = append(rec.Data, '\n') }),
		},
		{
			"reuses the bytes it has returned", "Data/LoadedStaysUntouched",
			func(s *memstore.Store) store.Store { return &recycles{full: s} },
		},
		{
			"trims data", "Data/RoundTrip",
			onSave(func(rec *store.Record) { rec.Data = bytes.TrimRight(rec.Data, " \x00") }),
		},
		{
			"folds the case of subjects", "Data/SubjectRoundTrip Index/K5SubjectsAreSeparate",
			onSave(func(rec *store.Record) { rec.Subject = strings.ToLower(rec.Subject) }),
		},
		{
			"cuts subjects at a line end", "Hostile/K5Subjects",
			onSave(func(rec *store.Record) { rec.Subject, _, _ = strings.Cut(rec.Subject, "\r\n") }),
		},
		{
			"folds keys", "Save/KeysAreSeparate",
			func(s *memstore.Store) store.Store { return &rekeys{s, strings.ToLower} },
		},
		{
			"cuts keys at a line end", "Hostile/K3Keys",
			func(s *memstore.Store) store.Store {
				return &rekeys{s, func(key string) string { key, _, _ = strings.Cut(key, "\r\n"); return key }}
			},
		},
		{
			"panics on a key with a NUL", "Hostile/K3Keys",
			func(s *memstore.Store) store.Store {
				return &rekeys{s, func(key string) string {
					if strings.Contains(key, "\x00") {
						panic("NUL")
					}
					return key
				}}
			},
		},
		{
			"cuts keys at 200 bytes", "Save/LongKey",
			func(s *memstore.Store) store.Store {
				return &rekeys{s, func(key string) string { return key[:min(len(key), 200)] }}
			},
		},
		{
			"does not store the subject", "Save/CreateLoad Save/Replace Index/Finds",
			onSave(func(rec *store.Record) { rec.Subject = "" }),
		},
		{
			"finds what is not there", "Save/LoadAbsent",
			func(s *memstore.Store) store.Store { return &finds{full: s} },
		},
		{
			"returns what it was given with a conflict", "Save/ConflictRecord",
			func(s *memstore.Store) store.Store { return &conflictEcho{full: s} },
		},
		{
			"complains when there is nothing to delete", "Delete/AbsentIsNoError",
			func(s *memstore.Store) store.Store { return &strictDelete{full: s} },
		},
		{
			"does not delete", "Delete/Removes Delete/CreateAgain Index/ForgetsDeleted",
			func(s *memstore.Store) store.Store { return &keeps{full: s} },
		},
		{
			"ignores contexts", "Context/Cancelled Context/DeadlineOver",
			func(s *memstore.Store) store.Store { return struct{ full }{s} },
		},
		{
			"takes a dead context for a missing record", "Context/Cancelled Context/DeadlineOver",
			func(s *memstore.Store) store.Store { return &outageIsAbsence{full: s} },
		},
		{
			"mixes editions", "Races/TornReads",
			func(s *memstore.Store) store.Store { return &torn{full: s} },
		},
		{
			"forgets index entries", "Index/R3CompleteDuringSaves Index/Finds",
			func(s *memstore.Store) store.Store { return &forgetsIndex{full: s} },
		},
		{
			"keeps the index of before", "Index/FollowsSave Index/RaceOfSubjects Index/ForgetsDeleted",
			func(s *memstore.Store) store.Store { return &staleIndex{full: s, seen: make(map[string][]string)} },
		},
		{
			"lists the anonymous under the empty subject", "Index/EmptySubject",
			func(s *memstore.Store) store.Store { return &indexesEmpty{full: s} },
		},
		{
			"answers an error for nobody", "Index/NobodyHasNone",
			func(s *memstore.Store) store.Store { return &errorForNobody{full: s} },
		},
		{
			"finds subjects by their beginning", "Index/K5SubjectsAreSeparate",
			func(s *memstore.Store) store.Store { return &prefixIndex{full: s} },
		},
		{
			"ends the walk of a subject early", "SubjectKeys/Finds SubjectKeys/WalkThatDeletes SubjectKeys/WalkThatMoves SubjectKeys/WalkOfWhatIsSaved SubjectKeys/R3CompleteDuringChanges",
			func(s *memstore.Store) store.Store { return &keysBroken{full: s, firstPageOnly: true} },
		},
		{
			"walks a subject for ever", "SubjectKeys/Finds SubjectKeys/PagesAreLimited",
			func(s *memstore.Store) store.Store { return &keysBroken{full: s, endless: true} },
		},
		{
			"returns a subject's keys in one page", "SubjectKeys/PagesAreLimited",
			func(s *memstore.Store) store.Store { return &keysBroken{full: s, onePage: true} },
		},
		{
			"returns no keys without a limit", "SubjectKeys/Finds",
			func(s *memstore.Store) store.Store { return &keysBroken{full: s, noDefault: true} },
		},
		{
			"starts over at a subject's cursor that it does not know", "SubjectKeys/BadCursor",
			func(s *memstore.Store) store.Store { return &keysBroken{full: s, anyCursor: true} },
		},
		{
			"loses what a walk has yet to reach when records before it go", "SubjectKeys/WalkThatDeletes SubjectKeys/WalkThatMoves",
			func(s *memstore.Store) store.Store { return &keysByOffset{full: s} },
		},
		{
			"walks from the last saved to the first", "SubjectKeys/WalkOfWhatIsSaved",
			func(s *memstore.Store) store.Store { return &keysByVersion{full: s} },
		},
		{
			"returns no keys of permanent records", "SubjectKeys/Finds SubjectKeys/X7NotExpired",
			keysWhere(func(rec *store.Record, subject string) bool { return rec.Subject == subject && !rec.Expires.IsZero() }),
		},
		{
			"returns the keys of the anonymous under the empty subject", "SubjectKeys/EmptySubject",
			keysWhere(func(rec *store.Record, subject string) bool { return rec.Subject == subject }),
		},
		{
			"returns the keys of subjects that begin alike", "SubjectKeys/K5SubjectsAreSeparate",
			keysWhere(func(rec *store.Record, subject string) bool { return strings.HasPrefix(rec.Subject, subject) }),
		},
		{
			"returns the keys of all subjects", "SubjectKeys/Finds SubjectKeys/FollowsSave",
			keysWhere(func(rec *store.Record, _ string) bool { return rec.Subject != "" }),
		},
		{
			"returns the keys that a subject once had", "SubjectKeys/FollowsSave SubjectKeys/WalkThatMoves",
			func(s *memstore.Store) store.Store {
				return &staleKeys{staleIndex{full: s, seen: make(map[string][]string)}}
			},
		},
		{
			"returns the keys of deleted records", "SubjectKeys/FollowsSave SubjectKeys/WalkThatDeletes Delete/Removes",
			func(s *memstore.Store) store.Store {
				return &deadKeys{staleIndex{full: s, seen: make(map[string][]string)}}
			},
		},
		{
			"walks a subject whatever the context", "Context/Cancelled Context/DeadlineOver",
			func(s *memstore.Store) store.Store { return &heedless{full: s} },
		},
		{
			"ends the walk early", "List/FindsAll List/CompleteDuringChanges",
			func(s *memstore.Store) store.Store { return &listBroken{full: s, firstPageOnly: true} },
		},
		{
			"walks for ever", "List/FindsAll List/PagesAreLimited",
			func(s *memstore.Store) store.Store { return &listBroken{full: s, endless: true} },
		},
		{
			"lists everything in one page", "List/PagesAreLimited",
			func(s *memstore.Store) store.Store { return &listBroken{full: s, onePage: true} },
		},
		{
			"takes the prefix for a pattern", "List/K3PrefixIsLiteral",
			func(s *memstore.Store) store.Store { return &listBroken{full: s, glob: true} },
		},
		{
			"starts over at a cursor it does not know", "List/BadCursor",
			func(s *memstore.Store) store.Store { return &listBroken{full: s, anyCursor: true} },
		},
		{
			"purges more than it may", "Purge/OnlyExpired",
			purging(func(s *purges, ctx context.Context, _ int) (int, error) { return s.delete(ctx, 1<<20, s.over) }),
		},
		{
			"purges what lives", "Purge/OnlyExpired",
			purging(func(s *purges, ctx context.Context, limit int) (int, error) {
				return s.delete(ctx, limit, func(expires time.Time) bool { return !expires.IsZero() })
			}),
		},
		{
			"purges what is permanent", "Purge/OnlyExpired",
			purging(func(s *purges, ctx context.Context, limit int) (int, error) {
				return s.delete(ctx, limit, func(expires time.Time) bool { return !expires.After(time.Now()) })
			}),
		},
		{
			"purges by the expiry of before", "Purge/OnlyExpired",
			func(s *memstore.Store) store.Store {
				return &purges{full: s, expires: make(map[string]time.Time), purge: (*purges).deleteOver, first: true}
			},
		},
		{
			"does not purge", "Purge/OnlyExpired",
			purging(func(*purges, context.Context, int) (int, error) { return 0, nil }),
		},
		{
			"always has more to purge", "Purge/OnlyExpired",
			purging(func(_ *purges, _ context.Context, limit int) (int, error) { return limit, nil }),
		},
		{
			"cannot purge", "Purge/OnlyExpired",
			purging(func(*purges, context.Context, int) (int, error) { return 0, errors.New("no purge today") }),
		},
		{
			"counts saves", "Count/FollowsChanges",
			func(s *memstore.Store) store.Store { return &countsSaves{full: s} },
		},
		{
			"counts as it was at the first call", "Count/FollowsChanges Count/K3PrefixIsLiteral",
			func(s *memstore.Store) store.Store { return &countsOnce{full: s} },
		},
		{
			"counts roughly", "Count/Exact",
			func(s *memstore.Store) store.Store { return &countsRoughly{full: s} },
		},
		{
			"counts what matches a pattern", "Count/K3PrefixIsLiteral",
			func(s *memstore.Store) store.Store { return &countsGlob{full: s} },
		},
		{
			"counts what has expired", "Count/X7NotExpired",
			func(s *memstore.Store) store.Store { return &countsExpired{full: s, keys: make(map[string]bool)} },
		},
		{
			"loses a save now and then", "Races/Everything Races/R4NothingIsLost",
			func(s *memstore.Store) store.Store { return &losesSaves{full: s} },
		},
	}
}

// onSave returns a wrapper that changes each record before it is saved.
func onSave(change func(rec *store.Record)) func(*memstore.Store) store.Store {
	return func(s *memstore.Store) store.Store { return &changed{full: s, change: change} }
}

type changed struct {
	full
	change func(rec *store.Record)
}

func (s *changed) Save(ctx context.Context, rec store.Record) (store.Record, error) {
	asked := rec
	s.change(&rec)
	saved, err := s.full.Save(ctx, rec)
	if err == nil {
		asked.Version = saved.Version
		return asked, nil
	}
	return saved, err
}

// saveOver saves rec over whatever there is.
func saveOver(ctx context.Context, s store.Store, rec store.Record) (store.Record, error) {
	for {
		rec.Version = 0
		if current, err := s.Load(ctx, rec.Key); err == nil {
			rec.Version = current.Version
		}
		saved, err := s.Save(ctx, rec)
		if !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrNotFound) || rec.Expired(time.Now()) {
			return saved, err
		}
	}
}

type lastWriteWins struct{ full }

func (s *lastWriteWins) Save(ctx context.Context, rec store.Record) (store.Record, error) {
	if rec.Version != 0 {
		if _, err := s.Load(ctx, rec.Key); err != nil {
			return store.Record{}, err
		}
	}
	runtime.Gosched()
	return saveOver(ctx, s.full, rec)
}

type revives struct{ full }

func (s *revives) Save(ctx context.Context, rec store.Record) (store.Record, error) {
	saved, err := s.full.Save(ctx, rec)
	if errors.Is(err, store.ErrNotFound) && rec.Version != 0 {
		rec.Version = 0
		return s.full.Save(ctx, rec)
	}
	return saved, err
}

// late keeps every record for ever, and tells its expiry without heeding it.
type late struct {
	full
	mu      sync.Mutex
	expires map[string]time.Time
}

func (s *late) with(rec store.Record) store.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	rec.Expires = s.expires[rec.Key]
	return rec
}

func (s *late) Load(ctx context.Context, key string) (store.Record, error) {
	rec, err := s.full.Load(ctx, key)
	return s.with(rec), err
}

func (s *late) Save(ctx context.Context, rec store.Record) (store.Record, error) {
	expires := rec.Expires
	rec.Expires = time.Time{}
	saved, err := s.full.Save(ctx, rec)
	if err == nil {
		s.mu.Lock()
		s.expires[rec.Key] = expires
		s.mu.Unlock()
	}
	return s.with(saved), err
}

func (s *late) BySubject(ctx context.Context, subject string) ([]store.Record, error) {
	recs, err := s.full.BySubject(ctx, subject)
	for i := range recs {
		recs[i] = s.with(recs[i])
	}
	return recs, err
}

// touchSaves does a touch as a save.
type touchSaves struct {
	full
	shortens bool
}

func (s *touchSaves) Touch(ctx context.Context, rec store.Record) error {
	stored, err := s.Load(ctx, rec.Key)
	switch {
	case err != nil:
		return err
	case stored.Version != rec.Version && !s.shortens:
		return store.ErrConflict
	case !s.shortens && (stored.Expires.IsZero() || rec.Expires.Before(stored.Expires)):
		return nil
	}
	stored.Expires = rec.Expires
	_, err = s.Save(ctx, stored)
	return err
}

type touchCreates struct{ full }

func (s *touchCreates) Touch(ctx context.Context, rec store.Record) error {
	err := s.full.Touch(ctx, rec)
	if errors.Is(err, store.ErrNotFound) {
		_, err = s.Save(ctx, store.Record{Key: rec.Key, Expires: rec.Expires})
	}
	return err
}

type touchBlind struct{ full }

func (s *touchBlind) Touch(ctx context.Context, rec store.Record) error {
	stored, err := s.Load(ctx, rec.Key)
	if err != nil {
		return err
	}
	return s.full.Touch(ctx, withExpires(stored, rec.Expires))
}

type touchNothing struct{ full }

func (s *touchNothing) Touch(ctx context.Context, rec store.Record) error {
	stored, err := s.Load(ctx, rec.Key)
	if err == nil && stored.Version != rec.Version {
		err = store.ErrConflict
	}
	return err
}

type unsupported struct{ full }

func (*unsupported) Instant() {}

func (*unsupported) Touch(context.Context, store.Record) error {
	return errors.ErrUnsupported
}

func (*unsupported) BySubject(context.Context, string) ([]store.Record, error) {
	return nil, errors.ErrUnsupported
}

func (*unsupported) SubjectKeys(context.Context, string, string, int) ([]string, string, error) {
	return nil, "", errors.ErrUnsupported
}

func (*unsupported) Purge(context.Context, int) (int, error) { return 0, errors.ErrUnsupported }

func (*unsupported) List(context.Context, string, string, int) ([]store.Record, string, error) {
	return nil, "", errors.ErrUnsupported
}

func (*unsupported) Count(context.Context, string) (int, error) {
	return 0, errors.ErrUnsupported
}

type halfSupported struct{ full }

func (s *halfSupported) Touch(ctx context.Context, rec store.Record) error {
	if rec.Expires.IsZero() {
		return errors.ErrUnsupported
	}
	return s.full.Touch(ctx, rec)
}

func (s *halfSupported) BySubject(ctx context.Context, subject string) ([]store.Record, error) {
	recs, err := s.full.BySubject(ctx, subject)
	if len(recs) == 0 {
		return nil, errors.ErrUnsupported
	}
	return recs, err
}

func (s *halfSupported) SubjectKeys(ctx context.Context, subject, cursor string, limit int) ([]string, string, error) {
	keys, next, err := s.full.SubjectKeys(ctx, subject, cursor, limit)
	if len(keys) == 0 {
		return nil, "", errors.ErrUnsupported
	}
	return keys, next, err
}

func (s *halfSupported) List(ctx context.Context, prefix, cursor string, limit int) ([]store.Record, string, error) {
	recs, next, err := s.full.List(ctx, prefix, cursor, limit)
	if len(recs) == 0 {
		return nil, "", errors.ErrUnsupported
	}
	return recs, next, err
}

func (s *halfSupported) Count(ctx context.Context, prefix string) (int, error) {
	n, err := s.full.Count(ctx, prefix)
	if n == 0 {
		err = errors.ErrUnsupported
	}
	return n, err
}

// reuses counts versions from one for each life of a record.
type reuses struct {
	full
	mu   sync.Mutex
	base map[string]uint64 // what its versions are counted from
}

func (s *reuses) shift(rec store.Record) store.Record {
	if rec.Version != 0 {
		rec.Version -= s.base[rec.Key]
	}
	return rec
}

func (s *reuses) Load(ctx context.Context, key string) (store.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rec, err := s.full.Load(ctx, key)
	return s.shift(rec), err
}

func (s *reuses) Save(ctx context.Context, rec store.Record) (store.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	create := rec.Version == 0
	if !create {
		rec.Version += s.base[rec.Key]
	}
	saved, err := s.full.Save(ctx, rec)
	if create && err == nil {
		s.base[rec.Key] = saved.Version - 1
	}
	return s.shift(saved), err
}

func (s *reuses) Touch(ctx context.Context, rec store.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	rec.Version += s.base[rec.Key]
	return s.full.Touch(ctx, rec)
}

type lazyVersion struct{ full }

func (s *lazyVersion) Save(ctx context.Context, rec store.Record) (store.Record, error) {
	if current, err := s.Load(ctx, rec.Key); err == nil && current.Version == rec.Version && bytes.Equal(current.Data, rec.Data) {
		return current, nil
	}
	return s.full.Save(ctx, rec)
}

// scribbles keeps a copy, and uses what it was given as its scratch pad.
type scribbles struct{ full }

func (s *scribbles) Save(ctx context.Context, rec store.Record) (store.Record, error) {
	given := rec.Data
	rec.Data = bytes.Clone(given)
	saved, err := s.full.Save(ctx, rec)
	for i := range given {
		given[i] ^= 0xff
	}
	return saved, err
}

// recycles returns everything in one buffer.
type recycles struct {
	full
	buffer [256]byte
}

func (s *recycles) Load(ctx context.Context, key string) (store.Record, error) {
	rec, err := s.full.Load(ctx, key)
	rec.Data = s.buffer[:copy(s.buffer[:], rec.Data)]
	return rec, err
}

type rekeys struct {
	full
	key func(string) string
}

func (s *rekeys) Load(ctx context.Context, key string) (store.Record, error) {
	rec, err := s.full.Load(ctx, s.key(key))
	if err == nil {
		rec.Key = key
	}
	return rec, err
}

func (s *rekeys) Save(ctx context.Context, rec store.Record) (store.Record, error) {
	key := rec.Key
	rec.Key = s.key(key)
	saved, err := s.full.Save(ctx, rec)
	saved.Key = key
	return saved, err
}

func (s *rekeys) Delete(ctx context.Context, key string) error {
	return s.full.Delete(ctx, s.key(key))
}

type finds struct{ full }

func (s *finds) Load(ctx context.Context, key string) (store.Record, error) {
	if rec, err := s.full.Load(ctx, key); err == nil {
		return rec, nil
	}
	return store.Record{Key: key, Version: 1}, nil
}

type conflictEcho struct{ full }

func (s *conflictEcho) Save(ctx context.Context, rec store.Record) (store.Record, error) {
	saved, err := s.full.Save(ctx, rec)
	if errors.Is(err, store.ErrConflict) {
		rec.Version = saved.Version
		return rec, err
	}
	return saved, err
}

type strictDelete struct{ full }

func (s *strictDelete) Delete(ctx context.Context, key string) error {
	if _, err := s.Load(ctx, key); err != nil {
		return err
	}
	return s.full.Delete(ctx, key)
}

type keeps struct{ full }

func (*keeps) Delete(context.Context, string) error { return nil }

type outageIsAbsence struct{ full }

func (s *outageIsAbsence) Load(ctx context.Context, key string) (store.Record, error) {
	if ctx.Err() != nil {
		return store.Record{}, store.ErrNotFound
	}
	return s.full.Load(ctx, key)
}

// torn returns the data of the edition before, now and then.
type torn struct {
	full
	mu     sync.Mutex
	loads  int
	before []byte
}

func (s *torn) Save(ctx context.Context, rec store.Record) (store.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if current, err := s.full.Load(ctx, rec.Key); err == nil && current.Version == rec.Version {
		s.before = current.Data
	}
	return s.full.Save(ctx, rec)
}

func (s *torn) Load(ctx context.Context, key string) (store.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rec, err := s.full.Load(ctx, key)
	if s.loads++; s.loads%7 == 0 && err == nil {
		rec.Data = s.before
	}
	return rec, err
}

type forgetsIndex struct{ full }

func (s *forgetsIndex) BySubject(ctx context.Context, subject string) ([]store.Record, error) {
	recs, err := s.full.BySubject(ctx, subject)
	return recs[:min(len(recs), 10)], err
}

// staleIndex remembers every key that a subject ever had.
type staleIndex struct {
	full
	mu   sync.Mutex
	seen map[string][]string
}

func (s *staleIndex) Save(ctx context.Context, rec store.Record) (store.Record, error) {
	saved, err := s.full.Save(ctx, rec)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.seen[rec.Subject], rec.Key) {
		s.seen[rec.Subject] = append(s.seen[rec.Subject], rec.Key)
	}
	return saved, err
}

func (s *staleIndex) BySubject(ctx context.Context, subject string) (recs []store.Record, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range s.seen[subject] {
		if rec, err := s.Load(ctx, key); err == nil {
			recs = append(recs, rec)
		}
	}
	return recs, nil
}

type indexesEmpty struct{ full }

func (s *indexesEmpty) BySubject(ctx context.Context, subject string) ([]store.Record, error) {
	if subject != "" {
		return s.full.BySubject(ctx, subject)
	}
	recs, _, err := s.List(ctx, "", "", 1<<20)
	return slices.DeleteFunc(recs, func(rec store.Record) bool { return rec.Subject != "" }), err
}

type errorForNobody struct{ full }

func (s *errorForNobody) BySubject(ctx context.Context, subject string) ([]store.Record, error) {
	recs, err := s.full.BySubject(ctx, subject)
	if len(recs) == 0 && !strings.HasSuffix(subject, "probe") {
		return nil, store.ErrNotFound
	}
	return recs, err
}

type prefixIndex struct{ full }

func (s *prefixIndex) BySubject(ctx context.Context, subject string) ([]store.Record, error) {
	recs, _, err := s.List(ctx, "", "", 1<<20)
	return slices.DeleteFunc(recs, func(rec store.Record) bool { return !strings.HasPrefix(rec.Subject, subject) }), err
}

type listBroken struct {
	full
	firstPageOnly, endless, onePage, glob, anyCursor bool
}

func (s *listBroken) List(ctx context.Context, prefix, cursor string, limit int) ([]store.Record, string, error) {
	if s.onePage {
		limit = 1 << 20
	}
	pattern := prefix + "*"
	if s.glob {
		prefix = ""
	}
	page, next, err := s.full.List(ctx, prefix, cursor, limit)
	switch {
	case s.anyCursor && err != nil:
		return s.full.List(ctx, prefix, "", limit)
	case s.glob:
		page = slices.DeleteFunc(page, func(rec store.Record) bool {
			ok, err := path.Match(pattern, rec.Key)
			return !ok || err != nil
		})
	case s.firstPageOnly:
		next = ""
	case s.endless && next == "":
		next = "0-0"
	}
	return page, next, err
}

type keysBroken struct {
	full
	firstPageOnly, endless, onePage, anyCursor, noDefault bool
}

func (s *keysBroken) SubjectKeys(ctx context.Context, subject, cursor string, limit int) ([]string, string, error) {
	if s.onePage {
		limit = 1 << 20
	}
	keys, next, err := s.full.SubjectKeys(ctx, subject, cursor, limit)
	switch {
	case s.noDefault && limit <= 0:
		return nil, "", err
	case s.anyCursor && err != nil:
		return s.full.SubjectKeys(ctx, subject, "", limit)
	case s.firstPageOnly:
		next = ""
	case s.endless && next == "":
		next = "0-0"
	}
	return keys, next, err
}

// keysByOffset remembers how many keys it has returned of a list that is another one for each page.
type keysByOffset struct{ full }

func (s *keysByOffset) SubjectKeys(ctx context.Context, subject, cursor string, limit int) ([]string, string, error) {
	recs, err := s.BySubject(ctx, subject)
	var keys []string
	for _, rec := range recs {
		keys = append(keys, rec.Key)
	}
	slices.Sort(keys)
	from := 0
	if cursor != "" {
		from, err = strconv.Atoi(cursor)
	}
	if err != nil || from < 0 {
		return nil, "", errors.New("no such cursor")
	}
	from = min(from, len(keys))
	if to := from + limit; limit > 0 && to < len(keys) {
		return keys[from:to], strconv.Itoa(to), nil
	}
	return keys[from:], "", nil
}

// keysByVersion returns the keys of what was saved last first, and goes on with what was saved before.
type keysByVersion struct{ full }

func (s *keysByVersion) SubjectKeys(ctx context.Context, subject, cursor string, limit int) (keys []string, next string, err error) {
	recs, err := s.BySubject(ctx, subject)
	slices.SortFunc(recs, func(a, b store.Record) int { return cmp.Compare(b.Version, a.Version) })
	below := uint64(math.MaxUint64)
	if cursor != "" {
		below, err = strconv.ParseUint(cursor, 10, 64)
	}
	for _, rec := range recs {
		if rec.Version >= below {
			continue
		}
		if limit > 0 && len(keys) == limit {
			return keys, next, err
		}
		keys, next = append(keys, rec.Key), strconv.FormatUint(rec.Version, 10)
	}
	return keys, "", err
}

// keysWhere returns a wrapper that returns the keys of the records that which is true of, in one page.
func keysWhere(which func(rec *store.Record, subject string) bool) func(*memstore.Store) store.Store {
	return func(s *memstore.Store) store.Store { return &keysOf{full: s, which: which} }
}

type keysOf struct {
	full
	which func(rec *store.Record, subject string) bool
}

func (s *keysOf) SubjectKeys(ctx context.Context, subject, _ string, _ int) (keys []string, next string, err error) {
	all, _, err := s.List(ctx, "", "", 1<<20)
	for i := range all {
		if s.which(&all[i], subject) {
			keys = append(keys, all[i].Key)
		}
	}
	return keys, "", err
}

// staleKeys returns every key that a subject ever had, as long as there is such a record.
type staleKeys struct{ staleIndex }

func (s *staleKeys) SubjectKeys(ctx context.Context, subject, _ string, _ int) (keys []string, next string, err error) {
	recs, err := s.BySubject(ctx, subject)
	for _, rec := range recs {
		keys = append(keys, rec.Key)
	}
	return keys, "", err
}

// deadKeys returns every key that a subject ever had.
type deadKeys struct{ staleIndex }

func (s *deadKeys) SubjectKeys(_ context.Context, subject, _ string, _ int) ([]string, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen[subject]), "", nil
}

// oddPages has an empty page before each page, and each key twice, as a store may.
type oddPages struct{ full }

func (s *oddPages) SubjectKeys(ctx context.Context, subject, cursor string, limit int) ([]string, string, error) {
	from, second := strings.CutSuffix(cursor, "+")
	keys, next, err := s.full.SubjectKeys(ctx, subject, from, limit)
	if !second && err == nil {
		return nil, from + "+", nil
	}
	return slices.Concat(keys, keys), next, err
}

// heedless heeds contexts, except in SubjectKeys.
type heedless struct{ full }

func (s *heedless) Load(ctx context.Context, key string) (store.Record, error) {
	if err := ctx.Err(); err != nil {
		return store.Record{}, err
	}
	return s.full.Load(ctx, key)
}

func (s *heedless) Save(ctx context.Context, rec store.Record) (store.Record, error) {
	if err := ctx.Err(); err != nil {
		return store.Record{}, err
	}
	return s.full.Save(ctx, rec)
}

func (s *heedless) Delete(ctx context.Context, key string) error {
	return cmp.Or(ctx.Err(), s.full.Delete(ctx, key))
}

func (s *heedless) Touch(ctx context.Context, rec store.Record) error {
	return cmp.Or(ctx.Err(), s.full.Touch(ctx, rec))
}

func (s *heedless) BySubject(ctx context.Context, subject string) ([]store.Record, error) {
	recs, err := s.full.BySubject(ctx, subject)
	return recs, cmp.Or(ctx.Err(), err)
}

func (s *heedless) List(ctx context.Context, prefix, cursor string, limit int) ([]store.Record, string, error) {
	page, next, err := s.full.List(ctx, prefix, cursor, limit)
	return page, next, cmp.Or(ctx.Err(), err)
}

// countsSaves takes each save for another record.
type countsSaves struct {
	full
	replaced atomic.Int64
}

func (s *countsSaves) Save(ctx context.Context, rec store.Record) (store.Record, error) {
	if rec.Version != 0 {
		s.replaced.Add(1)
	}
	return s.full.Save(ctx, rec)
}

func (s *countsSaves) Count(ctx context.Context, prefix string) (int, error) {
	n, err := s.full.Count(ctx, prefix)
	return n + int(s.replaced.Load()), err
}

type countsOnce struct {
	full
	first sync.Once
	n     int
	err   error
}

func (s *countsOnce) Count(ctx context.Context, prefix string) (int, error) {
	s.first.Do(func() { s.n, s.err = s.full.Count(ctx, prefix) })
	return s.n, s.err
}

type countsRoughly struct{ full }

func (s *countsRoughly) Count(ctx context.Context, prefix string) (int, error) {
	n, err := s.full.Count(ctx, prefix)
	if n > 64 {
		n -= n % 64
	}
	return n, err
}

type countsGlob struct{ full }

func (s *countsGlob) Count(ctx context.Context, prefix string) (n int, err error) {
	all, _, err := s.List(ctx, "", "", 1<<20)
	for _, rec := range all {
		if ok, err := path.Match(prefix+"*", rec.Key); ok && err == nil {
			n++
		}
	}
	return n, err
}

// countsExpired counts the keys that were saved and not deleted.
type countsExpired struct {
	full
	mu   sync.Mutex
	keys map[string]bool
}

func (s *countsExpired) Save(ctx context.Context, rec store.Record) (store.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[rec.Key] = true
	return s.full.Save(ctx, rec)
}

func (s *countsExpired) Count(_ context.Context, prefix string) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.keys {
		if strings.HasPrefix(key, prefix) {
			n++
		}
	}
	return n, nil
}

// losesSaves says that it has saved, now and then.
type losesSaves struct {
	full
	mu    sync.Mutex
	saves int
}

func (s *losesSaves) Save(ctx context.Context, rec store.Record) (store.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.saves++; s.saves%50 == 0 && rec.Version != 0 {
		rec.Version += 1 << 40
		return rec, nil
	}
	return s.full.Save(ctx, rec)
}

// dropsOnTooLarge drops the old item when it refuses the new one.
type dropsOnTooLarge struct {
	full
	limit int
}

func (s *dropsOnTooLarge) Save(ctx context.Context, rec store.Record) (store.Record, error) {
	if len(rec.Data) > s.limit {
		_ = s.Delete(ctx, rec.Key)
		return store.Record{}, store.ErrTooLarge
	}
	return s.full.Save(ctx, rec)
}

// remote is a good store that is like a server's: it heeds contexts, rounds up and has nothing optional.
type remote struct{ good *memstore.Store }

// resolution is what it rounds to.
const resolution = 100 * time.Millisecond

func (s *remote) Load(ctx context.Context, key string) (store.Record, error) {
	if err := ctx.Err(); err != nil {
		return store.Record{}, err
	}
	return s.good.Load(ctx, key)
}

func (s *remote) Save(ctx context.Context, rec store.Record) (store.Record, error) {
	if err := ctx.Err(); err != nil {
		return store.Record{}, err
	}
	if rounded := rec.Expires.Truncate(resolution); rounded.Before(rec.Expires) && !rec.Expired(time.Now()) {
		rec.Expires = rounded.Add(resolution)
	}
	saved, err := s.good.Save(ctx, rec)
	if errors.Is(err, store.ErrConflict) {
		saved = store.Record{}
	}
	return saved, err
}

func (s *remote) Delete(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.good.Delete(ctx, key)
}

// purging returns a wrapper with that purge.
func purging(purge func(s *purges, ctx context.Context, limit int) (int, error)) func(*memstore.Store) store.Store {
	return func(s *memstore.Store) store.Store {
		return &purges{full: s, expires: make(map[string]time.Time), purge: purge}
	}
}

// purges keeps a list of what expires when, and purges by it.
type purges struct {
	full
	purge func(s *purges, ctx context.Context, limit int) (int, error)
	first bool // the list keeps the expiry that a record was created with

	mu      sync.Mutex
	expires map[string]time.Time
}

func (s *purges) Save(ctx context.Context, rec store.Record) (store.Record, error) {
	saved, err := s.full.Save(ctx, rec)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.expires[rec.Key]; err == nil && (!known || !s.first) {
		s.expires[rec.Key] = rec.Expires
	}
	return saved, err
}

func (s *purges) Purge(ctx context.Context, limit int) (int, error) { return s.purge(s, ctx, limit) }

func (s *purges) over(expires time.Time) bool {
	return !expires.IsZero() && !expires.After(time.Now())
}

func (s *purges) deleteOver(ctx context.Context, limit int) (int, error) {
	return s.delete(ctx, limit, s.over)
}

// delete deletes up to limit records that which is true of.
func (s *purges) delete(ctx context.Context, limit int, which func(expires time.Time) bool) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, expires := range s.expires {
		if n == limit || !which(expires) {
			continue
		}
		if err := s.Delete(ctx, key); err != nil {
			return n, err
		}
		delete(s.expires, key)
		n++
	}
	return n, nil
}
