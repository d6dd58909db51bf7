package demo

type order struct{ total int }

// add does not name the type line, but mentions its field.
func (o *order) add(b basket) {
	for _, l := range b.lines {
		o.total += l.price
	}
}
