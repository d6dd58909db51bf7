package memcachedstore

import (
	"errors"
	"fmt"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/storekit"
	"github.com/cloakroom-go/sessions/core/store"
)

var (
	errUncertain = errors.New("the connection failed during the write: " +
		"it is unknown whether the record was stored")
	errContended = errors.New("other requests keep changing the record")
)

// maxRounds is how often a save or a touch starts over because another request has changed the
// item in the meantime. In each round one of the other requests has succeeded.
const maxRounds = 1000

// pendingSave is the state of a Save. It outlives a connection, so that the next one can find
// out whether the record was stored.
type pendingSave struct {
	key       string
	expected  uint64 // the version to replace
	version   uint64 // the new version
	item      item
	current   store.Record // the stored record, after a conflict
	uncertain bool         // a write was sent and no reply to it received
}

func newPendingSave(rec store.Record) *pendingSave {
	p := &pendingSave{
		key: rec.Key, expected: rec.Version, version: storekit.NewVersion(rec.Version),
	}
	p.item = item{version: p.version, expires: rec.Expires, subject: rec.Subject, data: rec.Data}
	return p
}

// write sends the item with a condition. It notes when the connection fails.
func (p *pendingSave) write(c *conn, cond condition) (status, error) {
	st, err := c.set(wireKey(p.key), &p.item, cond)
	p.uncertain = p.uncertain || c.broken
	return st, err
}

// conflict keeps the stored record for the caller of Save and returns ErrConflict.
func (p *pendingSave) conflict(found *item) error {
	p.current = found.record(p.key)
	return store.ErrConflict
}

// replace reads the item, and writes the new one if the item has the expected version and
// keeps its CAS token. Both requests use the same connection, because tokens start over when
// the server restarts, and no connection outlives that.
//
// A write from an earlier connection that arrives late does no harm, because its token is no
// longer valid.
func (p *pendingSave) replace(c *conn) error {
	for range maxRounds {
		found, err := c.get(wireKey(p.key))
		switch {
		case err != nil:
			return err
		case found.version == p.version:
			return nil
		case !found.live(time.Now()):
			return store.ErrNotFound
		case found.version != p.expected && p.uncertain:
			return errUncertain // the version found may have replaced this one
		case found.version != p.expected:
			return p.conflict(&found)
		}
		switch st, err := p.write(c, ifToken(found.token)); {
		case err != nil:
			return err
		case st == statusOK:
			return nil
		case st == statusNotFound:
			return store.ErrNotFound
		}
	}
	return errContended
}

// create writes the item if there is none, or an expired one.
//
// It does not repeat a write whose result is unknown: the first request could arrive after the
// second one, and after the record has been deleted.
func (p *pendingSave) create(c *conn) error {
	if p.uncertain {
		return p.checkStored(c)
	}
	for range maxRounds {
		st, err := p.write(c, ifAbsent)
		if err != nil {
			return capacityError(err)
		}
		if st == statusOK {
			return nil
		}
		found, err := c.get(wireKey(p.key))
		switch {
		case errors.Is(err, store.ErrNotFound):
			continue
		case err != nil:
			return err
		case found.version == 0:
			return store.ErrConflict // the item is not a record, and stays
		case found.live(time.Now()):
			return p.conflict(&found)
		}
		if st, err = p.write(c, ifToken(found.token)); err != nil || st == statusOK {
			return err
		}
	}
	return errContended
}

// checkStored returns nil if the item has been stored although no reply was received.
func (p *pendingSave) checkStored(c *conn) error {
	found, err := c.get(wireKey(p.key))
	switch {
	case err == nil && found.version == p.version:
		return nil
	case err == nil || errors.Is(err, store.ErrNotFound):
		return errUncertain
	}
	return err
}

// capacityError translates a server's lack of room to ErrTooLarge or ErrFull. It is for
// creates only: before a server refuses to replace an item it deletes it, which those errors
// rule out.
func capacityError(err error) error {
	if refusal, ok := errors.AsType[*serverError](err); ok {
		switch {
		case refusal.tooLarge():
			return fmt.Errorf("%w: %w", store.ErrTooLarge, err)
		case refusal.outOfMemory():
			return fmt.Errorf("%w: %w", store.ErrFull, err)
		}
	}
	return err
}
