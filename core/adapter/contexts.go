package adapter

import "context"

// Contexts knows the contexts that a framework reuses for other requests. Its type must be
// comparable. A manager asks it before it keeps a context for longer than the call that has it.
type Contexts interface {
	// Lasting returns ctx if it is still that of its request when the request is over.
	// Otherwise it returns a context of the same request of which this is true, with what it
	// has of the values, or nil if there is none. Any context may be passed, of no request and
	// of another framework, too, but not nil.
	Lasting(ctx context.Context) context.Context
}
