package bench

import "errors"

// action is what a handler does with the session of its request.
type action int

const (
	actionStart   action = iota // stores the payload
	actionRead                  // reads the counter
	actionChange                // increments the counter
	actionCreate                // sets the counter
	actionIdle                  // does not use the session
	actionCounter               // responds with the counter, so that tests can compare it
	numActions
)

// path returns the URL path at which an app performs the action.
func (a action) path() string {
	return [...]string{"/start", "/read", "/change", "/create", "/idle", "/value"}[a]
}

// library is a session library as the handlers of a framework use it; C is what a handler is
// called with. The methods that write also save the session, unless the library saves it by
// itself.
type library[C any] interface {
	start(c C, p *payload) error
	read(c C) (int, error)
	change(c C) error
	create(c C) error
}

// counterKey is the key that is read and changed.
const counterKey = "counter"

var errNotLoaded = errors.New("the session has no counter: it was not loaded")

// perform performs an action. It returns the counter for actionRead and actionCounter.
func perform[C any](lib library[C], a action, p *payload, c C) (n int, err error) {
	switch a {
	case actionStart:
		err = lib.start(c, p)
	case actionRead, actionCounter:
		if n, err = lib.read(c); err == nil && n < 1 {
			err = errNotLoaded
		}
	case actionChange:
		err = lib.change(c)
	case actionCreate:
		err = lib.create(c)
	default:
	}
	return n, err
}

// bareLibrary is the library of the bare framework. It does nothing.
type bareLibrary[C any] struct{}

func (bareLibrary[C]) start(C, *payload) error { return nil }

func (bareLibrary[C]) read(C) (int, error) { return 1, nil }

func (bareLibrary[C]) change(C) error { return nil }

func (bareLibrary[C]) create(C) error { return nil }
