package carry

import (
	"bytes"
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"unicode/utf8"
)

// Check returns a *[Problem] if v, whose type is t, would come back different. It looks at strings
// only if text is true: the caller has seen that the codec has changed one.
func (c *Checker) Check(v any, t *Type, text bool) error {
	switch {
	case t.refused != "":
		return &Problem{why: t.refused}
	case !t.walk && !text:
		return nil
	}
	w := walk{Checker: c, text: text}
	var p *Problem
	switch v := v.(type) {
	case map[string]any:
		p = w.anyMap(v)
	case []any:
		p = w.anySlice(v)
	default:
		p = w.root(reflect.ValueOf(v))
	}
	if p != nil {
		return p
	}
	return nil
}

// walk looks for what is lost in a value. If Rules.MaxDepth is zero, the codec has encoded the
// value before, so that it does not contain itself.
type walk struct {
	*Checker
	text  bool // strings have to be valid UTF-8
	depth int
}

// enter begins a part that may have parts of its own, and leave ends it.
func (w *walk) enter() *Problem {
	if w.depth++; w.rules.MaxDepth > 0 && w.depth > 4*w.rules.MaxDepth {
		return problem(fmt.Sprintf("the value contains itself, or is nested more than %d levels "+
			"deep: store it in a flatter form", w.rules.MaxDepth))
	}
	return nil
}

func (w *walk) leave() { w.depth-- }

// root checks a whole value. A pointer stands for what it points to.
func (w *walk) root(v reflect.Value) *Problem {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		if p := w.enter(); p != nil {
			return p
		}
		v = v.Elem()
	}
	return w.value(v)
}

// value checks a part of a value.
func (w *walk) value(v reflect.Value) *Problem { return w.valueOf(v, w.TypeOf(v.Type())) }

// valueOf is value for a type of which is known what there is to know.
func (w *walk) valueOf(v reflect.Value, known *Type) *Problem {
	if p := w.enter(); p != nil {
		return p
	}
	defer w.leave()
	t := v.Type()
	if known.special != nil {
		return problem(known.special(v))
	}
	switch t {
	case reflect.TypeFor[map[string]any]():
		m, _ := reflect.TypeAssert[map[string]any](v)
		return w.anyMap(m)
	case reflect.TypeFor[[]any]():
		s, _ := reflect.TypeAssert[[]any](v)
		return w.anySlice(s)
	}
	switch t.Kind() {
	case reflect.Interface:
		return w.inInterface(v)
	case reflect.Pointer:
		return w.pointer(v)
	default:
	}
	own := known.own[0]
	if v.CanAddr() {
		own = known.own[1]
	}
	switch {
	case own.why != "":
		return problem(own.why)
	case own.method != "":
		return w.own(v, known, own.method)
	}
	return w.contents(v, known)
}

func problem(why string) *Problem {
	if why == "" {
		return nil
	}
	return &Problem{why: why}
}

// contents checks the parts of a value that does not encode itself.
func (w *walk) contents(v reflect.Value, known *Type) *Problem {
	switch v.Kind() {
	case reflect.String:
		return w.string(v.String())
	case reflect.Slice, reflect.Array:
		if !w.mustVisit(v.Type().Elem()) {
			return nil
		}
		for i := range v.Len() {
			if p := w.value(v.Index(i)); p != nil {
				return p.within("[" + strconv.Itoa(i) + "]")
			}
		}
	case reflect.Map:
		return w.mapping(v)
	case reflect.Struct:
		return w.fieldsOf(v, known)
	default:
	}
	return nil
}

// mustVisit reports whether a problem may be found in a part of the type.
func (w *walk) mustVisit(t reflect.Type) bool {
	number := t.Kind() >= reflect.Bool && t.Kind() <= reflect.Float64
	return w.text && !number || w.TypeOf(t).walk
}

func (w *walk) string(s string) *Problem {
	if !w.text || utf8.ValidString(s) {
		return nil
	}
	return problem("the string is not valid UTF-8, so " + w.rules.Codec + " would change it: " +
		"use []byte for bytes, or strings.ToValidUTF8")
}

// own checks a value that encodes itself.
func (w *walk) own(v reflect.Value, known *Type, method string) *Problem {
	if p := w.embedded(v, known.embedded, method); p != nil || !w.text || !v.CanInterface() {
		return p
	}
	if v.CanAddr() {
		v = v.Addr()
	}
	if m, ok := reflect.TypeAssert[encoding.TextMarshaler](v); ok {
		if text, err := m.MarshalText(); err == nil {
			return w.string(string(text))
		}
	}
	return nil
}

// embedded checks a value that encodes itself, maybe by the method of a struct that is embedded in
// it. Its other fields are lost then.
func (w *walk) embedded(v reflect.Value, fields []int, method string) *Problem {
	for _, i := range fields {
		for j := range v.NumField() {
			f := v.Type().Field(j)
			if j != i && w.rules.tag(f.Tag) != "-" && !v.Field(j).IsZero() &&
				sameResult(v, v.Field(i), method) {
				return problem(fmt.Sprintf("the field is lost, because %s encodes itself by the "+
					"method of the embedded %s: give that field a name", v.Type(),
					v.Type().Field(i).Name)).within("." + f.Name)
			}
		}
	}
	return nil
}

