package migrate

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/cloakroom-go/sessions/core"
)

// claims are the records that say which old sessions have been taken over, each by which new one.
type claims struct {
	store core.Store
	end   time.Time
}

// A claim begins with one of these.
const (
	claimOpen   = 'o' // A request is signing the user in, or was when it crashed.
	claimSpent  = 's' // The old session opens nothing.
	claimSealed = 'v' // The value of the new cookie follows, sealed.
	// The browser has the new cookie. The time at which it came back follows, in seconds, and then
	// what stood behind claimSealed.
	claimDelivered = 'd'
)

const (
	claimPrefix = "migrated:"
	// lease is how long a request may take for the sign-in before another one tries.
	lease = 2 * core.DefaultStoreTimeout
	// pause is the time between two looks at a claim on which another request works.
	pause = 20 * time.Millisecond
	// late is how long a request may have been under way when the new cookie came back.
	late = time.Minute
)

// errSpent is returned for an old session that has ended here.
var errSpent = errors.New("sessions: migrate: the old session has ended here")

// attempt is a new session: its cookie's value, and what ends it if another request was faster.
type attempt struct {
	ticket string
	undo   func(context.Context)
}

// take returns the value of the new cookie for the old session with the id. If no request has
// claimed that one yet, it calls signIn, and made is true. Of several requests one calls signIn
// and the others wait for it. The error of signIn is returned as it is.
func (c *claims) take(
	ctx context.Context, id string, signIn func() (attempt, error),
) (ticket string, made bool, err error) {
	for {
		claim := core.Record{Key: claimKey(id), Data: []byte{claimOpen}}
		claim.Expires = time.Now().Add(lease)
		switch saved, err := c.store.Save(ctx, claim); {
		case err == nil:
			ticket, err := c.fill(ctx, &saved, id, signIn)
			return ticket, true, err
		case !errors.Is(err, core.ErrConflict):
			return "", false, failed("claiming the old session", err)
		}
		ticket, found, err := c.look(ctx, id)
		if found || err != nil {
			return ticket, false, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return "", false, failed("waiting for another request", ctx.Err())
		}
	}
}

// fill signs the user in and keeps the new cookie in the claim.
func (c *claims) fill(
	ctx context.Context, claim *core.Record, id string,
	signIn func() (attempt, error),
) (string, error) {
	made, err := signIn()
	if err != nil {
		_ = c.store.Delete(ctx, claim.Key) // Otherwise the lease ends it.
		return "", err
	}
	claim.Data, claim.Expires = seal(id, made.ticket), c.end
	_, err = c.store.Save(ctx, *claim)
	switch {
	case errors.Is(err, core.ErrNotFound), errors.Is(err, core.ErrConflict):
		made.undo(ctx) // The lease was over, and the session is another request's.
	case err == nil:
		return made.ticket, nil
	}
	return "", failed("keeping the claim of the old session", err)
}

// look returns what a claim says, or false if another request is working on it. It returns
// errSpent if the old session opens nothing.
func (c *claims) look(ctx context.Context, id string) (ticket string, found bool, err error) {
	rec, err := c.store.Load(ctx, claimKey(id))
	switch {
	case errors.Is(err, core.ErrNotFound):
		return "", false, nil
	case err != nil:
		return "", false, failed("reading the claim of the old session", err)
	case len(rec.Data) == 1 && rec.Data[0] == claimOpen:
		return "", false, nil
	}
	ticket, ok := unseal(id, sealedOf(rec.Data))
	if !ok {
		return "", true, errSpent
	}
	return ticket, true, nil
}

// spend makes an old session open nothing, unless it has been claimed before.
func (c *claims) spend(ctx context.Context, id string) error {
	rec := core.Record{Key: claimKey(id), Data: []byte{claimSpent}, Expires: c.end}
	_, err := c.store.Save(ctx, rec)
	if err == nil || errors.Is(err, core.ErrConflict) || errors.Is(err, core.ErrNotFound) {
		return nil
	}
	return failed("claiming the old session", err)
}

// bounded returns a context that ends in time, and not when the client disconnects: what the
// bridge has begun must be finished.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), core.DefaultStoreTimeout)
}

// deliver notes that the browser has the new cookie of an old session: soon the old cookie, and
// every copy of it, opens nothing any more.
func (c *claims) deliver(ctx context.Context, id string) error {
	rec, err := c.store.Load(ctx, claimKey(id))
	switch {
	case errors.Is(err, core.ErrNotFound): // The user has signed in here by themselves.
		return c.spend(ctx, id)
	case err != nil:
		return failed("reading the claim of the old session", err)
	case len(rec.Data) == 0 || rec.Data[0] != claimSealed:
		return nil
	}
	now := uint64(time.Now().Unix()) //nolint:gosec // G115: after 1970
	data := binary.BigEndian.AppendUint64([]byte{claimDelivered}, now)
	rec.Data = append(data, rec.Data[1:]...)
	_, err = c.store.Save(ctx, rec)
	if err == nil || errors.Is(err, core.ErrConflict) || errors.Is(err, core.ErrNotFound) {
		return nil // Another request has done it.
	}
	return failed("keeping the claim of the old session", err)
}

// sealedOf returns the data of a claim as before its delivery, or nil if that was too long ago.
func sealedOf(data []byte) []byte {
	const header = 1 + 8
	if len(data) < header || data[0] != claimDelivered {
		return data
	}
	at := int64(binary.BigEndian.Uint64(data[1:])) //nolint:gosec // G115: reverses deliver
	if time.Since(time.Unix(at, 0)) > late {
		return nil
	}
	return append([]byte{claimSealed}, data[header:]...)
}

// failed returns an error of the store or of the old library as one whose status is 503.
func failed(doing string, err error) error {
	return fmt.Errorf("sessions: migrate: %s: %w (%w)", doing, err, core.ErrStore)
}

// derive returns bytes for one purpose. They tell nothing about the id, nor about each other.
func derive(id, purpose string) []byte {
	key, err := hkdf.Key(sha256.New, []byte(id), nil, "cloakroom migrate v1 "+purpose, 32)
	if err != nil {
		panic("sessions: migrate: " + err.Error()) // Only for keys that are too long.
	}
	return key
}

// claimKey returns the store's key for the claim of an old session.
func claimKey(id string) string { return claimPrefix + claimName(id) }

// claimName returns the name of an old session, which does not tell its id.
func claimName(id string) string {
	return base64.RawURLEncoding.EncodeToString(derive(id, "name"))
}

// seal returns the data of a claim, which only somebody who knows the old session's id can read:
// a copy of the store signs nobody in.
func seal(id, ticket string) []byte {
	c := sealer(id)
	nonce := make([]byte, c.NonceSize())
	_, _ = rand.Read(nonce) // Read never returns an error.
	return c.Seal(append([]byte{claimSealed}, nonce...), nonce, []byte(ticket), nil)
}

// unseal reverses seal. It returns false for data that seal has not returned for the id.
func unseal(id string, data []byte) (ticket string, ok bool) {
	c := sealer(id)
	if len(data) <= 1+c.NonceSize() || data[0] != claimSealed {
		return "", false
	}
	nonce, sealed := data[1:1+c.NonceSize()], data[1+c.NonceSize():]
	text, err := c.Open(nil, nonce, sealed, nil)
	return string(text), err == nil
}

func sealer(id string) cipher.AEAD {
	block, err := aes.NewCipher(derive(id, "cookie"))
	if err != nil {
		panic("sessions: migrate: " + err.Error()) // Only for keys of another length.
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic("sessions: migrate: " + err.Error()) // Only for other ciphers.
	}
	return gcm
}
