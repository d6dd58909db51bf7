package core

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/cloakroom-go/sessions/core/internal/carry"
)

// JSON is the default codec. It uses [encoding/json], but refuses values that would come back
// different, such as strings that are not valid UTF-8, and decodes numbers in interfaces as
// [json.Number], which loses no digit. docs/values.md has the list.
//
// A manager whose codec is JSON remembers what it has found out about a type. In other places,
// such as in a codec that encrypts what JSON has encoded, JSON has to find it out each time.
type JSON struct {
	checker *carry.Checker // nil if nothing is remembered
}

func newJSON() JSON { return JSON{checker: carry.New(jsonRules())} }

// Encode returns the JSON encoding of v.
func (j JSON) Encode(v any) ([]byte, error) {
	if data, ok := encodePlain(v); ok {
		return data, nil
	}
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	if err := j.check(v, data); err != nil {
		return nil, err
	}
	return data, nil
}

// Decode sets what v points to from its JSON encoding.
func (j JSON) Decode(data []byte, v any) error {
	t := reflect.TypeOf(v)
	if t == nil || !j.types().TypeOf(t).Interfaces {
		return json.Unmarshal(data, v)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errTrailing
	}
	return nil
}

var errTrailing = errors.New("invalid character after the value")

// types returns the checker, which knows about types.
func (j JSON) types() *carry.Checker {
	if j.checker == nil {
		return carry.New(jsonRules())
	}
	return j.checker
}

// check returns an error if v, whose encoding is data, would come back different.
func (j JSON) check(v any, data []byte) error {
	// This is what Marshal writes for a byte that is not valid UTF-8, among others. Most values
	// have no backslash, and finding none is faster.
	text := bytes.IndexByte(data, '\\') >= 0 && bytes.Contains(data, []byte(`\ufffd`))
	switch v := v.(type) {
	case nil:
		return nil
	case string:
		if text && !utf8.ValidString(v) {
			return errNotUTF8
		}
		return nil
	}
	types := j.types()
	t := types.TypeOf(reflect.TypeOf(v))
	switch {
	case tooDeep(data):
		return errTooDeep
	case t.Own && !utf8.Valid(data):
		return errNotUTF8
	}
	return types.Check(v, t, text)
}

var (
	errNotUTF8 = errors.New("the value is not valid UTF-8, so JSON would change it: use []byte " +
		"for bytes, or strings.ToValidUTF8")
	errTooDeep = errors.New("the value is nested more than 10000 levels deep, which JSON does " +
		"not read back: store it in a flatter form")
)

// jsonDepth is how deeply [encoding/json] reads nested arrays and objects.
const jsonDepth = 10_000

// tooDeep reports whether data is nested too deeply to be decoded.
func tooDeep(data []byte) bool {
	if len(data) <= 2*jsonDepth ||
		bytes.Count(data, []byte("["))+bytes.Count(data, []byte("{")) <= jsonDepth {
		return false
	}
	depth, inString := 0, false
	for i := 0; i < len(data); i++ {
		switch b := data[i]; {
		case b == '"':
			inString = !inString
		case b == '\\':
			i++ // Backslashes are in strings only.
		case inString:
		case b == '[' || b == '{':
			if depth++; depth > jsonDepth {
				return true
			}
		case b == ']' || b == '}':
			depth--
		}
	}
	return false
}

// jsonRules returns what JSON carries.
func jsonRules() *carry.Rules {
	return &carry.Rules{
		Codec: "JSON", Tags: []string{"json"},
		Methods: []carry.Methods{
			{
				Encode: reflect.TypeFor[json.Marshaler](),
				Decode: reflect.TypeFor[json.Unmarshaler](),
			},
			{
				Encode: reflect.TypeFor[encoding.TextMarshaler](),
				Decode: reflect.TypeFor[encoding.TextUnmarshaler](),
			},
		},
		Special: jsonSpecial,
		InInterface: func(v any) bool {
			_, ok := v.(json.Number)
			return ok
		},
		Encode: json.Marshal,
	}
}

