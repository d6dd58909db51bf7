package cookie

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

func TestC10ParserTricks(t *testing.T) {
	t.Parallel()
	tk := random()
	token := textOf(&tk)
	for field, found := range map[string]bool{
		"session=" + token:                true,
		" session=" + token + " ":         true,
		"\tsession=" + token + "\t":       true,
		";;;session=" + token + ";;;":     true,
		"a=b;session=" + token:            true,
		"a=b; session=" + token + "; c=d": true,
		`a="b; session=` + token + `"`:    false, // A quote does not hide the semicolon.
		`a="b"; session=` + token:         true,
		"session =" + token:               false,
		"session= " + token:               false,
		`session="` + token + `"`:         false,
		"=session=" + token:               false, // a nameless cookie
		"session==" + token:               false,
		"session=" + token + "=":          false,
		"session=" + token + ",x=y":       false,
		"session=" + token + "\x00":       false,
		"\x00session=" + token:            false,
		"\u00a0session=" + token:          false,
		"\vsession=" + token:              false,
		"\nsession=" + token:              false,
		"SESSION=" + token:                false,
		"Session=" + token:                false,
		"xsession=" + token:               false,
		"session2=" + token:               false,
		"__Host-session=" + token:         false,
		"$Version=1; session=" + token:    true,
		"a=session=" + token:              false,
		"session%3d" + token:              false,
		"a=b, session=" + token:           false,
		token:                             false,
		"=" + token:                       false,
		"session":                         false,
		"":                                false,
	} {
		got := findTickets("session", []string{field})
		if (len(got) == 1 && got[0] == tk) != found || len(got) > 1 {
			t.Errorf("%q: found %d tickets, want one: %v", strings.ReplaceAll(field, token, "TOKEN"), len(got), found)
		}
	}
}

// D5: a huge Cookie field costs no more allocations than a small one.
func TestD5HugeCookieField(t *testing.T) {
	if raceEnabled {
		t.Skip("counts differ under the race detector")
	}
	tk := random()
	huge := []string{strings.Repeat("session=x; a=b;", 100_000) + strings.Repeat("session="+textOf(&tk)+";", 10_000)}
	if n := testing.AllocsPerRun(10, func() { new(Tickets).Find("session", huge) }); n > 0 {
		t.Errorf("a huge Cookie field costs %v allocations, want none", n)
	}
}

func FuzzCookieHeader(f *testing.F) {
	tk := random()
	f.Add("session="+textOf(&tk), "session")
	f.Add("a=b; session="+textOf(&tk)+"; session="+strings.Repeat("A", 64), "session")
	f.Fuzz(func(t *testing.T, field, name string) {
		found := findTickets(name, []string{field})
		if len(found) > MaxTickets {
			t.Fatalf("%d tickets", len(found))
		}
		for i := range found {
			if !strings.Contains(";"+field, name+"="+textOf(&found[i])) {
				t.Fatal("a ticket that nobody presented")
			}
			if slices.Contains(found[:i], found[i]) {
				t.Fatal("the same ticket twice")
			}
		}
		if strings.ContainsAny(name, ";= \t") {
			return
		}
		again := findTickets(name, []string{"x=y; " + name + "=" + textOf(&tk) + ";" + field})
		if len(again) == 0 || again[0] != tk {
			t.Fatal("what follows a cookie hides it")
		}
	})
}

// random returns a random ticket.
func random() ticket.Ticket {
	return ticket.Ticket{ID: uuid.Must(uuid.NewV7()), Secret: ticket.NewSecret()}
}

// textOf returns the cookie value of t.
func textOf(t *ticket.Ticket) string { return string(t.AppendText(nil)) }

func findTickets(name string, fields []string) (found []ticket.Ticket) {
	var ts Tickets
	ts.Find(name, fields)
	for i := range ts.Len() {
		found = append(found, *ts.At(i))
	}
	return found
}
