package valuetable

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Cases returns a case, or several, for each row of the table.
func Cases() []*Case {
	return slices.Concat(basics(), containers(), structs(), interfaces(), times(), methods(), limits())
}

// notUTF8 is a string that is not valid UTF-8.
const notUTF8 = "caf\xe9"

type (
	level string
	count int
)

func basics() []*Case {
	const (
		text    = "`string`, valid UTF-8"
		bytes   = "`string`, not valid UTF-8"
		nested  = "the same in a field, slice, map, map key or `any`"
		numbers = "`bool`, integers, floats, and types of these"
	)
	return []*Case{
		row(text, "", same(), same()),
		row(text, "plain <&> \" \\ text", same(), same()),
		row(text, "Grüße \u2028 \x00 \ufffd \\ufffd", same(), same()),
		row(text, level("Grüße \ufffd"), same(), same()),
		row(text, []string{"\ufffd", `\ufffd`}, same(), same()),
		row(bytes, notUTF8, refused(), same()),
		row(bytes, "\xff", refused(), same()),
		row(bytes, "\xed\xa0\x80", refused(), same()), // half of a surrogate pair
		row(bytes, level(notUTF8), refused(), same()),
		row(bytes, new(notUTF8), refused(), same()),
		row(nested, []string{"a", notUTF8}, refused(), same()),
		row(nested, [2]string{"a", notUTF8}, refused(), same()),
		row(nested, map[string]string{"a": notUTF8}, refused(), same()),
		row(nested, map[string]int{notUTF8: 1, "caf\xea": 2}, refused(), same()),
		row(nested, map[level]int{notUTF8: 1}, refused(), same()),
		row(nested, struct{ A []map[string]*string }{[]map[string]*string{{"a": new(notUTF8)}}}, refused(), same()),
		row(nested, any(notUTF8), refused(), same()),
		row(nested, map[string]any{"a": []any{notUTF8}}, refused(), same()),
		row(nested, map[string]any{notUTF8: 1}, refused(), as("the same", map[string]any{notUTF8: int64(1)})),
		row(numbers, true, same(), same()),
		row(numbers, math.MinInt, same(), same()),
		row(numbers, int64(math.MaxInt64), same(), same()),
		row(numbers, uint64(math.MaxUint64), same(), same()),
		row(numbers, uint8(255), same(), same()),
		row(numbers, 0.1, same(), same()),
		row(numbers, math.Copysign(0, -1), same(), same()),
		row(numbers, math.MaxFloat64, same(), same()),
		row(numbers, float32(0.1), same(), same()),
		row(numbers, count(7), same(), same()),
		row(numbers, 90*time.Second, same(), same()),
		row("`NaN`, infinities", math.NaN(), refused(), likewise("the same", func(_, out float64) bool { return math.IsNaN(out) })),
		row("`NaN`, infinities", []float64{math.Inf(1), math.Inf(-1)}, refused(), same()),
		row("`complex64`, `complex128`", complex(1, 2), refused(), refused()),
		row("functions, channels", func() {}, refused(), refused()),
		row("functions, channels", make(chan int), refused(), refused()),
		row("functions, channels", struct{ F func() }{}, refused(), refused()),
		row("functions, channels", any(func() {}), refused(), refused()),
	}
}

type point struct{ X, Y int }

func containers() []*Case {
	const (
		all  = "slices, arrays, `[]byte`, nil or empty"
		maps = "maps whose keys are strings or numbers, nil or empty"
		odd  = "maps whose keys are structs or arrays"
		anys = "maps whose keys are interfaces or pointers"
		twin = "map keys that differ and have the same encoding"
	)
	berlin, paris := time.FixedZone("Berlin", 3600), time.FixedZone("Paris", 3600)
	at := time.Unix(1e9, 0)
	return []*Case{
		row(all, []int{1, 2}, same(), same()),
		row(all, []int{}, same(), same()),
		row(all, []int(nil), same(), same()),
		row(all, []byte{0, 0xff}, same(), same()),
		row(all, []byte{}, same(), same()),
		row(all, []byte(nil), same(), same()),
		row(all, [3]byte{1, 2, 3}, same(), same()),
		row(all, [][]string{nil, {}, {"a"}}, same(), same()),
		row(all, make([]bool, 200_000), same(), same()), // Some decoders have limits.
		row(maps, map[string]int{"a": 1, "": 2}, same(), same()),
		row(maps, map[string]int{}, same(), same()),
		row(maps, map[string]int(nil), same(), same()),
		row(maps, map[int64]string{math.MinInt64: "a", 7: "b"}, same(), same()),
		row(maps, map[level][]int{"a": nil}, same(), same()),
		row(odd, map[point]int{{1, 2}: 3}, refused(), same()),
		row(odd, map[[2]int]int{{1, 2}: 3}, refused(), same()),
		row("maps whose keys are `bool` or floats", map[bool]int{true: 1, false: 2}, refused(), same()),
		row("maps whose keys are `bool` or floats", map[float64]int{0.5: 1}, refused(), same()),
		row(anys, map[any]int{1: 1, "a": 2}, refused(), refused()),
		row(anys, map[*int]int{new(1): 1}, refused(), refused()),
		row(twin, map[time.Time]int{at.In(berlin): 1, at.In(paris): 2}, refused(), refused()),
		row("two pointers to one value", twins(), likewise("two values", func(_, out []*int) bool {
			return len(out) == 2 && out[0] != out[1] && *out[0] == *out[1]
		}), likewise("two values", func(_, out []*int) bool {
			return len(out) == 2 && out[0] != out[1] && *out[0] == *out[1]
		})),
		row("a pointer, or `nil`", new(7), same(), same()),
		row("a pointer, or `nil`", (*point)(nil), same(), same()),
		row("a pointer, or `nil`", []*point{nil, {1, 2}}, same(), same()),
		row("a pointer to `nil` within a value", []**int{new((*int)(nil))}, refused(), refused()),
		row("a pointer to `nil` within a value", struct{ P *[]int }{new([]int(nil))}, refused(), refused()),
	}
}

