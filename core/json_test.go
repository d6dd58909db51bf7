package core

import (
	"encoding/json"
	"testing"
	"time"
)

type account struct {
	ID    int64    `json:"id"`
	Name  string   `json:"name"`
	Mail  string   `json:"mail"`
	Roles []string `json:"roles"`
}

// BenchmarkEncode measures what it costs to look for what JSON changes, beside encoding/json
// alone.
func BenchmarkEncode(b *testing.B) {
	type dated struct {
		Name string
		At   time.Time
	}
	type item struct {
		Name  string
		Count int
		Price float64
	}
	many := make([]item, 100)
	for i := range many {
		many[i] = item{"something to buy", i, 9.95}
	}
	m := newTestManager(b, Options{})
	for _, bc := range []struct {
		name string
		v    any
	}{
		{"text", "plain text"},
		{"unicode", "Grüße aus Köln"},
		{"number", 42},
		{"struct", account{7, "Ann", "ann@example.com", []string{"admin", "staff"}}},
		{"pointer", &account{7, "Ann", "ann@example.com", []string{"admin", "staff"}}},
		{"strings", []string{"a", "b", "c"}},
		{"map", map[string]string{"a": "b", "c": "d"}},
		{"time", dated{"Ann", time.Unix(1e9, 5)}},
		{"cart", many},
		{"anything", map[string]any{"id": 7, "name": "Ann", "roles": []any{"admin", "staff"}}},
	} {
		b.Run(bc.name+"/alone", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if data, ok := encodePlain(bc.v); ok {
					_ = data
				} else if _, err := json.Marshal(bc.v); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(bc.name+"/checked", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.codec.Encode(bc.v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// bareJSON is encoding/json alone, with the shortcut for the most common types.
type bareJSON struct{}

func (bareJSON) Encode(v any) ([]byte, error) {
	if data, ok := encodePlain(v); ok {
		return data, nil
	}
	return json.Marshal(v)
}

func (bareJSON) Decode(data []byte, v any) error { return json.Unmarshal(data, v) }

// BenchmarkSet measures Set and Get of a struct, beside encoding/json alone.
func BenchmarkSet(b *testing.B) {
	const key = Key[account]("account")
	ann := account{7, "Ann", "ann@example.com", []string{"admin", "staff"}}
	for name, codec := range map[string]Codec{"alone": bareJSON{}, "checked": JSON{}} {
		s := newClient(b, newTestManager(b, Options{Codec: codec})).load()
		b.Run("Set/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := key.Set(s, ann); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("Get/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				key.Get(s)
			}
		})
	}
}
