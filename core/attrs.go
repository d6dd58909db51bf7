package core

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// attrs is what a type shows in a log line, under the names that it has in JSON: lower case, with
// underscores, and with the unit where a number has one.
type attrs []slog.Attr

// text adds a text, unless it is empty.
func (a *attrs) text(name, value string) {
	if value != "" {
		*a = append(*a, slog.String(name, value))
	}
}

// time adds a time, unless it is zero.
func (a *attrs) time(name string, t time.Time) {
	if !t.IsZero() {
		*a = append(*a, slog.Time(name, t))
	}
}

// number adds a number, unless it is zero.
func (a *attrs) number(name string, n uint64) {
	if n != 0 {
		*a = append(*a, slog.Uint64(name, n))
	}
}

// secondsOf returns a duration as an attribute in seconds, which both handlers of slog print
// alike. The name ends in "_seconds". Whole seconds are an integer: a float prints a million as
// 1e+06.
func secondsOf(name string, d time.Duration) slog.Attr {
	if d%time.Second == 0 {
		return slog.Int64(name, int64(d/time.Second))
	}
	return slog.Float64(name, d.Seconds())
}

// value returns a as a group.
func (a *attrs) value() slog.Value { return slog.GroupValue(*a...) }

// json returns a as a JSON object, in the order of a.
func (a *attrs) json() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, attr := range *a {
		if i > 0 {
			out.WriteByte(',')
		}
		value, err := json.Marshal(attr.Value.Any())
		if err != nil {
			return nil, fmt.Errorf("sessions: %s: %w", attr.Key, err)
		}
		fmt.Fprintf(&out, "%q:%s", attr.Key, value)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// snake returns words as they are written in JSON: "secret_reused".
func snake(words string) string { return strings.ReplaceAll(words, " ", "_") }

// parse returns the first of the values 0 to limit-1 whose text is this one.
func parse[T ~uint8](text []byte, limit T, textOf func(T) string) (T, error) {
	for v := range limit {
		if textOf(v) == string(text) {
			return v, nil
		}
	}
	return 0, fmt.Errorf("sessions: %T has no value %q", limit, text)
}