func twins() []*int {
	n := new(7)
	return []*int{n, n}
}

type (
	person struct {
		Name string `json:"name"`
		Mail *string
		Tags []string
		Home struct{ City string }
	}
	halfHidden struct {
		Name string
		age  int
	}
	hidden   struct{ name string }
	excluded struct {
		Name  string
		Cache []int  `json:"-"`
		count uint64 `json:"-"`
	}
	left      struct{ Name string }
	right     struct{ Name string }
	sameNames struct {
		left
		right
		ID int
	}
	base    struct{ ID int }
	derived struct {
		base
		*point
		Name string
	}
	exported struct {
		*point
		Base
		ID int
	}
	// Base has a field that the struct around hides.
	Base  struct{ ID, Other int }
	empty struct {
		Tags []string `json:"tags,omitempty"`
	}
)

func structs() []*Case {
	const (
		plain     = "structs"
		unexp     = "a struct with unexported fields that are not zero"
		nothing   = "a struct of which nothing is exported, such as `errors.New`'s"
		sameName  = "two fields with one name"
		emptyText = "an empty slice or map with `omitempty`"
	)
	mail := "ann@example.com"
	return []*Case{
		row(plain, person{"Ann", &mail, []string{"a"}, struct{ City string }{"Ulm"}}, same(), same()),
		row(plain, &person{Name: "Ann"}, same(), same()),
		row(plain, []person{{Name: "Ann"}}, same(), same()),
		row(plain, struct{}{}, same(), same()),
		row(plain, halfHidden{Name: "Ann"}, same(), same()),
		row(plain, derived{base: base{7}, Name: "Ann"}, same(), same()),
		row(unexp, halfHidden{"Ann", 33}, refused(), refused()),
		row(unexp, map[string][]halfHidden{"a": {{"Ann", 33}}}, refused(), refused()),
		row(unexp, struct{ Who hidden }{hidden{"Ann"}}, refused(), refused()),
		row(unexp, derived{point: &point{1, 2}}, refused(), refused()),
		row(nothing, hidden{"Ann"}, refused(), refused()),
		row(nothing, hidden{}, refused(), refused()),
		row(nothing, &hidden{"Ann"}, refused(), refused()),
		row("fields excluded by a tag", excluded{"Ann", []int{1}, 2},
			as("zero", excluded{Name: "Ann"}), as("zero", excluded{Name: "Ann"})),
		row(sameName, sameNames{left: left{"a"}, ID: 1}, refused(), refused()),
		row(sameName, &sameNames{right: right{"b"}, ID: 1}, refused(), refused()),
		row(plain, sameNames{ID: 1}, same(), same()),
		row(sameName, exported{Base: Base{ID: 1, Other: 2}, ID: 3}, refused(), refused()),
		row(plain, exported{Base: Base{Other: 2}, ID: 3}, same(), same()),
		row(emptyText, empty{[]string{}}, as("nil", empty{}), as("nil", empty{})),
		row(emptyText, empty{[]string{"a"}}, as("nil", empty{[]string{"a"}}), as("nil", empty{[]string{"a"}})),
	}
}

