// Package carry finds out what a codec cannot carry: the values that would come back different,
// although the codec encodes them without an error.
//
// A [Checker] looks at a type once. Values of most types need no more than that; in the others it
// looks at the parts that may be lost, such as unexported fields and the contents of interfaces.
package carry

import (
	"fmt"
	"reflect"
)

// Rules says what a codec carries, where codecs differ.
type Rules struct {
	// Codec is the codec's name, for errors.
	Codec string
	// Tags are the keys of the struct tags that name fields. The first that is present counts.
	Tags []string
	// Methods are the pairs of interfaces by which types encode and decode themselves.
	Methods []Methods
	// Copies says that the codec calls encoding methods with a pointer receiver for values that
	// are not addressable, too.
	Copies bool
	// Special returns the check of a type that has one of its own, or nil.
	Special func(t reflect.Type) func(v reflect.Value) (problem string)
	// InInterface reports whether v, whose type is none of the basic types, comes back from an
	// interface as it is.
	InInterface func(v any) bool
	// MaxDepth is how deeply values may be nested, or 0 if the codec itself refuses a value that
	// contains itself. Then a value may be checked before it is encoded.
	MaxDepth int
	// Encode returns the encoding of v.
	Encode func(v any) ([]byte, error)
}

// Methods is a pair of interfaces by which types encode and decode themselves.
type Methods struct {
	Encode, Decode reflect.Type
}

// ownEncoding says whether values of a type encode themselves.
type ownEncoding struct {
	method string // the method by which they do, or ""
	why    string // why they do not come back, or ""
}

// own reports whether values of the type encode themselves, or why they do not come back.
func (r *Rules) own(t reflect.Type, addressable bool) (own ownEncoding) {
	if t.Kind() == reflect.Interface || t.Kind() == reflect.Pointer {
		return own
	}
	pointer := reflect.PointerTo(t)
	for _, m := range r.Methods {
		method := m.Encode.Method(0).Name
		switch {
		case !pointer.Implements(m.Encode):
			continue
		case !t.Implements(m.Encode) && !addressable && !r.Copies:
			own.why = fmt.Sprintf("the method %s of %s has a pointer receiver, so %s does not "+
				"call it here: store a pointer", method, t, r.Codec)
		case !r.decodesItself(pointer):
			own.why = fmt.Sprintf("%s has a method %s, but none to decode itself: add %s",
				t, method, m.Decode.Method(0).Name)
		default:
			own.method = method
		}
		return own
	}
	return own
}

func (r *Rules) decodesItself(pointer reflect.Type) bool {
	for _, m := range r.Methods {
		if pointer.Implements(m.Decode) {
			return true
		}
	}
	return false
}

// embeddedOwn returns the indices of the embedded fields of a struct that encode themselves. If
// the struct has their method and no other, its further fields are lost.
func (r *Rules) embeddedOwn(t reflect.Type) (indices []int) {
	if t.Kind() != reflect.Struct || t.NumField() < 2 {
		return nil
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous && f.IsExported() && r.own(indirect(f.Type), true).method != "" {
			indices = append(indices, i)
		}
	}
	return indices
}

// simpleKey reports whether different map keys of the type have different encodings.
func (r *Rules) simpleKey(t reflect.Type) bool {
	switch kind := t.Kind(); {
	case kind == reflect.String:
		return true
	case kind < reflect.Bool || kind > reflect.Float64:
		return false
	}
	return r.own(t, false) == ownEncoding{}
}

func indirect(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}
