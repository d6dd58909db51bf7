package carry

import (
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
)

// Checker checks values by the rules of a codec. It is safe for concurrent use.
type Checker struct {
	rules  *Rules
	types  sync.Map                 // reflect.Type to *Type
	recent [64]atomic.Pointer[Type] // of types, by their address, which is faster to find
}

// New returns a checker for the rules.
func New(r *Rules) *Checker { return &Checker{rules: r} }

// Type is what is known of all values of a type.
type Type struct {
	// Interfaces says that the values may hold something whose type is not known.
	Interfaces bool
	// Own says that the values may have parts that encode themselves.
	Own bool
	// Unbounded says that the values may be nested to any depth.
	Unbounded bool

	address uintptr // of the reflect.Type
	refused string  // why no value comes back, or ""
	walk    bool    // whether a value comes back depends on the value

	special  func(v reflect.Value) (problem string) // the check of the type, or nil
	own      [2]ownEncoding                         // of addressable values: the second
	embedded []int                                  // see embeddedOwn
	fields   []field                                // of a struct
	visits   atomic.Pointer[[]visit]                // those to look at, once that is known
}

// visit is a field of a struct in which something may be lost.
type visit struct {
	*field
	known *Type
}

// TypeOf returns what is known of the type, which is not nil.
func (c *Checker) TypeOf(t reflect.Type) *Type {
	address := reflect.ValueOf(t).Pointer()
	recent := &c.recent[address/64%uintptr(len(c.recent))]
	if known := recent.Load(); known != nil && known.address == address {
		return known
	}
	known, ok := c.types.Load(t)
	if !ok {
		known, _ = c.types.LoadOrStore(t, c.find(t))
	}
	found := known.(*Type) // It holds nothing else.
	recent.Store(found)
	return found
}

// find finds out what there is to know of a type.
func (c *Checker) find(t reflect.Type) *Type {
	found := &Type{address: reflect.ValueOf(t).Pointer()}
	s := scan{rules: c.rules, found: found, seen: map[seenType]bool{}}
	s.root(t)
	s.found.special, s.found.embedded = c.rules.Special(t), c.rules.embeddedOwn(t)
	s.found.own = [2]ownEncoding{c.rules.own(t, false), c.rules.own(t, true)}
	if t.Kind() == reflect.Struct {
		s.found.fields = c.rules.fields(t)
	}
	return s.found
}

// toVisit returns the fields of a struct in which something may be lost, apart from text.
func (c *Checker) toVisit(t *Type) []visit {
	if known := t.visits.Load(); known != nil {
		return *known
	}
	var visits []visit
	for i := range t.fields {
		f := &t.fields[i]
		if known := c.TypeOf(f.typ); f.lost != "" || known.walk {
			visits = append(visits, visit{f, known})
		}
	}
	t.visits.Store(&visits)
	return visits
}

// scan finds out what there is to know of a type.
type scan struct {
	rules *Rules
	found *Type
	seen  map[seenType]bool
}

type seenType struct {
	reflect.Type
	addressable bool
}

// root scans the type of a whole value. A pointer stands for what it points to.
func (s *scan) root(t reflect.Type) {
	s.part(t, false)
	addressable := false
	for t.Kind() == reflect.Pointer {
		t, addressable = t.Elem(), true
	}
	if t.Kind() != reflect.Struct || t.NumField() == 0 || s.rules.Special(t) != nil {
		return
	}
	if s.rules.own(t, addressable) != (ownEncoding{}) {
		return
	}
	for _, f := range s.rules.fields(t) {
		if f.lost == "" {
			return
		}
	}
	s.found.refused = fmt.Sprintf("%s encodes no field of %s: export them, "+
		"or store what they hold in another type", s.rules.Codec, t)
}

// part scans the type of a part of a value.
func (s *scan) part(t reflect.Type, addressable bool) {
	key := seenType{t, addressable}
	if s.seen[key] {
		s.found.Unbounded = s.found.Unbounded || mayContain(t)
		s.found.walk = s.found.walk || s.rules.MaxDepth > 0 && s.found.Unbounded
		return
	}
	s.seen[key] = true
	switch kind := t.Kind(); {
	case s.rules.Special(t) != nil:
		s.found.walk = true
		return
	case kind == reflect.Interface:
		s.found.walk, s.found.Interfaces, s.found.Unbounded = true, true, true
		return
	case kind == reflect.Pointer:
		s.found.walk = s.found.walk || mayBeNil(t.Elem())
		s.part(t.Elem(), true)
		return
	}
	own := s.rules.own(t, addressable)
	s.found.Own = s.found.Own || own.method != ""
	s.found.walk = s.found.walk || own.why != "" ||
		own.method != "" && len(s.rules.embeddedOwn(t)) > 0
	if own == (ownEncoding{}) {
		s.contents(t, addressable)
	}
}

// contents scans the types of the parts of a type that does not encode itself.
func (s *scan) contents(t reflect.Type, addressable bool) {
	switch t.Kind() {
	case reflect.Slice:
		s.part(t.Elem(), true)
	case reflect.Array:
		s.part(t.Elem(), addressable)
	case reflect.Map:
		s.found.walk = s.found.walk || !s.rules.simpleKey(t.Key())
		s.part(t.Elem(), false)
	case reflect.Struct:
		for _, f := range s.rules.fields(t) {
			if f.lost != "" {
				s.found.walk = true
				continue
			}
			s.part(f.typ, addressable || f.behindPointer)
		}
	default:
	}
}

// mayContain reports whether values of the type have parts, which may be of the same type. A type
// that is met again need not be one that contains itself; it is then looked at in vain.
func mayContain(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Struct:
		return true
	default:
		return false
	}
}

func mayBeNil(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		return true
	default:
		return false
	}
}
