package carry

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
)

// field is a field of a struct, or of a struct that is embedded in it.
type field struct {
	name          string // the name in Go
	index         []int
	typ           reflect.Type
	behindPointer bool   // it is in a struct that is embedded by a pointer
	lost          string // why the codec does not carry it, or ""
	omitted       bool   // the codec leaves out its zero value

	encoded string // the name in the encoding
	tagged  bool   // that name is from a tag
}

// fields returns the fields of a struct, with those of embedded structs in their place. Fields
// that the application has excluded by a tag are not among them.
func (r *Rules) fields(t reflect.Type) []field {
	l := lister{rules: r}
	l.add(t, field{}, nil)
	l.markHidden()
	return l.fields
}

// lister lists the fields of a struct.
type lister struct {
	rules  *Rules
	fields []field
}

// add adds the fields of the struct t, which is embedded as parent in the structs around.
func (l *lister) add(t reflect.Type, parent field, around []reflect.Type) {
	if slices.Contains(around, t) {
		return
	}
	for i := range t.NumField() {
		sf := t.Field(i)
		f := field{
			name: sf.Name, index: append(slices.Clone(parent.index), i), typ: sf.Type,
			behindPointer: parent.behindPointer, encoded: sf.Name,
		}
		tag := l.rules.tag(sf.Tag)
		if tag == "-" {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if name != "" {
			f.encoded, f.tagged = name, true
		}
		f.omitted = omitsZero(sf.Type, strings.Split(options, ","))
		embedded := sf.Anonymous && !f.tagged && indirect(sf.Type).Kind() == reflect.Struct
		switch {
		case embedded && (sf.IsExported() || sf.Type.Kind() == reflect.Struct):
			f.behindPointer = f.behindPointer || sf.Type.Kind() == reflect.Pointer
			l.add(indirect(sf.Type), f, append(around, t))
			continue
		case !sf.IsExported():
			f.lost = "the field is not exported, so it would be lost: export it, or exclude it " +
				"by the tag `" + l.rules.Tags[0] + ":\"-\"`"
		}
		l.fields = append(l.fields, f)
	}
}

// omitsZero reports whether a field of the type with these options is left out if it is zero.
// omitempty has no effect on structs, and on arrays that have elements.
func omitsZero(t reflect.Type, options []string) bool {
	kind := t.Kind()
	return slices.Contains(options, "omitzero") || slices.Contains(options, "omitempty") &&
		kind != reflect.Struct && kind != reflect.Array
}

// tag returns the codec's part of a struct tag.
func (r *Rules) tag(tag reflect.StructTag) string {
	for _, key := range r.Tags {
		if value, ok := tag.Lookup(key); ok {
			return value
		}
	}
	return ""
}

// markHidden marks the fields that another field of the same name hides. Of several fields the
// codec takes the one that is embedded least deeply; of these the one with a tag; and none if
// there are still several.
func (l *lister) markHidden() {
	byName := map[string][]*field{}
	for i := range l.fields {
		if f := &l.fields[i]; f.lost == "" {
			byName[f.encoded] = append(byName[f.encoded], f)
		}
	}
	for _, same := range byName {
		slices.SortStableFunc(same, func(a, b *field) int {
			return cmp.Or(cmp.Compare(len(a.index), len(b.index)), compareTagged(a, b))
		})
		first := 1
		if len(same) > 1 && len(same[0].index) == len(same[1].index) &&
			same[0].tagged == same[1].tagged {
			first = 0
		}
		for _, f := range same[first:] {
			f.lost = "another field has the same name in " + l.rules.Codec +
				", so it would be lost: give it a name of its own by a tag"
		}
	}
}

func compareTagged(a, b *field) int {
	switch {
	case a.tagged == b.tagged:
		return 0
	case a.tagged:
		return -1
	}
	return 1
}

// in returns the field of a struct, or false if it is in an embedded pointer that is nil.
func (f *field) in(v reflect.Value) (reflect.Value, bool) {
	for i, n := range f.index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return v, false
			}
			v = v.Elem()
		}
		v = v.Field(n)
	}
	return v, true
}