// jsonSpecial returns the check of a type that has one of its own.
func jsonSpecial(t reflect.Type) func(v reflect.Value) (problem string) {
	switch t {
	case reflect.TypeFor[time.Time]():
		return func(v reflect.Value) string {
			at, _ := reflect.TypeAssert[time.Time](v)
			if _, offset := at.Zone(); offset%60 != 0 {
				return "the offset of the time's zone has seconds, which JSON drops: use its UTC()"
			}
			return ""
		}
	case reflect.TypeFor[json.Number]():
		return func(v reflect.Value) string {
			if v.Len() == 0 {
				return "an empty json.Number comes back as 0: use \"0\", " +
					"or the tag option omitempty"
			}
			return ""
		}
	case reflect.TypeFor[json.RawMessage]():
		return func(v reflect.Value) string {
			switch {
			case v.Len() == 0:
				return "an empty json.RawMessage comes back as null: use " +
					"json.RawMessage(\"null\"), or the tag option omitempty"
			case !utf8.Valid(v.Bytes()):
				return "the json.RawMessage is not valid UTF-8, so it would be changed"
			}
			return ""
		}
	}
	return nil
}

// encodePlain returns the JSON encoding of a value of the most common types, byte for byte as
// [JSON] does, without reflection. It returns false for any other type, and for a string that
// needs escaping.
func encodePlain(v any) ([]byte, bool) {
	switch v := v.(type) {
	case string:
		if !isPlain(v) {
			return nil, false
		}
		out := make([]byte, 0, len(v)+2)
		return append(append(append(out, '"'), v...), '"'), true
	case int:
		return encodeInt(int64(v)), true
	case int64:
		return encodeInt(v), true
	case bool:
		return strconv.AppendBool(nil, v), true
	}
	return nil, false
}

func encodeInt(n int64) []byte {
	var buf [20]byte // On the stack, so that the allocation is no longer than the digits.
	digits := strconv.AppendInt(buf[:0], n, 10)
	out := make([]byte, len(digits))
	copy(out, digits)
	return out
}

// decodePlain is the inverse of encodePlain. It returns false for anything that it does not
// recognize.
func decodePlain(data []byte, v any) bool {
	switch v := v.(type) {
	case *string:
		return decodeString(data, v)
	case *int:
		n, ok := decodeInt(data)
		*v = int(n)
		return ok && int64(*v) == n
	case *int64:
		n, ok := decodeInt(data)
		*v = n
		return ok
	case *bool:
		*v = string(data) == "true"
		return *v || string(data) == "false"
	}
	return false
}

func decodeString(data []byte, v *string) bool {
	if len(data) < 2 || data[0] != '"' || data[len(data)-1] != '"' {
		return false
	}
	inner := data[1 : len(data)-1]
	if !isPlain(inner) {
		return false
	}
	*v = string(inner)
	return true
}

// isPlain reports whether s is printable ASCII that [encoding/json] does not escape.
func isPlain[T string | []byte](s T) bool {
	for i := range len(s) {
		switch b := s[i]; {
		case b < ' ', b >= 0x7f, b == '"', b == '\\', b == '<', b == '>', b == '&':
			return false
		}
	}
	return true
}

// decodeInt reads a JSON integer of at most 18 digits, which cannot overflow.
func decodeInt(data []byte) (int64, bool) {
	digits := data
	if len(digits) > 0 && digits[0] == '-' {
		digits = digits[1:]
	}
	if len(digits) == 0 || len(digits) > 18 || (digits[0] == '0' && len(digits) > 1) {
		return 0, false
	}
	var n int64
	for _, b := range digits {
		if b < '0' || b > '9' {
			return 0, false
		}
		n = n*10 + int64(b-'0')
	}
	if len(digits) < len(data) {
		n = -n
	}
	return n, true
}
