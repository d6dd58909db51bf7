package adapter

import (
	"fmt"
	"net/textproto"
	"testing"
	"time"
)

func TestContentFieldsAreCanonical(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, field := range ContentFields() {
		equal(t, "spelling", field, textproto.CanonicalMIMEHeaderKey(field))
		equal(t, field+" is there twice", seen[field], false)
		seen[field] = true
	}
	ContentFields()[0] = "changed by a caller"
	equal(t, "first field", ContentFields()[0], "Accept-Ranges")
}

// ClearContent removes the fields that describe the body and keeps all others.
func TestClearContent(t *testing.T) {
	t.Parallel()
	header := map[string][]string{"Set-Cookie": {"a=b", "c=d"}, "Vary": {"Accept"}, "X-Request-Id": {"7"}}
	for _, field := range []string{
		"Content-Type", "Content-Length", "Content-Encoding", "Content-Language", "Content-Location",
		"Content-Disposition", "Content-Range", "Accept-Ranges", "Transfer-Encoding", "Trailer",
		"Cache-Control", "Expires", "Etag", "Last-Modified", "Location",
	} {
		header[field] = []string{"of the handler", "of another"}
	}
	ClearContent(header)
	equal(t, "header", fmt.Sprint(header),
		"map[Cache-Control:[no-store] Set-Cookie:[a=b c=d] Vary:[Accept] X-Request-Id:[7]]")
	empty := map[string][]string{}
	ClearContent(empty)
	equal(t, "empty header", fmt.Sprint(empty), "map[Cache-Control:[no-store]]")
}

func TestDirectives(t *testing.T) {
	t.Parallel()
	for value, wanted := range map[string]struct{ any, bare bool }{
		"":                        {false, false},
		"private":                 {true, true},
		"PRIVATE":                 {true, true},
		"a, private ,b":           {true, true},
		`private="x"`:             {true, false},
		"private = x":             {true, false},
		`private="x", private`:    {true, true},
		"privates, x-private":     {false, false},
		"max-age=1, =private, , ": {false, false},
	} {
		equal(t, "directive in "+value, hasDirective(value, "private"), wanted.any)
		equal(t, "bare directive in "+value, hasBareDirective(value, "private"), wanted.bare)
	}
}

// Only what a cache may use without asking again is cacheable.
func TestCacheable(t *testing.T) {
	t.Parallel()
	later := time.Now().UTC().Add(time.Hour).Format("Mon, 02 Jan 2006 15:04:05 GMT")
	for _, tc := range []struct {
		field, value string
		wanted       bool
	}{
		{"Content-Type", "text/html", false},
		{"Cache-Control", "public", true},
		{"Cache-Control", "max-age=60", true},
		{"Cache-Control", `s-maxage="60"`, true},
		{"Cache-Control", "max-age=0", false},
		{"Cache-Control", "max-age=0, must-revalidate", false},
		{"Cache-Control", "no-cache, max-age=60", false},
		{"Cache-Control", "public, no-store", false},
		{"Cache-Control", "private, max-age=60", false},
		{"Expires", later, true},
		{"Expires", "0", false},
		{"Expires", "-1", false},
		{"Expires", "Thu, 01 Jan 1970 00:00:00 GMT", false},
		{"Surrogate-Control", "max-age=60", true},
	} {
		header := map[string][]string{tc.field: {tc.value}}
		if got := Cacheable(header); got != tc.wanted {
			t.Errorf("%s: %s is cacheable: %v, want %v", tc.field, tc.value, got, tc.wanted)
		}
	}
}
