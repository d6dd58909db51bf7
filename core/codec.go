package core

import (
	"encoding/json"
	"strconv"
)

// Codec turns values into bytes and back, each value on its own. It is safe for concurrent use, gives the same bytes for
// equal values, and neither keeps nor changes the bytes it is handed; what it decodes shares no memory with them.
type Codec interface {
	// Encode returns the bytes of v, which share no memory with it, or an error that says why it has none.
	Encode(v any) ([]byte, error)
	// Decode sets what v, a pointer, points to. An error leaves the value behind it undefined.
	Decode(data []byte, v any) error
}

// JSON is the default codec: [encoding/json] for each value.
type JSON struct{}

// Encode returns the JSON of v.
func (JSON) Encode(v any) ([]byte, error) { return json.Marshal(v) }

// Decode sets what v points to from its JSON.
func (JSON) Decode(data []byte, v any) error { return json.Unmarshal(data, v) }

// encodePlain returns the JSON of the commonest types without reflection or boxing, byte for byte what [JSON] gives,
// and false for any other type or a string that needs escaping.
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
	var room [20]byte // on the stack, so that what is allocated is no longer than it has to be
	digits := strconv.AppendInt(room[:0], n, 10)
	out := make([]byte, len(digits))
	copy(out, digits)
	return out
}

// decodePlain is the inverse of [encodePlain]. It reports false for whatever it is not sure of.
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

// isPlain reports whether s stands in JSON as it is: printable ASCII that [encoding/json] does not escape.
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
