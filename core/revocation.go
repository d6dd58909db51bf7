package core

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/record"
	"github.com/cloakroom-go/sessions/core/internal/uuidtext"
)

// A login whose password was right before the password was changed may commit after RevokeAll has
// ended all sessions. So RevokeAll first saves a record that says that it was called, and a login
// reads that after its own save: either RevokeAll finds the session of the login, or the login
// finds the record and ends the session. Every store can keep the record, since its key is like
// that of a session.

// revocation is what the record of a subject's last revocation says.
type revocation struct {
	at     int64    // when RevokeAll was called, in milliseconds
	by     []byte   // what revocationCount.next has returned
	spared [][]byte // the ids of the sessions that were spared
}

// revokedByKey is the key of revocation.by. The other keys of the record are the ids of spared
// sessions, which are longer.
const revokedByKey = "by"

// erasedFor is for how long logins of a subject are refused that have begun before it was erased.
const erasedFor = 10 * time.Minute

// defaultProofLife is for how long a login may refer to a proof if there is no absolute timeout.
const defaultProofLife = 24 * time.Hour

// proofLife is for how long after its proof a login may commit, and so for how long a revocation
// is remembered.
func (p *policy) proofLife() time.Duration {
	if p.lifetime > 0 {
		return p.lifetime
	}
	return defaultProofLife
}

// revocationKey returns the key of the record of a subject's last revocation.
func (ks *keyspace) revocationKey(subject string) string {
	return ks.noteKey("cloakroom revocation v1 " + ks.subjectKey(subject))
}

// noteRevocation saves that the sessions of a subject end now, except for those with the ids.
// The note is kept for the given time.
func (r *records) noteRevocation(
	ctx context.Context, subject string, spared []string, life time.Duration,
) error {
	ctx, cancel := r.detached(ctx)
	defer cancel()
	key := r.revocationKey(subject)
	for range markAttempts {
		stored, err := r.load(ctx, key)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return r.loadError(ctx, key, err)
		}
		rec := Record{
			Key: key, Version: stored.Version, Expires: time.Now().Add(life + maxClockSkew),
		}
		err = r.saveNote(ctx, rec, ReasonRevokedAll, r.revocationEntries(spared))
		if !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return r.storeFailure(ctx, "save", key, ErrConflict)
}

// revocationEntries returns the contents of the note of a revocation.
func (r *records) revocationEntries(spared []string) []record.Entry {
	entries := []record.Entry{{Key: []byte(revokedByKey), Value: r.revocations.next()}}
	for _, id := range spared {
		if len(id) == uuidtext.Length { // Anything else is no session's.
			entries = append(entries, record.Entry{Key: []byte(id)})
		}
	}
	return entries
}

// lastRevocation returns the last revocation of a subject that is remembered. It is zero if there
// is none.
func (r *records) lastRevocation(
	ctx context.Context, subject string,
) (last revocation, err error) {
	snap, err := r.loadNote(ctx, r.revocationKey(subject))
	last.at = snap.Created
	snap.Each(func(name, value []byte) {
		if string(name) == revokedByKey {
			last.by = value
		} else {
			last.spared = append(last.spared, name)
		}
	})
	return last, err
}

// refuses reports whether the revocation refuses a login to the session with the id, in a request
// that arrived after so many revocations of this manager. The time of another process may be
// ahead, so a login that began within a minute after the revocation is refused, too. It can be
// tried again at once, because then this manager has noticed the revocation.
func (v *revocation) refuses(l *login, id string, arrival uint32, c *revocationCount) bool {
	spared := slices.ContainsFunc(v.spared, func(s []byte) bool { return string(s) == id })
	switch {
	case spared:
		return false
	case l.start != nil && !bytes.Equal(v.by, l.start):
		return true
	case l.start != nil:
		return l.stated && l.began <= v.at
	case v.at == 0:
		return false
	}
	n, own := c.number(v.by)
	if own {
		return n > arrival || l.stated && l.began <= v.at
	}
	doubtful := l.began <= v.at+maxClockSkew.Milliseconds()
	if !doubtful || l.stated {
		return doubtful
	}
	n, first := c.noticed(v.by)
	return first || n > arrival
}
