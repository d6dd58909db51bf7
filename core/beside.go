package core

import "github.com/cloakroom-go/sessions/core/internal/cookie"

// besideBase is what few sessions need to know beside their base. It keeps a Session small, since
// every request has one. A nil besideBase knows nothing.
type besideBase struct {
	tickets   cookie.Tickets // what the request presented, if the session is still to be loaded
	loadErr   error          // why the last attempt to load it failed
	overtaker *verified      // the record whose ticket was overtaken, if the status is statusGone
	others    []sessionRef   // the sessions of the other tickets that the request presented

	// saveNow saves changes that no commit follows; see Session.unclosed.
	saveNow func()
}

func (b *besideBase) getOvertaker() *verified {
	if b == nil {
		return nil
	}
	return b.overtaker
}

func (b *besideBase) getOthers() []sessionRef {
	if b == nil {
		return nil
	}
	return b.others
}

// withOvertaker returns b with another overtaker. It changes b, if it is not nil.
func (b *besideBase) withOvertaker(v *verified) *besideBase {
	switch {
	case b == nil && v == nil:
		return nil
	case b == nil:
		b = new(besideBase)
	}
	b.overtaker = v
	return b
}
