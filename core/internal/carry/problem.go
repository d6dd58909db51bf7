package carry

import "strings"

// Problem says why a value would come back different. Its text has the place in the value, but
// nothing of the value itself.
type Problem struct {
	place string
	why   string
}

// Error returns the place, if it is known, and the reason.
func (p *Problem) Error() string {
	place := strings.TrimLeft(p.place, ". ")
	if place == "" {
		return p.why
	}
	return "at " + place + ": " + p.why
}

// maxPlace is how much of a place is told, in bytes. Values may be nested deeply.
const maxPlace = 100

// within returns the problem of a part as that of the whole.
func (p *Problem) within(place string) *Problem {
	if p == nil {
		return nil
	}
	if p.place = place + p.place; len(p.place) > 2*maxPlace {
		p.place = strings.ToValidUTF8(p.place[:maxPlace], "") + "..."
	}
	return p
}
