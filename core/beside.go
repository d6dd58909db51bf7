package core

import (
	"context"

	"github.com/cloakroom-go/sessions/core/internal/cookie"
)

// besideBase is what few sessions need to know beside their base. It keeps a Session small, since
// every request has one. A nil besideBase knows nothing.
type besideBase struct {
	tickets   cookie.Tickets // what the request presented, if the session is still to be loaded
	loadErr   error          // why the last attempt to load it failed
	overtaker *verified      // the record whose ticket was overtaken, if the status is statusGone
	others    []sessionRef   // the sessions of the other tickets that the request presented
	own       *ownSession    // what ActAs leaves, while it saves
	failed    *delta         // what an explicit commit could not save
	headerErr error          // the error of the commit before the first byte

	lateContext context.Context //nolint:containedctx // of changes that no commit follows
}

// cookieAction is what the next reply does to the cookie.
type cookieAction uint8

const (
	cookieKeep cookieAction = iota
	cookieSet
	cookieRemove
)

// ownSession is what a session was before it acted for somebody.
type ownSession struct {
	verified
	undeliveredYet, cookieOutdated, issued bool
	cookie                                 cookieAction
}

func (b *besideBase) getOwn() *ownSession {
	if b == nil {
		return nil
	}
	return b.own
}

// afterLoad returns what there is to know when the session has been loaded.
func (b *besideBase) afterLoad(others []sessionRef) *besideBase {
	if b != nil && (b.headerErr != nil || b.lateContext != nil) {
		return &besideBase{others: others, headerErr: b.headerErr, lateContext: b.lateContext}
	}
	if len(others) != 0 {
		return &besideBase{others: others}
	}
	return nil
}

func (b *besideBase) getOvertaker() *verified {
	if b == nil {
		return nil
	}
	return b.overtaker
}

func (b *besideBase) getOthers() []sessionRef {
	if b == nil {
		return nil
	}
	return b.others
}

// made returns b, or a new one if it is nil, so that a field can be set.
func (b *besideBase) made() *besideBase {
	if b == nil {
		return new(besideBase)
	}
	return b
}

// withOvertaker returns b with another overtaker. It changes b, if it is not nil.
func (b *besideBase) withOvertaker(v *verified) *besideBase {
	if b == nil && v == nil {
		return nil
	}
	b = b.made()
	b.overtaker = v
	return b
}
