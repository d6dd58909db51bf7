// Package valuetable has the table of docs/values.md as cases: what comes back of a value, by
// codec. It is for the tests of codecs.
package valuetable

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/cloakroom-go/sessions/core"
)

// Case is a value of a row of the table.
type Case struct {
	Row  string // the first cell of the row
	JSON Outcome
	CBOR Outcome

	set func(s *core.Session) error
	get func(s *core.Session) (any, bool)
	in  any
}

// Outcome is what becomes of a value.
type Outcome struct {
	Text    string // the cell of the codec
	refused bool
	same    func(in, out any) bool
}

// The outcomes that most rows have.
func same() Outcome    { return Outcome{Text: "the same", same: reflect.DeepEqual} }
func refused() Outcome { return Outcome{Text: "refused", refused: true} }

// as is the outcome of a value that comes back as another one.
func as(text string, wanted any) Outcome {
	equal := func(_, out any) bool { return reflect.DeepEqual(out, wanted) }
	return Outcome{Text: text, same: equal}
}

// likewise is the outcome of a value that comes back as one that is equal in the sense of f.
func likewise[T any](text string, f func(in, out T) bool) Outcome {
	return Outcome{Text: text, same: func(in, out any) bool {
		a, _ := in.(T)
		b, _ := out.(T)
		return f(a, b)
	}}
}

func row[T any](name string, in T, json, cbor Outcome) *Case {
	const key = core.Key[T]("key")
	return &Case{
		Row: name, JSON: json, CBOR: cbor, in: in,
		set: func(s *core.Session) error { return key.Set(s, in) },
		get: func(s *core.Session) (any, bool) { return key.Lookup(s) },
	}
}

// Check stores the value in one request and reads it in another. It returns an error if that
// does not have the outcome.
func (c *Case) Check(ctx context.Context, m *core.Manager, wanted Outcome) error {
	var setErr error
	cookie, err := request(ctx, m, "", func(s *core.Session) {
		if err := s.Set("other", true); err != nil {
			setErr = errors.New("the session is not writable")
			return
		}
		setErr = c.set(s)
	})
	switch {
	case err != nil:
		return err
	case wanted.refused && setErr == nil:
		return fmt.Errorf("%s: %T is stored, want it refused", c.Row, c.in)
	case wanted.refused:
		return nil
	case setErr != nil:
		return fmt.Errorf("%s: %T: %w", c.Row, c.in, setErr)
	}
	var out any
	ok := false
	_, err = request(ctx, m, cookie, func(s *core.Session) { out, ok = c.get(s) })
	switch {
	case err != nil:
		return err
	case !ok:
		return fmt.Errorf("%s: %T does not come back", c.Row, c.in)
	case !wanted.same(c.in, out):
		return fmt.Errorf("%s: %#v comes back as %#v, want %s", c.Row, c.in, out, wanted.Text)
	}
	return nil
}

// request runs a request with the cookie, and returns the cookie of the response.
func request(
	ctx context.Context, m *core.Manager, cookie string, handler func(s *core.Session),
) (string, error) {
	sc := new(core.Scope)
	if err := sc.Open(ctx, nil, m, nil, cookie); err != nil {
		return "", err
	}
	handler(sc.Get())
	reply, err := sc.CommitHeader()
	cookie, _, _ = strings.Cut(reply.SetCookie, ";")
	return cookie, errors.Join(err, sc.Close())
}

// Documented returns the cells of the table in the text of docs/values.md, by the first cell of
// their row.
func Documented(text string) map[string][]string {
	rows := map[string][]string{}
	for line := range strings.Lines(text) {
		cells := strings.Split(line, "|")
		if len(cells) != 6 {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if name := cells[1]; name != "value" && name != "---" {
			rows[name] = cells[1:5]
		}
	}
	return rows
}
