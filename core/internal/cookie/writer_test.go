package cookie

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

// writerCases returns attributes with what they add to a Set-Cookie value.
func writerCases() map[string]struct {
	a            Attributes
	scope, flags string
} {
	return map[string]struct {
		a            Attributes
		scope, flags string
	}{
		"path only":       {Attributes{Name: "session", Path: "/"}, "; Path=/", ""},
		"path":            {Attributes{Name: "session", Path: "/app"}, "; Path=/app", ""},
		"domain":          {Attributes{Name: "session", Path: "/", Domain: "example.com"}, "; Path=/; Domain=example.com", ""},
		"HttpOnly":        {Attributes{Name: "session", Path: "/", HTTPOnly: true}, "; Path=/", "; HttpOnly"},
		"Secure":          {Attributes{Name: "session", Path: "/", Secure: true}, "; Path=/", "; Secure"},
		"SameSite Lax":    {Attributes{Name: "session", Path: "/", SameSite: "Lax"}, "; Path=/", "; SameSite=Lax"},
		"SameSite Strict": {Attributes{Name: "session", Path: "/", SameSite: "Strict"}, "; Path=/", "; SameSite=Strict"},
		"Partitioned":     {Attributes{Name: "session", Path: "/", Partitioned: true}, "; Path=/", "; Partitioned"},
		"everything": {
			Attributes{
				Name: "__Secure-id", Path: "/x", Domain: "a.example.com", SameSite: "None",
				HTTPOnly: true, Secure: true, Partitioned: true,
			},
			"; Path=/x; Domain=a.example.com", "; HttpOnly; Secure; SameSite=None; Partitioned",
		},
		"longer than the buffer": {
			Attributes{Name: strings.Repeat("n", 256), Path: "/" + strings.Repeat("p", 1023), Secure: true},
			"; Path=/" + strings.Repeat("p", 1023), "; Secure",
		},
	}
}

func TestWriter(t *testing.T) {
	t.Parallel()
	tk := random()
	for name, tc := range writerCases() {
		w := NewWriter(&tc.a)
		pair := tc.a.Name + "=" + textOf(&tk)
		equal(t, name+": Set", w.Set(&tk, time.Hour), pair+tc.scope+"; Max-Age=3600"+tc.flags)
		equal(t, name+": SetForBrowserSession", w.SetForBrowserSession(&tk), pair+tc.scope+tc.flags)
		equal(t, name+": Remove", w.Remove(),
			tc.a.Name+"="+tc.scope+"; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"+tc.flags)
		equal(t, name+": Attributes", w.Attributes(), tc.scope+tc.flags)
	}
}

// The standard library reads each attribute back.
func TestWriterIsParsed(t *testing.T) {
	t.Parallel()
	tk := random()
	sameSites := map[string]http.SameSite{
		"": 0, "Lax": http.SameSiteLaxMode, "Strict": http.SameSiteStrictMode, "None": http.SameSiteNoneMode,
	}
	for name, tc := range writerCases() {
		w := NewWriter(&tc.a)
		for _, value := range []string{w.Set(&tk, time.Hour), w.SetForBrowserSession(&tk), w.Remove()} {
			c, err := http.ParseSetCookie(value)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			equal(t, name+": Name", c.Name, tc.a.Name)
			equal(t, name+": Path", c.Path, tc.a.Path)
			equal(t, name+": Domain", c.Domain, tc.a.Domain)
			equal(t, name+": HttpOnly", c.HttpOnly, tc.a.HTTPOnly)
			equal(t, name+": Secure", c.Secure, tc.a.Secure)
			equal(t, name+": Partitioned", c.Partitioned, tc.a.Partitioned)
			equal(t, name+": SameSite", c.SameSite, sameSites[tc.a.SameSite])
			if value == w.Remove() {
				equal(t, name+": value of a removal", c.Value, "")
				equal(t, name+": Max-Age of a removal", c.MaxAge, -1)
				equal(t, name+": Expires of a removal is past", c.Expires.Before(time.Unix(1, 0)), true)
				continue
			}
			equal(t, name+": value", c.Value, textOf(&tk))
			equal(t, name+": Expires", c.Expires.IsZero(), true)
		}
	}
}

// C8: Max-Age is rounded up, and is at most 400 days.
func TestC8MaxAge(t *testing.T) {
	t.Parallel()
	w := NewWriter(&Attributes{Name: "n", Path: "/"})
	const day = 24 * time.Hour
	for _, tc := range []struct {
		left   time.Duration
		wanted string
	}{
		{0, "0"},
		{1, "1"},
		{time.Second, "1"},
		{time.Second + 1, "2"},
		{time.Hour - time.Millisecond, "3600"},
		{400 * day, "34560000"},
		{400*day + 1, "34560000"},
		{400*day - 1, "34560000"},
		{400*day - time.Second, "34559999"},
		{1<<63 - 1, "34560000"},
	} {
		equal(t, "cookie for "+tc.left.String(), w.Set(new(ticket.Ticket), tc.left), "n="+textOf(new(ticket.Ticket))+"; Path=/; Max-Age="+tc.wanted)
	}
}

// Each cookie costs one allocation, that of its text.
func TestWriterAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("counts differ under the race detector")
	}
	tk := random()
	w := NewWriter(&Attributes{Name: "session", Path: "/", SameSite: "Lax", HTTPOnly: true, Secure: true})
	for name, set := range map[string]func() string{
		"Set":                  func() string { return w.Set(&tk, MaxAge) },
		"SetForBrowserSession": func() string { return w.SetForBrowserSession(&tk) },
	} {
		if n := testing.AllocsPerRun(100, func() { set() }); n > 1 {
			t.Errorf("%s costs %v allocations, want one", name, n)
		}
	}
}

// Find returns at most MaxTickets tickets, in the order of the request, each once.
func TestFindTickets(t *testing.T) {
	t.Parallel()
	var tickets [MaxTickets + 2]ticket.Ticket
	var fields []string
	for i := range tickets {
		tickets[i] = random()
		fields = append(fields, "x="+strconv.Itoa(i)+"; session="+textOf(&tickets[i]))
	}
	all := findTickets("session", fields)
	equal(t, "tickets", len(all), MaxTickets)
	for i := range all {
		equal(t, "ticket "+strconv.Itoa(i), all[i], tickets[i])
	}
	twice := findTickets("session", []string{fields[0] + ";" + fields[1], fields[1], fields[0], fields[2]})
	equal(t, "distinct tickets", len(twice), 3)
	equal(t, "the last of them", twice[2], tickets[2])

	// Find adds to what it has found before.
	var ts Tickets
	ts.Find("session", fields[:1])
	ts.Find("session", fields[:3])
	equal(t, "tickets of two calls", ts.Len(), 3)
	for i := range 3 {
		equal(t, "ticket of two calls", *ts.At(i), tickets[i])
	}
}

// equal fails the test unless got equals wanted.
func equal[T comparable](tb testing.TB, what string, got, wanted T) {
	tb.Helper()
	if got != wanted {
		tb.Errorf("%s is %v, want %v", what, got, wanted)
	}
}
