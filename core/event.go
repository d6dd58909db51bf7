package core

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// EventKind says what an [Event] reports.
type EventKind uint8

// The kinds of events.
const (
	// EventCreated reports that a session was stored for the first time.
	EventCreated EventKind = iota + 1
	// EventLoaded reports a request with a valid ticket.
	EventLoaded
	// EventCommitted reports that changes to a stored session were saved.
	EventCommitted
	// EventMerged reports that the saved changes were merged with those of another request.
	EventMerged
	// EventTouched reports that a session was extended without a change.
	EventTouched
	// EventRenewed reports that the secret of a session was changed by a renewal.
	EventRenewed
	// EventLogin reports that a subject signed in or stepped up, which changed the secret of
	// the session.
	EventLogin
	// EventDestroyed reports that a session was ended by Destroy.
	EventDestroyed
	// EventGone reports that another request ended the session, or signed in with it, while
	// this one ran or shortly before, and that the changes of this one were dropped.
	EventGone
	// EventExpired reports a ticket of a session that has expired by the current policy.
	EventExpired
	// EventRefused reports a ticket that does not open its session: its secret or its cookie
	// name is not the session's.
	EventRefused
	// EventUndecodable reports a record that is damaged or has an unknown format. It is treated
	// as absent.
	EventUndecodable
	// EventBadValue reports that the value under Event.Key does not decode into the type that
	// was asked for, or that [Session.Get] was not given a pointer. The value is treated as
	// absent, and stays; see [ErrBadValue].
	EventBadValue
	// EventLate reports a change that was refused because it needs a cookie and the response
	// had begun.
	EventLate
	// EventLost reports that changes which were made after the response had begun could not be
	// saved.
	EventLost
	// EventStoreFailed reports that a call of the store failed.
	EventStoreFailed
	// EventReused reports a ticket whose secret was replaced by a renewal and whose grace
	// period is over. Two parties have it: the user's browser, and somebody who copied it
	// before the renewal. See [Options.RevokeOnReuse].
	EventReused
	// EventRevoked reports that a session was ended from outside. Event.Reason says why.
	EventRevoked
	// EventLimitReached reports a login of a subject who already had [Options.MaxSessions]
	// sessions.
	EventLimitReached
	// EventStoreCalled reports a call of the store: Event.Operation names it, Event.Took is its
	// duration, and Event.Err is its result, which may be [ErrNotFound] or [ErrConflict]. It
	// requires [Options.StoreEvents].
	EventStoreCalled

	// EventSeveral reports a request with valid tickets of several sessions, which a browser
	// sends after a change of the cookie's domain or path. See [Options.FormerCookies].
	EventSeveral
	// EventCrossSite reports a change that is not saved, because it would start a session in a
	// request that another site has caused and for which the browser has kept the cookie back.
	EventCrossSite
	// EventValueRefused reports that the value under Event.Key was not stored, because it cannot
	// be encoded, would come back different, or is too large. If Key is empty, the session as a
	// whole is too large, and none of its changes was stored. The caller has got the error, too.
	EventValueRefused

	eventKinds = iota + 1
)

// String returns the kind in words.
func (k EventKind) String() string {
	names := [...]string{
		"unknown", "created", "loaded", "committed", "merged", "touched", "renewed", "login",
		"destroyed", "gone", "expired", "refused", "undecodable", "bad value", "late", "lost",
		"store failed", "secret reused", "revoked", "limit reached", "store called",
		"several sessions", "cross-site", "value refused",
	}
	if int(k) >= len(names) {
		return names[0]
	}
	return names[k]
}

// label returns the kind as metrics and JSON spell it.
func (k EventKind) label() string { return snake(k.String()) }

// MarshalText returns the kind as metrics spell it, such as "secret_reused". It returns no error.
func (k EventKind) MarshalText() ([]byte, error) { return []byte(k.label()), nil }

// UnmarshalText reads what MarshalText has returned, and refuses any other text.
func (k *EventKind) UnmarshalText(text []byte) (err error) {
	*k, err = parse(text, EventKind(eventKinds), EventKind.label)
	return err
}

// Reason says why a session was ended, in [Event.Reason], or why a request's ticket no longer
// opens it, in the result of [Session.Overtaken].
type Reason string

