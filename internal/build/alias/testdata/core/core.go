// Package core stands in for the real one in the tests of the generator.
package core

import (
	"context"
	"errors"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// Options configures a [Manager], which [NewManager] makes. [Options.Limit] is a field, [*Plain] is not published, and
// [errors.Is] belongs to the standard library.
type Options struct{ Limit Limit }

// NewManager makes a Manager.
func NewManager(Options) *Manager { return nil }

// Manager does this:
//
//   - it lists, by [Manager.List]
//   - it stops
//
// # Headings
//
// Code stays as it is:
//
//	m.List() // [Manager.List] here is code.
type Manager struct{}

// Again lists what [Manager.List] lists, and says so in a sentence that is longer than a line of a comment, whatever it says.
// The second sentence is not there.
func (*Manager) Again() {}

// List lists.
func (*Manager) List() {}

// Open opens. It is for
// adapters.
func (*Manager) Open() {}

// String is called by fmt.
func (*Manager) String() string { return "" }

// Key is generic.
type Key[K comparable, V any] struct{ _ [0]map[K]V }

// Store keeps sessions: see [store.Store].
type Store = store.Store

// Plain is not published.
type Plain struct{}

// Limit says what happens.
type Limit uint8

// The limits.
const (
	// Evict ends another, unlike [Refuse].
	Evict  Limit = iota
	Refuse       // Refuse returns [ErrFull].
	forget       // forget is not exported.
)

// Never ends, see [RFC 9110].
//
// [RFC 9110]: https://www.rfc-editor.org/rfc/rfc9110
const Never = -1

// The defaults are not published.
const (
	// DefaultPrefix is one.
	DefaultPrefix = "session:"
)

// The errors.
var (
	// ErrFull says so.
	ErrFull = errors.New("full")
	// Noise is no error.
	Noise = 1
)

// ErrAlone stands alone.
var ErrAlone = errors.New("alone")

// Wait waits for the work of a [Manager], as [Manager.List] does, or returns [ErrFull].
func Wait(
	ctx context.Context, m *Manager, key Key[string, int], limit time.Duration, work func() error,
) error {
	return nil
}

// Stop stops managers, unlike [Begin].
func Stop(first *Manager, others ...*Manager) {}

// Begin is not published.
func Begin() {}
