package memcachedstore

import (
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// touch extends the expiry of the item to that of rec. It may be repeated at any point.
func touch(c *conn, rec *store.Record) error {
	key := wireKey(rec.Key)
	for range maxRounds {
		found, err := c.get(key)
		switch {
		case err != nil:
			return err
		case !found.live(time.Now()):
			return store.ErrNotFound
		case found.version != rec.Version:
			return store.ErrConflict
		case found.expires.IsZero() || !rec.Expires.IsZero() && !rec.Expires.After(found.expires):
			return nil
		}
		found.expires = rec.Expires
		switch st, err := c.set(key, &found, ifToken(found.token)); {
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
