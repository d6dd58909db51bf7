package faulttest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// IndexedStore is a store that finds and walks the records of a subject.
type IndexedStore interface {
	store.Store
	store.Indexer
	store.SubjectPager
}

// WalkSubject walks the keys of a subject and calls visit with each page.
func WalkSubject(
	t *testing.T, s store.SubjectPager, subject string, limit int, visit func(page []string),
) (keys []string) {
	t.Helper()
	for cursor, pages := "", 0; ; pages++ {
		page, next, err := s.SubjectKeys(t.Context(), subject, cursor, limit)
		if err != nil || pages > 10_000 {
			t.Fatalf("SubjectKeys = %v after %d pages", err, pages)
		}
		if len(page) > limit {
			t.Errorf("a page has %d keys, want %d at most", len(page), limit)
		}
		if visit(page); next == "" {
			return append(keys, page...)
		}
		keys, cursor = append(keys, page...), next
	}
}

// SubjectTaken takes the records of each page away from a subject before it asks for the next: by
// deleting them, and by saving them under another subject. Meanwhile others save. The function
// many creates records of a subject and returns their keys in order.
func SubjectTaken(t *testing.T, s IndexedStore, limit int, many func(subject string) []string) {
	t.Helper()
	for _, subject := range []string{"deleted", "moved"} {
		want, pages := many(subject), 0
		got := WalkSubject(t, s, subject, limit, func(page []string) {
			for _, key := range page {
				takeAway(t, s, key, subject == "moved")
			}
			pages++
			rec := store.Record{
				Key: fmt.Sprint(subject, ":", pages), Subject: "others", Data: []byte("data"),
				Expires: time.Now().Add(time.Hour),
			}
			if _, err := s.Save(t.Context(), rec); err != nil {
				t.Errorf("Save = %v", err)
			}
		})
		if !slices.Equal(got, want) {
			t.Errorf("%s: a walk finds %d keys, want all %d", subject, len(got), len(want))
		}
		if left, err := s.BySubject(t.Context(), subject); err != nil || len(left) != 0 {
			t.Errorf("%s: %d records are left, %v", subject, len(left), err)
		}
	}
}

// takeAway deletes a record, or saves it under another subject.
func takeAway(t *testing.T, s store.Store, key string, move bool) {
	t.Helper()
	if !move {
		if err := s.Delete(t.Context(), key); err != nil {
			t.Errorf("Delete = %v", err)
		}
		return
	}
	rec, err := s.Load(t.Context(), key)
	if err == nil {
		rec.Subject = "others"
		_, err = s.Save(t.Context(), rec)
	}
	if err != nil {
		t.Errorf("Save = %v", err)
	}
}
