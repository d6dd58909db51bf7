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
			rule: "If the store cannot list, List always returns errors.ErrUnsupported, so that " +
				"no caller takes an empty result to mean that there are no sessions.",
		},
		{
			name: "FindsAll", run: listFindsAll,
			rule: "The pages of List contain every record with the prefix at least once, as " +
				"complete as Load returns it, for any limit. The number of pages is finite.",
		},
		{
			name: "PagesAreLimited", run: listPages,
			rule: "A page contains about as many records as the caller asked for. A store of " +
				"millions of records must not return them in one result.",
		},
		{
			name: "K3PrefixIsLiteral", run: listPrefix,
			rule: "List takes the prefix literally, including pattern characters. Otherwise it " +
				"returns sessions of other applications that share the store.",
		},
		{
			name: "BadCursor", run: listBadCursor,
			rule: "A cursor that the store did not return is an error. If List started over or " +
				"ended instead, the caller would miss records.",
		},
		{
			name: "CompleteDuringChanges", run: listComplete,
			rule: "A walk through the pages returns every record that exists from its start to " +
				"its end, whatever is created and deleted meanwhile, and the walk ends.",
		},
	}
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
		e.Errorf("%d of %d calls of List returned errors.ErrUnsupported, want all or none",
			unsupported, len(prefixes))
	}
}

func listFindsAll(e *env) {
	s := e.lister()
	all := e.createMany("x", 60)
	all[7].Subject, all[7].Data = e.name("subject"), []byte("changed")
	all[7] = e.save(all[7])
	e.createMany("y", 20)
	for _, limit := range []int{1, 7, 60, 1000} {
		e.wantRecords(fmt.Sprintf("List(limit %d)", limit), e.walk(s, e.unique+"x", limit), all)
	}
	e.wantRecords("List(prefix of no record)", e.walk(s, e.unique+"z", 10), nil)
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
	for _, name := range similarNames() {
		all = append(all, e.create(name))
	}
	for _, name := range append(similarNames(), "") {
		prefix := e.unique + name
		var want []store.Record
		for _, rec := range all {
			if strings.HasPrefix(rec.Key, prefix) {
				want = append(want, rec)
			}
		}
		e.wantRecords("List(prefix "+prefix+")", e.walk(s, prefix, 10), want)
	}
}

func listBadCursor(e *env) {
	s := e.lister()
	e.createMany("x", 3)
	for _, cursor := range []string{
		"no cursor of this store", "-1", "999999999999999999999999",
		"\x00\xff", "*", " ", strings.Repeat("x", 10_000),
	} {
		page, next, err := s.List(e.ctx, e.unique, cursor, 10)
		if err == nil {
			e.Errorf("List(cursor %q) = %d records, next %q and no error, want an error",
				abbreviate(cursor), len(page), next)
		}
	}
}

func listComplete(e *env) {
	s := e.lister()
	stays := e.createMany("stays", 40)
	ctx, stop := context.WithCancel(e.ctx)
	var walks atomic.Int32
	concurrently(3, func(n int) {
		if n > 0 {
			for i := 0; ctx.Err() == nil; i++ {
				e.createAndDelete(n, i%20)
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
			e.wantWalked(all, stays)
		}
	})
	if walks.Load() == 0 {
		e.Errorf("no walk ended")
	}
}

// createAndDelete creates, changes and deletes a record.
func (e *env) createAndDelete(n, i int) {
	h := e.handle(n)
	key := fmt.Sprintf("%sbrief%d-%d", e.unique, n, i)
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

// wantWalked checks that a walk returned each record of want.
func (e *env) wantWalked(all, want []store.Record) {
	e.Helper()
	got := make(map[string]bool, len(all))
	for _, rec := range all {
		got[rec.Key] = true
	}
	e.wantWalkedKeys(got, want)
}