func interfaces() []*Case {
	const (
		plain   = "in an `any`: `nil`, `bool`, `string`, `[]any`, `map[string]any`"
		numbers = "numbers in an `any`"
		other   = "anything else in an `any`"
		good    = "`[]byte`, `time.Time` in an `any`"
		methods = "`error` and other interfaces with methods, not nil"
	)
	var none error
	at := time.Date(2026, 5, 17, 12, 0, 0, 5, time.UTC)
	number := func(in any, json json.Number, cbor any) *Case {
		return row(numbers, in, as("`json.Number`, every digit", json), as("`int64`, `float64`, or a `big.Int` beyond", cbor))
	}
	large, _ := new(big.Int).SetString("18446744073709551615", 10)
	return []*Case{
		row(plain, any(nil), same(), same()),
		row(plain, any(true), same(), same()),
		row(plain, any("text"), same(), same()),
		row(plain, []any{nil, "a", []any{}, map[string]any{}}, same(), same()),
		row(plain, map[string]any{"a": map[string]any{"b": []any{false}}}, same(), same()),
		row(plain, struct{ A, B any }{"a", nil}, same(), same()),
		number(7, "7", int64(7)),
		number(int64(math.MaxInt64-1), "9223372036854775806", int64(math.MaxInt64-1)),
		number(int64(1<<53+1), "9007199254740993", int64(1<<53+1)),
		number(uint64(math.MaxUint64), "18446744073709551615", *large),
		number(uint8(200), "200", int64(200)),
		number(2.0, "2", 2.0),
		number(0.1, "0.1", 0.1),
		number([]any{1}, "", nil).with(as("", []any{json.Number("1")}), as("", []any{int64(1)})),
		row(other, any(struct{ A any }{1}), refused(), refused()),
		row(other, any([]string{"a"}), refused(), refused()),
		row(other, any([]any(nil)), refused(), refused()),
		row(other, any(map[string]int{"a": 1}), refused(), refused()),
		row(other, any(level("a")), refused(), refused()),
		row(other, any(time.Second), refused(), refused()),
		row(other, any(new(1)), refused(), refused()),
		row(other, any(point{1, 2}), refused(), refused()),
		row(other, any(time.Time{}), refused(), refused()),
		row(other, map[string]any{"a": []any{point{1, 2}}}, refused(), refused()),
		row(other, struct{ A any }{&point{1, 2}}, refused(), refused()),
		row(good, any([]byte("a")), refused(), same()),
		row(good, any(at), refused(), likewise("the same", func(in, out time.Time) bool { return in.Equal(out) })),
		row(methods, errors.New("text"), refused(), refused()),
		row(methods, struct{ Err error }{&json.SyntaxError{Offset: 7}}, refused(), refused()),
		row(methods, fmt.Stringer(netip.MustParseAddr("::1")), refused(), refused()),
		row(methods, []fmt.Stringer{time.Second}, refused(), refused()),
		row(methods, fmt.Stringer(json.Number("1")), refused(), refused()),
		row(methods, fmt.Stringer(at), refused(), refused()),
		row("`error` and other interfaces with methods, nil", none, same(), same()),
		row("`error` and other interfaces with methods, nil", struct{ Err error }{}, same(), same()),
	}
}

// with returns the case with other outcomes, whose texts stay.
func (c *Case) with(json, cbor Outcome) *Case {
	json.Text, cbor.Text = c.JSON.Text, c.CBOR.Text
	c.JSON, c.CBOR = json, cbor
	return c
}

func times() []*Case {
	const (
		all  = "`time.Time`"
		odd  = "`time.Time` whose offset has seconds, as local times before about 1900 have"
		year = "`time.Time` outside of the years 0 to 9999"
	)
	likeTime := likewise("the same instant and offset; neither the name of the zone nor the monotonic reading",
		func(in, out time.Time) bool {
			_, a := in.Zone()
			_, b := out.Zone()
			return in.Equal(out) && a == b
		})
	utc := time.Date(2026, 5, 17, 12, 0, 0, 123456789, time.UTC)
	ulm := time.FixedZone("LMT", 2396)
	return []*Case{
		row(all, time.Now(), likeTime, likeTime),
		row(all, utc, likeTime, likeTime),
		row(all, utc.In(time.FixedZone("IST", 19800)), likeTime, likeTime),
		row(all, time.Time{}, likeTime, likeTime),
		row(odd, time.Date(1890, 1, 1, 0, 0, 0, 0, ulm), refused(), refused()),
		row(odd, struct{ At []time.Time }{[]time.Time{time.Date(1890, 1, 1, 0, 0, 0, 0, ulm)}}, refused(), refused()),
		row(year, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), refused(), refused()),
		row(year, time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), refused(), refused()),
	}
}

// celsius encodes itself, as text and as bytes.
type celsius struct{ degrees string }

