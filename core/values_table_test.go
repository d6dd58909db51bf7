package core_test

import (
	"log/slog"
	"os"
	"testing"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/internal/valuetable"
)

// Every row of the table in docs/values.md is what JSON does.
func TestValueTable(t *testing.T) {
	t.Parallel()
	m, err := core.NewManager(core.Options{Logger: slog.New(slog.DiscardHandler), MaxSize: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	// A codec of the application's own that uses JSON, which then remembers nothing of a type.
	wrapped, err := core.NewManager(core.Options{
		Logger: slog.New(slog.DiscardHandler), MaxSize: 4 << 20, Codec: struct{ core.JSON }{},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range valuetable.Cases() {
		for range 2 { // The second time the type is known.
			if err := c.Check(t.Context(), m, c.JSON); err != nil {
				t.Error(err)
			}
		}
		if err := c.Check(t.Context(), wrapped, c.JSON); err != nil {
			t.Errorf("wrapped: %v", err)
		}
	}
}

// The table has a row for each case, with the same outcomes, and a case for each row.
func TestValueTableIsDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/values.md")
	if err != nil {
		t.Fatal(err)
	}
	rows, met := valuetable.Documented(string(page)), map[string]bool{}
	for _, c := range valuetable.Cases() {
		met[c.Row] = true
		if r := rows[c.Row]; len(r) < 3 || r[1] != c.JSON.Text || r[2] != c.CBOR.Text {
			t.Errorf("docs/values.md has %q, want | %s | %s | %s |", r, c.Row, c.JSON.Text, c.CBOR.Text)
		}
	}
	for row := range rows {
		if !met[row] {
			t.Errorf("docs/values.md has the row %q, which is no case", row)
		}
	}
}
