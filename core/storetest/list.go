package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/cloakroom-go/sessions/core/store"
)

func listCases() []testCase {
	return []testCase{
		{
			name: "Unsupported", run: listUnsupported,
			rule: "A List that cannot be done answers errors.ErrUnsupported always, so that nobody takes an empty answer for no sessions.",
		},
		{
			name: "FindsAll", run: listFindsAll,
			rule: "Walking the pages returns every record with the prefix at least once, whole as Load returns it, whatever the limit, and ends.",
		},
		{
			name: "PagesAreLimited", run: listPages,
			rule: "A page has about as many records as were asked for; a store of millions must not come back in one answer.",
		},
		{
			name: "K3PrefixIsLiteral", run: listPrefix,
			rule: "The prefix is taken literally, pattern characters too: another application's sessions in the same store are none of this one's.",
		},
		{
			name: "BadCursor", run: listBadCursor,
			rule: "A cursor that the store did not hand out is an error; starting over, or ending, would hide records from who walks them.",
		},
		{
			name: "CompleteDuringChanges", run: listComplete,
			rule: "A record that is there throughout a walk is returned, whatever comes and goes meanwhile, and the walk ends.",
		},
	}
}

const maxPages = 20_000

var errEndless = errors.New("storetest: the walk does not end: List hands out a next cursor again and again")

// pages walks all records with the prefix. Some may come more than once.
func (e *env) pages(s store.Lister, prefix string, limit int) (all []store.Record, err error) {
	var page []store.Record
	cursor := ""
	for range maxPages {
		if page, cursor, err = s.List(e.ctx, prefix, cursor, limit); err != nil {
			return nil, err
		}
		if all = append(all, page...); cursor == "" {
			return all, nil
		}
	}
	return nil, errEndless
}

// walk is pages with every record once. A store that does not support List has none.
func (e *env) walk(s store.Lister, prefix string, limit int) (once []store.Record) {
	e.Helper()
	all, err := e.pages(s, prefix, limit)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		e.Fatalf("List(prefix %q, limit %d) = %v", short(prefix), limit, err)
	}
	seen := make(map[string]bool)
	for _, rec := range all {
		if !seen[rec.Key] {
			once = append(once, rec)
		}
		seen[rec.Key] = true
	}
	return once
}

func listUnsupported(e *env) {
	s, ok := e.store.(store.Lister)
	if !ok {
		e.Skip("the store has no List")
	}
	e.create("a")
	unsupported, prefixes := 0, []string{e.unique, e.name("nothing"), e.name("a")}
	for _, prefix := range prefixes {
		if _, _, err := s.List(e.ctx, prefix, "", 10); errors.Is(err, errors.ErrUnsupported) {
			unsupported++
		}
	}
	if unsupported != 0 && unsupported != len(prefixes) {
		e.Errorf("%d of %d calls of List answered errors.ErrUnsupported, want all or none", unsupported, len(prefixes))
	}
}

// createMany creates n records whose keys begin with prefix.
func (e *env) createMany(prefix string, n int) (all []store.Record) {
	e.Helper()
	for i := range n {
		all = append(all, e.create(fmt.Sprint(prefix, i)))
	}
	return all
}

func listFindsAll(e *env) {
	s := e.lister()
	all := e.createMany("x", 60)
	all[7].Subject, all[7].Data = e.name("subject"), []byte("changed")
	all[7] = e.save(all[7])
	e.createMany("y", 20)
	for _, limit := range []int{1, 7, 60, 1000} {
		e.exactly(fmt.Sprintf("List(limit %d)", limit), e.walk(s, e.unique+"x", limit), all)
	}
	e.exactly("List(prefix of nothing)", e.walk(s, e.unique+"z", 10), nil)
}

func listPages(e *env) {
	s := e.lister()
	const limit, records = 5, 80
	e.createMany("x", records)
	cursor := ""
	for range maxPages {
		page, next, err := s.List(e.ctx, e.unique, cursor, limit)
		if err != nil {
			e.Fatalf("List = %v", err)
		}
		if len(page) > records/2 {
			e.Errorf("List(limit %d) returned a page of %d records", limit, len(page))
		}
		if cursor = next; next == "" {
			return
		}
	}
	e.Errorf("%v", errEndless)
}

func listPrefix(e *env) {
	s := e.lister()
	var all []store.Record
	for _, name := range lookalikes() {
		all = append(all, e.create(name))
	}
	for _, name := range append(lookalikes(), "") {
		prefix := e.unique + name
		var want []store.Record
		for _, rec := range all {
			if strings.HasPrefix(rec.Key, prefix) {
				want = append(want, rec)
			}
		}
		e.exactly("List(prefix "+prefix+")", e.walk(s, prefix, 10), want)
	}
}

func listBadCursor(e *env) {
	s := e.lister()
	e.createMany("x", 3)
	for _, cursor := range []string{"no cursor of this store", "-1", "999999999999999999999999", "\x00\xff", "*", " ", strings.Repeat("x", 10_000)} {
		page, next, err := s.List(e.ctx, e.unique, cursor, 10)
		if err == nil {
			e.Errorf("List(cursor %q) = %d records, next %q and no error, want an error", short(cursor), len(page), next)
		}
	}
}

func listComplete(e *env) {
	s := e.lister()
	stays := e.createMany("stays", 40)
	ctx, stop := context.WithCancel(e.ctx)
	var walks atomic.Int32
	together(3, func(n int) {
		if n > 0 {
			for i := 0; ctx.Err() == nil; i++ {
				e.churn(n, i%20)
			}
			return
		}
		defer stop()
		for range rounds() {
			all, err := e.pages(s, e.unique, 7)
			if err != nil {
				e.Errorf("List = %v", err)
				return
			}
			walks.Add(1)
			e.missing(all, stays)
		}
	})
	if walks.Load() == 0 {
		e.Errorf("no walk came to its end")
	}
}

// churn creates, changes and deletes a record.
func (e *env) churn(n, i int) {
	h := e.handle(n)
	key := fmt.Sprintf("%schurn%d-%d", e.unique, n, i)
	rec, err := h.Save(e.ctx, store.Record{Key: key, Data: []byte(key)})
	if err == nil {
		_, err = h.Save(e.ctx, rec)
	}
	if err == nil {
		err = h.Delete(e.ctx, key)
	}
	if err != nil {
		e.Errorf("saving or deleting while others list = %v", err)
	}
}

func (e *env) missing(all, want []store.Record) {
	e.Helper()
	got := make(map[string]bool, len(all))
	for _, rec := range all {
		got[rec.Key] = true
	}
	for _, rec := range want {
		if !got[rec.Key] {
			e.Errorf("a walk missed %q, which was there throughout", rec.Key)
		}
	}
}
