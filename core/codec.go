package core

import "reflect"

// Codec converts values to bytes and back, each value on its own. It must be safe for
// concurrent use and return the same bytes for equal values. It must neither keep nor change
// the bytes it is passed, and what it decodes must share no memory with them.
type Codec interface {
	// Encode returns the bytes of v, which share no memory with it, or an error if v cannot be
	// encoded or would come back different. A pointer stands for what it points to; the value of
	// a [Key] of an interface type is passed as a pointer to the interface.
	Encode(v any) ([]byte, error)
	// Decode decodes data into the value that v points to. If it returns an error, that value
	// is undefined.
	Decode(data []byte, v any) error
}

// valueCodec is a Codec that encodes the most common types without reflection if the Codec is
// JSON.
type valueCodec struct {
	Codec
	isJSON bool
}

func newValueCodec(c Codec) valueCodec {
	_, isJSON := c.(JSON)
	if isJSON {
		c = newJSON()
	}
	return valueCodec{Codec: c, isJSON: isJSON}
}

// encodeValue returns the encoding of v.
func encodeValue[T any](c *valueCodec, v T) ([]byte, error) {
	if c.isJSON {
		if data, ok := encodePlain(v); ok {
			return data, nil
		}
	}
	if reflect.TypeFor[T]().Kind() == reflect.Interface {
		return encodeInterface(c.Codec, v)
	}
	return c.Encode(v)
}

// encodeInterface is encodeValue for a type that is an interface. The codec gets a pointer to it,
// so that it sees what the value comes back as. It is a function of its own so that only its
// variable escapes to the heap.
func encodeInterface[T any](codec Codec, v T) ([]byte, error) { return codec.Encode(&v) }

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
