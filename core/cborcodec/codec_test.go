package cborcodec_test

import (
	"bytes"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/cborcodec"
	"github.com/cloakroom-go/sessions/core/internal/valuetable"
)

func newManager(tb testing.TB, o cborcodec.Options) *core.Manager {
	tb.Helper()
	m, err := core.NewManager(core.Options{
		Codec: cborcodec.New(o), MaxSize: 4 << 20, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// Every row of the table in docs/values.md is what the codec does.
func TestValueTable(t *testing.T) {
	t.Parallel()
	m := newManager(t, cborcodec.Options{})
	for _, c := range valuetable.Cases() {
		for range 2 { // The second time the type is known.
			if err := c.Check(t.Context(), m, c.CBOR); err != nil {
				t.Error(err)
			}
		}
	}
}

// With EncodeFormer the codec stores what JSON stores.
func TestEncodeFormer(t *testing.T) {
	t.Parallel()
	m := newManager(t, cborcodec.Options{Former: core.JSON{}, EncodeFormer: true})
	for _, c := range valuetable.Cases() {
		if err := c.Check(t.Context(), m, c.JSON); err != nil {
			t.Error(err)
		}
	}
}

// What the former codec has stored is read, in either step of a change.
func TestFormer(t *testing.T) {
	t.Parallel()
	json := core.JSON{}
	first := cborcodec.New(cborcodec.Options{Former: json, EncodeFormer: true})
	second := cborcodec.New(cborcodec.Options{Former: json})
	alone := cborcodec.New(cborcodec.Options{})
	for _, v := range []any{"text", 7.0, true, []any{"a", nil}, map[string]any{"a": "b"}} {
		for name, tc := range map[string]struct {
			from, to core.Codec
			reads    bool
		}{
			"first to old":    {first, json, true},
			"old to first":    {json, first, true},
			"second to first": {second, first, true},
			"first to second": {first, second, true},
			"second to alone": {second, alone, true},
			"old to alone":    {json, alone, false},
			"second to old":   {second, json, false},
		} {
			data, err := tc.from.Encode(v)
			if err != nil {
				t.Fatal(err)
			}
			var out any
			if err := tc.to.Decode(data, &out); (err == nil) != tc.reads {
				t.Errorf("%s: %v is read with the error %v", name, v, err)
			}
		}
	}
	defer func() {
		if text, _ := recover().(string); !strings.Contains(text, "EncodeFormer needs Former") {
			t.Errorf("New panics with %q", text)
		}
	}()
	cborcodec.New(cborcodec.Options{EncodeFormer: true})
}

// Equal values have equal bytes, so that storing an equal value is no change.
func TestEqualValuesHaveEqualBytes(t *testing.T) {
	t.Parallel()
	c := cborcodec.New(cborcodec.Options{})
	m := map[string]any{}
	for i := range 100 {
		m[strings.Repeat("x", i)] = int64(i)
	}
	one, err := c.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	reversed := map[string]any{}
	for _, key := range slices.Backward(slices.Sorted(maps.Keys(m))) {
		reversed[key] = m[key]
	}
	other, err := c.Encode(reversed)
	if err != nil || !bytes.Equal(one, other) {
		t.Errorf("bytes differ, error %v", err)
	}
}

// What is decoded shares no memory with the bytes, and neither do they with the value.
func TestNothingIsShared(t *testing.T) {
	t.Parallel()
	c := cborcodec.New(cborcodec.Options{})
	type both struct {
		Text  string
		Bytes []byte
		Any   any
	}
	in := both{"text", []byte("bytes"), []byte("any")}
	data, err := c.Encode(in)
	if err != nil {
		t.Fatal(err)
	}
	in.Bytes[0] = '!'
	var out both
	if err := c.Decode(data, &out); err != nil {
		t.Fatal(err)
	}
	clear(data)
	inner, _ := out.Any.([]byte)
	if out.Text != "text" || string(out.Bytes) != "bytes" || string(inner) != "any" {
		t.Errorf("%+v", out)
	}
}

// FuzzDecode decodes any bytes, which a store may hold.
func FuzzDecode(f *testing.F) {
	c := cborcodec.New(cborcodec.Options{})
	for _, v := range []any{nil, "a", 1, []any{1, "a"}, map[string]any{"a": 1.5}} {
		data, err := c.Encode(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var v any
		if c.Decode(data, &v) != nil {
			return
		}
		again, err := c.Encode(&v)
		if err != nil {
			return // It holds what is decoded and not encoded, such as a tag.
		}
		var w any
		if err := c.Decode(again, &w); err != nil {
			t.Errorf("%x is encoded as %x, which does not decode: %v", data, again, err)
		}
	})
}