// The reasons.
const (
	// ReasonRevoked is the reason of [Manager.Revoke] and [Manager.RevokeByID].
	ReasonRevoked Reason = "revoked"
	// ReasonRevokedAll is the reason of [Manager.RevokeAll] and [Manager.RevokeOthers].
	ReasonRevokedAll Reason = "revoked_all"
	// ReasonRevokedEverything is the reason of [Manager.RevokeEverything].
	ReasonRevokedEverything Reason = "revoked_everything"
	// ReasonLimit is the reason of an end by [Options.MaxSessions].
	ReasonLimit Reason = "limit_reached"
	// ReasonReuse is the reason of an end by [Options.RevokeOnReuse].
	ReasonReuse Reason = "secret_reused"
	// ReasonProvider is the reason of [Manager.RevokeProviderSession].
	ReasonProvider Reason = "provider_session"
	// ReasonActor says that somebody acted for the subject, by [Session.ActAs], and that their own
	// session has ended.
	ReasonActor Reason = "actor_gone"
	// ReasonSignedOut says that a request of the same browser has called [Session.Destroy].
	ReasonSignedOut Reason = "signed_out"
	// ReasonSignedIn says that somebody has signed in with the session, in a request of the same
	// browser.
	ReasonSignedIn Reason = "signed_in"
	// ReasonReplaced says that a request of the same browser has replaced the secret, by a
	// renewal or a step-up, and that the browser has presented the new one since.
	ReasonReplaced Reason = "secret_replaced"
)

// Event describes something that happened to a session. It never contains a ticket, a secret or
// a value.
//
// In JSON and in a log line the fields have names such as "took_seconds", SessionID is "session"
// and Err is "error", as in the manager's own log lines. What is zero or empty is left out, and so
// is the context. An error is written as its text, so JSON of an event cannot be read back.
type Event struct { //nolint:recvcheck // as Auth
	Kind      EventKind
	Time      time.Time // when it happened
	SessionID string    // "" if the session has no id yet
	Subject   string    // the signed-in user; "" if nobody is signed in
	Actor     string    // who really acts, by [Session.ActAs]; "" if the subject does
	Key       string    // the key of the value, for EventBadValue and EventValueRefused
	Reason    Reason    // one of the Reason constants, for EventRevoked and EventGone
	Err       error     // the cause, if there is one
	Dropped   uint64    // events dropped since the previous delivery

	// Operation names the call of the store, for EventStoreCalled and EventStoreFailed: "load",
	// "save", "touch", "delete", "list", "list subject", "count" or "purge".
	Operation string
	Took      time.Duration // the duration of the call, for EventStoreCalled

	// Context is the context of the request, for the values in it, such as a trace. It is nil
	// if there is none, and it may have ended. If the context is one that the framework reuses
	// for other requests, such as [gin.Context] or [fasthttp.RequestCtx], this is the standard
	// context of the same request, or nil if there is none that does not depend on it.
	//
	// [gin.Context]: https://pkg.go.dev/github.com/gin-gonic/gin#Context
	// [fasthttp.RequestCtx]: https://pkg.go.dev/github.com/valyala/fasthttp#RequestCtx
	Context context.Context //nolint:containedctx // An event outlives the call with the context.
}

// fields returns the event under the names of the JSON.
func (e *Event) fields() (a attrs) {
	a.text("kind", e.Kind.label())
	a.time("time", e.Time)
	a.text("session", e.SessionID)
	a.text("subject", e.Subject)
	a.text("actor", e.Actor)
	a.text("key", e.Key)
	a.text("reason", string(e.Reason))
	if e.Err != nil {
		a.text("error", e.Err.Error())
	}
	a.number("dropped", e.Dropped)
	a.text("operation", snake(e.Operation))
	if e.Took != 0 {
		a = append(a, secondsOf("took_seconds", e.Took))
	}
	return a
}

// LogValue returns a group with the names and values of the JSON.
func (e Event) LogValue() slog.Value {
	a := e.fields()
	return a.value()
}

// MarshalJSON writes the event as a JSON object. It returns no error.
func (e Event) MarshalJSON() ([]byte, error) {
	a := e.fields()
	return a.json()
}

// UnmarshalJSON returns an error, because JSON of an event has neither its cause nor its context.
func (*Event) UnmarshalJSON([]byte) error { return errEventNotRead }

var errEventNotRead = errors.New("sessions: an Event is written to JSON, and not read from it")

// attrs returns the attributes of the event's log line.
func (e *Event) attrs() []any {
	attrs := append(make([]any, 0, 3), slog.String("session", e.SessionID))
	if e.Key != "" {
		attrs = append(attrs, slog.String("key", e.Key))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.Any("error", e.Err))
	}
	return attrs
}
