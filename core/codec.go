package core

import (
	"encoding/json"
	"strconv"
)

// Codec converts values to bytes and back, each value on its own. It must be safe for
// concurrent use and return the same bytes for equal values. It must neither keep nor change
// the bytes it is passed, and what it decodes must share no memory with them.
type Codec interface {
	// Encode returns the bytes of v, which share no memory with it, or an error if v cannot be
	// encoded.
	Encode(v any) ([]byte, error)
	// Decode decodes data into the value that v points to. If it returns an error, that value
	// is undefined.
	Decode(data []byte, v any) error
}

// JSON is the default codec. It uses [encoding/json].
type JSON struct{}

// Encode returns the JSON encoding of v.
func (JSON) Encode(v any) ([]byte, error) { return json.Marshal(v) }

// Decode sets what v points to from its JSON encoding.
func (JSON) Decode(data []byte, v any) error { return json.Unmarshal(data, v) }

// valueCodec is a Codec that encodes the most common types without reflection if the Codec is
// JSON.
type valueCodec struct {
	Codec
	isJSON bool
}

func newValueCodec(c Codec) valueCodec {
	_, isJSON := c.(JSON)
	return valueCodec{Codec: c, isJSON: isJSON}
}

// encodeValue returns the encoding of v.
func encodeValue[T any](c *valueCodec, v T) ([]byte, error) {
	if c.isJSON {
		if data, ok := encodePlain(v); ok {
			return data, nil
		}
	}
	return c.Encode(v)
}

// decodeValue is the inverse of encodeValue. If it returns an error, the value is zero.
func decodeValue[T any](c *valueCodec, data []byte) (T, error) {
	if c.isJSON {
		var v T
		if decodePlain(data, &v) {
			return v, nil
		}
	}
	return decodeAny[T](c.Codec, data)
}

// decodeAny is a function of its own so that only its variable escapes to the heap, not that of
// decodeValue.
func decodeAny[T any](codec Codec, data []byte) (T, error) {
	v := new(T)
	if err := codec.Decode(data, v); err != nil {
		var zero T
		return zero, err
	}
	return *v, nil
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
