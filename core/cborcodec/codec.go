// Package cborcodec encodes the values of sessions in CBOR (RFC 8949). It carries what JSON does
// not: any bytes in a string, NaN, map keys of more types, and, in interfaces, numbers, times and
// bytes as such. docs/values.md compares the two.
//
//	m, err := core.NewManager(core.Options{
//		Codec: cborcodec.New(cborcodec.Options{Former: core.JSON{}}),
//	})
package cborcodec

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/internal/carry"
)

// Options configures a codec.
type Options struct {
	// Former is the codec with which the values were stored that are not in CBOR, such as
	// core.JSON{}. By default there are none, and such values do not decode.
	Former core.Codec

	// EncodeFormer encodes with Former, and decodes both. It is for the first of two deploys:
	// while some servers do not have this codec yet, they can read what the others store. It
	// needs Former. By default values are encoded in CBOR.
	EncodeFormer bool
}

// maxDepth is how deeply values may be nested.
const maxDepth = 10_000

// mark begins each value: the tag that says that CBOR follows (RFC 8949, section 3.4.6). No JSON
// text begins like this.
const mark = "\xd9\xd9\xf7"

// codec is a core.Codec.
type codec struct {
	o       Options
	encoder cbor.EncMode
	decoder cbor.DecMode
	types   *carry.Checker
}

// New returns a codec for core.Options. It refuses values that would come back different. It
// panics if EncodeFormer is set and Former is not.
func New(o Options) core.Codec {
	if o.EncodeFormer && o.Former == nil {
		panic("sessions: cborcodec: EncodeFormer needs Former; set it to the codec used before")
	}
	c := &codec{o: o}
	var err, err2 error
	c.encoder, err = encOptions().EncMode()
	c.decoder, err2 = decOptions().DecMode()
	if err := errors.Join(err, err2); err != nil {
		panic("sessions: cborcodec: " + err.Error()) // The options are constant.
	}
	c.types = carry.New(c.rules())
	return c
}

func encOptions() cbor.EncOptions {
	return cbor.EncOptions{
		Sort:          cbor.SortBytewiseLexical, // Equal values have equal bytes.
		ShortestFloat: cbor.ShortestFloatNone,
		NaNConvert:    cbor.NaNConvertNone, InfConvert: cbor.InfConvertNone,
		Time: cbor.TimeRFC3339Nano, TimeTag: cbor.EncTagRequired,
		TextMarshaler: cbor.TextMarshalerTextString,
	}
}

func decOptions() cbor.DecOptions {
	return cbor.DecOptions{
		DupMapKey:       cbor.DupMapKeyEnforcedAPF,
		MaxNestedLevels: maxDepth, MaxArrayElements: math.MaxInt32, MaxMapPairs: math.MaxInt32,
		IntDec:          cbor.IntDecConvertSignedOrBigInt,
		DefaultMapType:  reflect.TypeFor[map[string]any](),
		UTF8:            cbor.UTF8DecodeInvalid,
		TextUnmarshaler: cbor.TextUnmarshalerTextString,
	}
}

// Encode returns the encoding of v, or an error if it would come back different.
func (c *codec) Encode(v any) ([]byte, error) {
	if c.o.EncodeFormer {
		return c.o.Former.Encode(v)
	}
	var known *carry.Type
	if v != nil { // It is checked first, because the encoder follows a cycle for ever.
		known = c.types.TypeOf(reflect.TypeOf(v))
		if err := c.types.Check(v, known, false); err != nil {
			return nil, err
		}
	}
	out := bytes.NewBuffer(make([]byte, 0, 64))
	out.WriteString(mark)
	if err := c.encoder.NewEncoder(out).Encode(v); err != nil {
		return nil, err
	}
	data := bytes.Clone(out.Bytes())
	if known != nil && (known.Unbounded || known.Own) {
		if err := c.decoder.Wellformed(data[len(mark):]); err != nil {
			return nil, fmt.Errorf("the value would not be read back: %w; "+
				"store it in a flatter form", err)
		}
	}
	return data, nil
}

// Decode sets what v points to from its encoding.
func (c *codec) Decode(data []byte, v any) error {
	data, ok := bytes.CutPrefix(data, []byte(mark))
	switch {
	case ok:
		return c.decoder.Unmarshal(data, v)
	case c.o.Former != nil:
		return c.o.Former.Decode(data, v)
	}
	return errors.New("sessions: cborcodec: the value is not in CBOR; " +
		"set Options.Former to the codec used before")
}

// rules returns what CBOR carries.
func (c *codec) rules() *carry.Rules {
	return &carry.Rules{
		Codec: "CBOR", Tags: []string{"cbor", "json"},
		Methods: []carry.Methods{
			{
				Encode: reflect.TypeFor[cbor.Marshaler](),
				Decode: reflect.TypeFor[cbor.Unmarshaler](),
			},
			{
				Encode: reflect.TypeFor[encoding.BinaryMarshaler](),
				Decode: reflect.TypeFor[encoding.BinaryUnmarshaler](),
			},
			{
				Encode: reflect.TypeFor[encoding.TextMarshaler](),
				Decode: reflect.TypeFor[encoding.TextUnmarshaler](),
			},
		},
		Copies: true, Special: special, InInterface: inInterface, MaxDepth: maxDepth,
		Encode: c.encoder.Marshal,
	}
}

// special returns the check of a type that has one of its own.
func special(t reflect.Type) func(v reflect.Value) (problem string) {
	switch t {
	case reflect.TypeFor[big.Int]():
		return func(reflect.Value) string { return "" } // The encoder knows it.
	case reflect.TypeFor[time.Time]():
		return func(v reflect.Value) string {
			at, _ := reflect.TypeAssert[time.Time](v)
			if _, offset := at.Zone(); offset%60 != 0 {
				return "the offset of the time's zone has seconds, which CBOR drops: use its UTC()"
			}
			return ""
		}
	}
	return nil
}

// inInterface reports whether v, which is of no basic type, comes back from an interface.
func inInterface(v any) bool {
	switch v := v.(type) {
	case []byte:
		return v != nil
	case time.Time:
		return !v.IsZero() // The encoder makes that nil.
	}
	return false
}