// sameResult reports whether the method, which encodes a value, gives the same for both.
func sameResult(a, b reflect.Value, method string) bool {
	first, ok := encodeBy(a, method)
	second, ok2 := encodeBy(b, method)
	return ok && ok2 && bytes.Equal(first, second)
}

// encodeBy returns what the method gives, and whether it exists and succeeds.
func encodeBy(v reflect.Value, method string) ([]byte, bool) {
	if !v.CanAddr() { // The method may have a pointer receiver.
		addressable := reflect.New(v.Type()).Elem()
		addressable.Set(v)
		v = addressable
	}
	m := v.Addr().MethodByName(method)
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil, false
		}
		m = v.MethodByName(method)
	}
	if !m.IsValid() {
		return nil, false
	}
	results := m.Call(nil)
	return results[0].Bytes(), results[1].IsNil()
}

func (w *walk) pointer(v reflect.Value) *Problem {
	if v.IsNil() {
		return nil
	}
	v = v.Elem()
	if mayBeNil(v.Type()) && v.IsNil() {
		return problem("a pointer to nil comes back as nil: use a struct with a field that says " +
			"which of both it is")
	}
	return w.value(v)
}

func (w *walk) fieldsOf(v reflect.Value, known *Type) *Problem {
	if w.text {
		for i := range known.fields {
			f := &known.fields[i]
			if p := w.field(v, f, w.TypeOf(f.typ)); p != nil {
				return p.within("." + f.name)
			}
		}
		return nil
	}
	for _, f := range w.toVisit(known) {
		if p := w.field(v, f.field, f.known); p != nil {
			return p.within("." + f.name)
		}
	}
	return nil
}

func (w *walk) field(v reflect.Value, f *field, known *Type) *Problem {
	part, ok := f.in(v)
	switch {
	case !ok:
		return nil
	case (f.lost != "" || f.omitted) && part.IsZero():
		return nil
	case f.lost != "":
		return problem(f.lost)
	}
	return w.valueOf(part, known)
}

// mapping checks a map. The place in the error does not have the key, which is a value, too.
func (w *walk) mapping(v reflect.Value) *Problem {
	key, visit := v.Type().Key(), w.mustVisit(v.Type().Elem())
	checkKeys := !w.rules.simpleKey(key) || w.text && key.Kind() == reflect.String
	if !visit && !checkKeys {
		return nil
	}
	var seen map[string]bool
	if checkKeys {
		seen = make(map[string]bool, v.Len())
	}
	for i := v.MapRange(); i.Next(); {
		if checkKeys {
			if p := w.key(i.Key(), seen); p != nil {
				return p.within(" (a key)")
			}
		}
		if visit {
			if p := w.value(i.Value()); p != nil {
				return p.within("[...]")
			}
		}
	}
	return nil
}

// key checks the key of a map whose keys have been seen before in their encoding.
func (w *walk) key(k reflect.Value, seen map[string]bool) *Problem {
	switch k.Kind() {
	case reflect.String:
		return w.string(k.String())
	case reflect.Interface, reflect.Pointer:
		return problem(fmt.Sprintf("keys of the type %s do not come back: use string, a number "+
			"or a struct", k.Type()))
	default:
	}
	if p := w.value(k); p != nil {
		return p
	}
	data, err := w.rules.Encode(k.Interface())
	if err == nil && seen[string(data)] {
		return problem("two keys that differ have the same encoding: make the keys strings or " +
			"numbers")
	}
	seen[string(data)] = true
	return nil
}

// inInterface checks what an interface holds. It comes back as the type that the codec chooses.
func (w *walk) inInterface(v reflect.Value) *Problem {
	switch {
	case v.IsNil():
		return nil
	case v.NumMethod() > 0:
		return problem(fmt.Sprintf("the codec cannot tell which type to decode into the "+
			"interface %s: use the type itself", v.Type()))
	}
	return w.anything(v.Elem().Interface())
}

// anything checks what an interface without methods holds.
func (w *walk) anything(v any) *Problem {
	switch v := v.(type) {
	case nil, bool, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64,
		float32, float64:
		return nil
	case string:
		return w.string(v)
	case []any:
		if v == nil {
			return problem(nilInInterface)
		}
		return w.anySlice(v)
	case map[string]any:
		if v == nil {
			return problem(nilInInterface)
		}
		return w.anyMap(v)
	}
	if t := reflect.TypeOf(v); !w.rules.InInterface(v) {
		return problem(fmt.Sprintf("a %s in an interface comes back as another type: use a Key "+
			"or a struct field of that type, or one of nil, bool, string, numbers, []any and "+
			"map[string]any", t))
	}
	return w.value(reflect.ValueOf(v))
}

const nilInInterface = "a nil slice or map in an interface comes back as nil: make it empty, or " +
	"leave it out"

func (w *walk) anySlice(s []any) *Problem {
	if p := w.enter(); p != nil {
		return p
	}
	defer w.leave()
	for i := range s {
		if p := w.anything(s[i]); p != nil {
			return p.within("[" + strconv.Itoa(i) + "]")
		}
	}
	return nil
}

func (w *walk) anyMap(m map[string]any) *Problem {
	if p := w.enter(); p != nil {
		return p
	}
	defer w.leave()
	for key, v := range m {
		if p := w.string(key); p != nil {
			return p.within(" (a key)")
		}
		if p := w.anything(v); p != nil {
			return p.within("[...]")
		}
	}
	return nil
}