func (c celsius) MarshalText() ([]byte, error)       { return []byte(c.degrees), nil }
func (c *celsius) UnmarshalText(b []byte) error      { c.degrees = string(b); return nil }
func (c celsius) MarshalBinary() ([]byte, error)     { return []byte(c.degrees), nil }
func (c *celsius) UnmarshalBinary(data []byte) error { return c.UnmarshalText(data) }

// textOnly encodes itself as text only.
type textOnly struct{ text string }

func (t textOnly) MarshalText() ([]byte, error)  { return []byte("<" + t.text + ">"), nil }
func (t *textOnly) UnmarshalText(b []byte) error { t.text = strings.Trim(string(b), "<>"); return nil }

// oneWay encodes itself, and cannot decode itself.
type oneWay struct{ Text string }

func (o oneWay) MarshalText() ([]byte, error)   { return []byte(o.Text), nil }
func (o oneWay) MarshalBinary() ([]byte, error) { return []byte(o.Text), nil }

// byPointer encodes itself if it can be addressed.
type byPointer struct{ Text string }

func (p *byPointer) MarshalText() ([]byte, error)      { return []byte("<" + p.Text + ">"), nil }
func (p *byPointer) UnmarshalText(b []byte) error      { p.Text = strings.Trim(string(b), "<>"); return nil }
func (p *byPointer) MarshalBinary() ([]byte, error)    { return p.MarshalText() }
func (p *byPointer) UnmarshalBinary(data []byte) error { return p.UnmarshalText(data) }

// Dated encodes itself as its time alone, by the method of the field that is embedded.
type Dated struct {
	time.Time
	Name string
}

func methods() []*Case {
	const (
		both    = "types that encode and decode themselves, such as `netip.Addr` and `*big.Int`"
		one     = "types that encode themselves, and do not decode themselves"
		pointer = "a type whose encoding method has a pointer receiver, by value"
		embed   = "a struct that encodes itself by an embedded field, with others that are not zero"
	)
	at := time.Date(2026, 5, 17, 12, 0, 0, 0, time.UTC)
	return []*Case{
		row(both, netip.MustParseAddr("::1"), same(), same()),
		row(both, map[netip.Addr]int{netip.MustParseAddr("::1"): 1}, same(), same()),
		row(both, []celsius{{"21"}, {}}, same(), same()),
		row(both, new(big.Int).Lsh(big.NewInt(1), 100), same(), same()),
		row(both, &byPointer{"a"}, same(), same()),
		row(both, map[textOnly]textOnly{{"a"}: {"b"}}, same(), same()),
		row(both, []byPointer{{"a"}}, same(), same()),
		row("the same, if the text is not valid UTF-8", celsius{notUTF8}, refused(), same()),
		row("the same, if the text is not valid UTF-8", []celsius{{notUTF8}}, refused(), same()),
		row("the same, if the text is not valid UTF-8", json.RawMessage(`"`+notUTF8+`"`), refused(), same()),
		row(one, oneWay{"a"}, refused(), refused()),
		row(one, []*oneWay{{"a"}}, refused(), refused()),
		row(pointer, byPointer{"a"}, refused(), same()),
		row(pointer, map[string]byPointer{"a": {"b"}}, refused(), same()),
		row(embed, Dated{at, "Ann"}, refused(), refused()),
		row(embed, &Dated{at, "Ann"}, refused(), refused()),
		row("`json.Number`", json.Number("123456789012345678901234567890"), same(), same()),
		row("`json.Number`, empty", json.Number(""), refused(), same()),
		row("`json.RawMessage`, nil", json.RawMessage(nil), refused(), same()),
		row("the same, or an empty `json.Number`, in a field with `omitempty`", optional{}, same(), same()),
		row("`json.RawMessage`", json.RawMessage(`{ "a": 1 }`), as("without spaces", json.RawMessage(`{"a":1}`)), same()),
	}
}

type optional struct {
	Number json.Number     `json:",omitempty"`
	Raw    json.RawMessage `json:",omitempty"`
	Zero   json.Number     `json:",omitzero"`
}

type tree struct{ Next *tree }

func limits() []*Case {
	deep := new(tree)
	for range 9_998 {
		deep = &tree{deep}
	}
	var list any = []any{}
	for range 10_000 {
		list = []any{list}
	}
	cycle := new(tree)
	cycle.Next = cycle
	itself := []any{nil}
	itself[0] = itself
	return []*Case{
		row("up to 10,000 levels of nesting", deep, same(), same()),
		row("more levels than that", &tree{&tree{deep}}, refused(), refused()),
		row("more levels than that", list, refused(), refused()),
		row("a value that contains itself", cycle, refused(), refused()),
		row("a value that contains itself", itself, refused(), refused()),
	}
}
