package bench

import (
	"errors"
	"fmt"
	"strings"
)

// action is what a handler does with the session of its request.
type action int

const (
	start  action = iota // puts the payload into it
	read                 // reads the counter
	change               // adds one to the counter
	create               // sets the counter
	idle                 // leaves it alone
	value                // answers the counter, for proofs
	actions
)

// path is where a site carries out the action.
func (a action) path() string {
	return [...]string{"/start", "/read", "/change", "/create", "/idle", "/value"}[a]
}

// library is what is asked of a session library whose handlers get a C. A handler that writes also saves, where the library
// does not do so by itself.
type library[C any] interface {
	start(c C, p *payload) error
	read(c C) (int, error)
	change(c C) error
	create(c C) error
}

// counterKey is the key that is read and changed.
const counterKey = "counter"

var errNotLoaded = errors.New("the session has no counter: it was not loaded")

// perform carries out an action. The number is that of read and value.
func perform[C any](lib library[C], a action, p *payload, c C) (n int, err error) {
	switch a {
	case start:
		err = lib.start(c, p)
	case read, value:
		if n, err = lib.read(c); err == nil && n < 1 {
			err = errNotLoaded
		}
	case change:
		err = lib.change(c)
	case create:
		err = lib.create(c)
	default:
	}
	return n, err
}

// bare is the library of a bare framework: none.
type bare[C any] struct{}

func (bare[C]) start(C, *payload) error { return nil }

func (bare[C]) read(C) (int, error) { return 1, nil }

func (bare[C]) change(C) error { return nil }

func (bare[C]) create(C) error { return nil }

// payload is what a session holds beside its counter.
type payload struct {
	name  string
	keys  []string
	value string
}

// fiveKeys is the usual payload.
func fiveKeys() *payload { return shortKeys(5) }

// shortKeys is a payload of n keys, the counter among them, with 16 bytes in each other.
func shortKeys(n int) *payload {
	p := &payload{name: fmt.Sprint(n, " keys"), value: strings.Repeat("v", 16)}
	for i := range n - 1 {
		p.keys = append(p.keys, fmt.Sprint("key-", i))
	}
	if n == 1 {
		p.name = "1 key"
	}
	return p
}

// oneBlob is a payload of the counter and one value of so many KiB.
func oneBlob(kib int) *payload {
	return &payload{name: fmt.Sprint(kib, " KiB"), keys: []string{"blob"}, value: strings.Repeat("v", kib<<10)}
}

// payloads are those that reading and changing one key is compared for.
func payloads() []*payload {
	return []*payload{shortKeys(1), shortKeys(10), shortKeys(100), oneBlob(1), oneBlob(16), oneBlob(64)}
}

// useCase is an action with or without the cookie of a session.
type useCase struct {
	name, text string
	action     action
	cookie     bool
}

// useCases are those that libraries are compared by.
func useCases() []useCase {
	return []useCase{
		{"a", "existing session, read one key", read, true},
		{"b", "existing session, increment a counter", change, true},
		{"c", "no cookie, write one key", create, false},
		{"d", "no cookie, session never touched", idle, false},
		{"e", "existing cookie, session never touched", idle, true},
	}
}
