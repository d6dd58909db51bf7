package storekit_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/storekit"
	"github.com/cloakroom-go/sessions/core/store"
)

func TestPrintable(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"":                      true,
		"~ a ~":                 true,
		"session:1":             true,
		strings.Repeat("a", 10): true,
		strings.Repeat("a", 11): false,
		"\x1f":                  false,
		"\x7f":                  false,
		"a\n":                   false,
		"\x00":                  false,
		"é":                     false,
		"\xff":                  false,
	} {
		if got := storekit.Printable(text, 10); got != want {
			t.Errorf("Printable(%q, 10) = %v, want %v", text, got, want)
		}
	}
}

func TestCheckSize(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]error{0: nil, 9: nil, 10: nil, 11: store.ErrTooLarge} {
		err := storekit.CheckSize(&store.Record{Data: make([]byte, size)}, 10)
		if !errors.Is(err, want) {
			t.Errorf("CheckSize of %d bytes with a limit of 10 = %v, want %v", size, err, want)
		}
		if err != nil && !strings.Contains(err.Error(), "Options.MaxData is 10") {
			t.Errorf("CheckSize = %v, want an error that names the limit", err)
		}
	}
}

func TestCeilMilli(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		t    time.Time
		want int64
	}{
		{time.Unix(0, 0), 0},
		{time.Unix(0, 1), 1},
		{time.Unix(0, 999_999), 1},
		{time.Unix(0, 1_000_000), 1},
		{time.Unix(0, 1_000_001), 2},
		{time.Unix(7, 0), 7000},
		{time.Unix(0, -1), 0},
		{time.Unix(0, -1_000_000), -1},
		{time.Unix(0, -1_000_001), -1},
		{time.Date(9999, 12, 31, 23, 59, 59, 999_000_000, time.UTC), 253402300799999},
	} {
		if got := storekit.CeilMilli(c.t); got != c.want {
			t.Errorf("CeilMilli(%v) = %d, want %d", c.t, got, c.want)
		}
	}
}
