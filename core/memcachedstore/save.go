package memcachedstore

import (
	"errors"
	"fmt"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/storekit"
	"github.com/cloakroom-go/sessions/core/store"
)

var (
	errUnsure  = errors.New("the connection broke during the write, and whether it was done cannot be told")
	errUnquiet = errors.New("others write the key without end")
)

// rounds is how often a conversation starts over because somebody else was faster. Each time one of the others has got on.
const rounds = 1000

// writing is a save under way. It survives the connection, so that the next one can tell what became of it.
type writing struct {
	key     string
	base    uint64 // the version to replace
	version uint64 // the new one
	item    item
	current store.Record // what is there instead, for a conflict
	unsure  bool         // a write went out and its answer never came
}

func newWriting(rec store.Record) *writing {
	w := &writing{key: rec.Key, base: rec.Version, version: storekit.NewVersion(rec.Version)}
	w.item = item{version: w.version, expires: rec.Expires, subject: rec.Subject, data: rec.Data}
	return w
}

// put writes the item on a condition, and takes note if the connection breaks meanwhile.
func (w *writing) put(c *conn, on condition) (status, error) {
	st, err := c.set(wireKey(w.key), &w.item, on)
	w.unsure = w.unsure || c.broken
	return st, err
}

// conflict keeps the record that is there for the caller.
func (w *writing) conflict(found *item) error {
	w.current = found.record(w.key)
	return store.ErrConflict
}

// replace reads the server's token for the version to replace, and writes if the token is still the same. Both go over one connection: tokens
// start over when the server does, and no connection outlives that.
//
// A write that was sent before, and not answered, can do no harm if it arrives late: the token it bears is then no longer valid.
func (w *writing) replace(c *conn) error {
	for range rounds {
		found, err := c.get(wireKey(w.key))
		switch {
		case err != nil:
			return err
		case found.version == w.version:
			return nil
		case !found.live(time.Now()):
			return store.ErrNotFound
		case found.version != w.base && w.unsure:
			return errUnsure // it may have been ours that was replaced since
		case found.version != w.base:
			return w.conflict(&found)
		}
		switch st, err := w.put(c, ifToken(found.token)); {
		case err != nil:
			return err
		case st == done:
			return nil
		case st == notFound:
			return store.ErrNotFound
		}
	}
	return errUnquiet
}

// create writes if there is nothing, or what there is has expired.
//
// It never sends a write again of which it does not know what became: the first one could arrive after the second, and after
// the record has been deleted.
func (w *writing) create(c *conn) error {
	if w.unsure {
		return w.settle(c)
	}
	for range rounds {
		st, err := w.put(c, ifAbsent)
		if err != nil {
			return asFull(err)
		}
		if st == done {
			return nil
		}
		found, err := c.get(wireKey(w.key))
		switch {
		case errors.Is(err, store.ErrNotFound):
			continue
		case err != nil:
			return err
		case found.version == 0:
			return store.ErrConflict // not one of ours, and not ours to replace
		case found.live(time.Now()):
			return w.conflict(&found)
		}
		if st, err = w.put(c, ifToken(found.token)); err != nil || st == done {
			return err
		}
	}
	return errUnquiet
}

// settle finds out whether the write has been done whose answer never came.
func (w *writing) settle(c *conn) error {
	found, err := c.get(wireKey(w.key))
	switch {
	case err == nil && found.version == w.version:
		return nil
	case err == nil || errors.Is(err, store.ErrNotFound):
		return errUnsure
	}
	return err
}

// asFull translates what a server says that has no room and may not make any. It is for creates: before it refuses to
// replace an item, the server deletes it, and that is not what ErrFull and ErrTooLarge promise.
func asFull(err error) error {
	var refusal *serverError
	if errors.As(err, &refusal) {
		switch {
		case refusal.tooLarge():
			return fmt.Errorf("%w: %w", store.ErrTooLarge, err)
		case refusal.outOfMemory():
			return fmt.Errorf("%w: %w", store.ErrFull, err)
		}
	}
	return err
}

// touching is a touch under way.
type touching struct{ rec store.Record }

// touch moves the expiry of the item forward. It may be repeated at any point.
func (t *touching) touch(c *conn) error {
	key := wireKey(t.rec.Key)
	for range rounds {
		found, err := c.get(key)
		switch {
		case err != nil:
			return err
		case !found.live(time.Now()):
			return store.ErrNotFound
		case found.version != t.rec.Version:
			return store.ErrConflict
		case found.expires.IsZero() || !t.rec.Expires.IsZero() && !t.rec.Expires.After(found.expires):
			return nil
		}
		found.expires = t.rec.Expires
		switch st, err := c.set(key, &found, ifToken(found.token)); {
		case err != nil:
			return err
		case st == done:
			return nil
		case st == notFound:
			return store.ErrNotFound
		}
	}
	return errUnquiet
}
