package core

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/record"
)

// Info describes a session in a list. It authenticates nobody.
//
// In JSON and in a log line the fields have names such as "last_seen". Times are those of RFC
// 3339, and what is zero or empty is left out, except for "persistent". JSON is read back as it
// was written. The IP address and the user agent are personal data; [Options.NoDevice] keeps them
// out.
type Info struct {
	// ID is the public id.
	ID string `json:"id,omitempty"`
	// Subject is the signed-in user; "" if nobody is signed in.
	Subject string `json:"subject,omitempty"`
	// Created is when the session was first stored.
	Created time.Time `json:"created,omitzero"`
	// LastSeen is when it was last used; see [Session.LastSeen].
	LastSeen time.Time `json:"last_seen,omitzero"`
	// Expires is when it ends unless it is used again; zero if it never ends.
	Expires time.Time `json:"expires,omitzero"`
	// AuthenticatedAt is the last login or step-up; zero if nobody is signed in.
	AuthenticatedAt time.Time `json:"authenticated_at,omitzero"`
	// Auth says how the subject has proved who they are.
	Auth Auth `json:"auth,omitzero"`
	// IP is where a signed-in user last used it from; "" with NoDevice.
	IP string `json:"ip,omitempty"`
	// UserAgent is what they last used it with, at most 256 bytes of it; "" with NoDevice.
	UserAgent string `json:"user_agent,omitempty"`
	// Persistent says whether the cookie outlives the browser.
	Persistent bool `json:"persistent"`
}

// LogValue returns a group with the names and values of the JSON.
func (i Info) LogValue() slog.Value { //nolint:gocritic // slog finds it on values, too.
	var a attrs
	a.text("id", i.ID)
	a.text("subject", i.Subject)
	a.time("created", i.Created)
	a.time("last_seen", i.LastSeen)
	a.time("expires", i.Expires)
	a.time("authenticated_at", i.AuthenticatedAt)
	if auth := i.Auth.attrs(); len(auth) > 0 {
		a = append(a, slog.Attr{Key: "auth", Value: auth.value()})
	}
	a.text("ip", i.IP)
	a.text("user_agent", i.UserAgent)
	a = append(a, slog.Bool("persistent", i.Persistent))
	return a.value()
}

// describe returns the description of a stored session.
func (m *Manager) describe(snap *record.Snapshot) Info {
	h := snap.Header()
	proof, d := h.Account.Proof(), h.Account.Device()
	if m.executor.noDevice {
		d = record.Device{} // It was recorded before the option was set.
	}
	return Info{
		ID: m.keyspace.idOf(snap.Record.Key), Subject: string(h.Subject),
		Created: timeOf(h.Created), LastSeen: timeOf(h.Seen),
		Expires:         timeOf(m.timeouts.expiresAt(&h.Times, h.Seen)),
		AuthenticatedAt: timeOf(h.Authenticated),
		Auth:            authOf(&proof, h.Extensions),
		IP:              d.IP, UserAgent: d.UserAgent, Persistent: m.timeouts.persistent(&h.Times),
	}
}

func (m *Manager) infos(snaps []record.Snapshot) []Info {
	infos := make([]Info, len(snaps))
	for i := range snaps {
		infos[i] = m.describe(&snaps[i])
	}
	return infos
}

// List returns the sessions of a subject, the most recently used first: the user's devices. It
// includes every session that has not ended and whose login was committed before the call. It
// is an error if subject is "". List returns [errors.ErrUnsupported] if the store has no index of
// subjects.
func (m *Manager) List(ctx context.Context, subject string) ([]Info, error) {
	if err := m.made(); err != nil {
		return nil, err
	}
	if subject == "" {
		return nil, errNoSubject
	}
	ctx, cancel := m.records.withTimeout(ctx)
	defer cancel()
	snaps, err := m.records.ofSubject(ctx, subject)
	infos := m.infos(m.records.withActors(ctx, snaps))
	slices.SortFunc(infos, func(a, b Info) int {
		if c := b.LastSeen.Compare(a.LastSeen); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return infos, err
}

// Lookup returns the session with a public id, or [ErrNotFound] if there is none. It works with
// every store.
func (m *Manager) Lookup(ctx context.Context, id string) (Info, error) {
	if err := m.made(); err != nil {
		return Info{}, err
	}
	ctx, cancel := m.records.withTimeout(ctx)
	defer cancel()
	snap, err := m.records.byID(ctx, id)
	if err != nil {
		return Info{}, err
	}
	return m.describe(&snap), nil
}

// Page returns a page of about limit sessions of this manager, signed in or not, and the cursor
// of the next page. Pass "" for the first page; next is "" after the last. Every session that
// exists throughout the walk is returned, possibly twice. The default limit is 100. Page
// returns [errors.ErrUnsupported] if the store cannot list sessions.
func (m *Manager) Page(
	ctx context.Context, cursor string, limit int,
) (page []Info, next string, err error) {
	if err := m.made(); err != nil {
		return nil, "", err
	}
	ctx, cancel := m.records.withTimeout(ctx)
	defer cancel()
	recs, next, err := m.records.page(ctx, cursor, limit)
	return m.infos(m.records.live(ctx, recs)), next, err
}

// All returns an iterator over all sessions of this manager. It walks them as [Manager.Page]
// does. If there is an error, it is the last thing that the iterator yields.
func (m *Manager) All(ctx context.Context) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		for cursor := ""; ; {
			page, next, err := m.Page(ctx, cursor, 0)
			for i := range page {
				if !yield(page[i], nil) {
					return
				}
			}
			if err != nil {
				yield(Info{}, err)
				return
			}
			if cursor = next; cursor == "" {
				return
			}
		}
	}
}

// Count returns the number of records under the manager's prefix that have not expired. If the
// store cannot count them, Count walks them all; if it cannot do that either, Count returns
// [errors.ErrUnsupported]. Count is bounded by ctx alone, not by [Options.StoreTimeout].
func (m *Manager) Count(ctx context.Context) (int, error) {
	if err := m.made(); err != nil {
		return 0, err
	}
	n, err := m.records.count(ctx)
	if !errors.Is(err, errors.ErrUnsupported) {
		return n, err
	}
	n = 0
	for _, err := range m.All(ctx) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}
