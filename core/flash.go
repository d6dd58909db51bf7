package core

import (
	"context"
	"errors"
)

// Flash is a message for the next page that the user sees, such as "Your changes are saved" after
// a redirect. See [Session.AddFlash].
type Flash struct {
	Kind FlashKind `json:"kind"`
	// Text is shown to the user. It is text and no markup: let the template escape it.
	Text string `json:"text"`
}

// FlashKind says how a message is to look. Applications may have kinds of their own; the value is
// useful as the name of a CSS class.
type FlashKind string

// The kinds that most applications need.
const (
	// FlashSuccess says that what the user wanted has been done.
	FlashSuccess FlashKind = "success"
	// FlashInfo says something that is good to know.
	FlashInfo FlashKind = "info"
	// FlashWarning says something that the user should look at.
	FlashWarning FlashKind = "warning"
	// FlashError says that what the user wanted has failed.
	FlashError FlashKind = "error"
)

// flashes is where the messages are kept, in the order in which they were added.
const flashes = Key[[]Flash]("sessions.flash")

// maxFlashes is how many messages wait for a page at most. The oldest are dropped.
const maxFlashes = 16

// AddFlash keeps a message for the next page that takes it, with [Session.TakeFlashes]. The
// messages of requests that run at the same time are all kept, up to 16: then the oldest give way.
// A visitor without a session gets one. Like [Key.Update], AddFlash has no error to return; the
// commit fails in its place. In a session that has ended the message is dropped with an
// [EventGone], so render what concerns a login, such as a wrong password, in the login page
// itself: its browser may have been signed out from elsewhere a moment ago. See
// [Session.Overtaken].
func (s *Session) AddFlash(kind FlashKind, text string) {
	f := Flash{kind, text}
	flashes.Update(s, func(list []Flash) []Flash {
		list = append(list, f)
		return list[max(0, len(list)-maxFlashes):]
	})
}

// TakeFlashes returns the messages that wait for a page, oldest first, and removes them from the
// stored session before it returns, together with the other pending changes. So of two tabs that
// load at the same time one shows a message, and a message that is added meanwhile is kept for the
// next page. If there are none, which is usual, it costs nothing.
//
// Call it in the handler and give the template the result. A session that has ended has no
// messages. Any other error is that of [Key.TakeOnce]: there are no messages then, and a page may
// be shown without them.
func (s *Session) TakeFlashes(ctx context.Context) ([]Flash, error) {
	if s.changes(string(flashes)) {
		// Otherwise the messages that others add at the same time would be removed as well.
		if err := s.Save(ctx); err != nil {
			return nil, err
		}
	}
	for range maxFlashRounds {
		list, taken, err := flashes.TakeOnce(ctx, s)
		switch {
		case errors.Is(err, ErrGone): // A login page is shown to such a browser, too.
			return nil, nil
		case taken || err != nil:
			return list, err
		}
		if _, more := s.read(string(flashes)); !more {
			break
		}
		// Another request has added a message, or taken some, so there is another list now.
	}
	return nil, nil
}

// maxFlashRounds is how often TakeFlashes tries against others that add messages all the time.
const maxFlashRounds = 10

// changes reports whether the request has changed the value under key and not saved it.
func (s *Session) changes(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pending.find(key) != nil || s.saving.find(key) != nil
}
