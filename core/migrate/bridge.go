package migrate

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter"
	"github.com/cloakroom-go/sessions/core/internal/cookie"
)

// Bridge takes sessions of another library over. It is safe for concurrent use.
type Bridge struct {
	options Options
	removal string // removes the old cookie
	claims  claims
}

// Old is what the other library's session says. The zero value says that there is none, or that
// nobody is signed in; what a visitor has in an old session is not taken over.
type Old struct {
	// ID names the old session, and nobody else can know it: the id under which the other library
	// stores it, or the value of the cookie if the session is kept in that. It is required with a
	// User. Set it also if there is no such session, but the library would use the id again.
	ID string
	// User is the signed-in user, for [core.Session.Login].
	User string
	// Auth says how and when the user has proved who they are. Auth.At is the time at which the
	// old session was begun by a login, if that is known, and never a later one. If it is zero or
	// in the future, the session counts from [Options.Undated].
	Auth core.Auth
	// Copy sets values in the new session, which it gets before that is saved. It may be nil.
	Copy func(*core.Session) error
	// End deletes the old session. It is called when the browser has presented the new cookie,
	// and if the user has signed out here, and may be called more than once. It may be nil, if the
	// other library cannot end a session on the server.
	End func(context.Context) error
}

// New returns a Bridge, or an error that says which option to change.
func New(o Options) (*Bridge, error) {
	if err := o.resolve(); err != nil {
		return nil, err
	}
	return &Bridge{
		options: o, removal: o.removal(), claims: claims{store: o.Store, end: o.CutOff},
	}, nil
}

// Enter looks at a request before the middleware of the sessions does. The function read returns
// the other library's session; it is called if the request has the old cookie and its session
// matters. An error of read must mean that it could not be read, and not that there is none: it
// makes Enter fail with a [core.ErrStore], as a failure of the store does. The response must then
// be an error; see [core.StatusCode].
func (b *Bridge) Enter(
	ctx context.Context, r *Request, read func(context.Context) (Old, error),
) (Entry, error) {
	o := &b.options
	hasOld, hasNew := r.has(o.Old.Name), b.hasTicket(r)
	if !time.Now().Before(o.CutOff) {
		return b.removing(hasOld), nil
	}
	switch {
	case hasOld && r.Why.WithoutLax() && !o.CrossSite:
		return Entry{}, nil
	case !hasOld && (!o.Shared || !hasNew || r.foreign()):
		return Entry{}, nil
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	v := visit{Bridge: b, request: r, read: func(ctx context.Context) (Old, error) {
		if !hasOld {
			return Old{}, nil
		}
		return readOld(ctx, read)
	}}
	if err := v.scope.Open(ctx, nil, o.Manager, r, r.Cookies...); err != nil {
		return Entry{}, err
	}
	session, err := v.scope.Load()
	switch {
	case err != nil:
		return Entry{}, err
	case session.Subject() == "":
		return v.anonymous(ctx)
	case o.Shared:
		return v.shared(ctx, session)
	}
	return v.delivered(ctx), nil
}

// hasTicket reports whether the request has a well-formed cookie of the new sessions.
func (b *Bridge) hasTicket(r *Request) bool {
	var tickets cookie.Tickets
	tickets.Find(b.options.Manager.CookieName(), r.Cookies)
	return tickets.Len() > 0
}

// removing returns an entry that removes the old cookie, if wanted.
func (b *Bridge) removing(wanted bool) Entry {
	if !wanted {
		return Entry{}
	}
	return Entry{SetCookie: []string{b.removal}}
}

var errNoID = errors.New("sessions: migrate: Old.ID is missing; pass the old session's id, " +
	"or the value of its cookie")

func readOld(ctx context.Context, read func(context.Context) (Old, error)) (Old, error) {
	old, err := read(ctx)
	switch {
	case err != nil:
		return Old{}, failed("reading the old session", err)
	case old.User != "" && old.ID == "":
		return Old{}, errNoID
	}
	return old, nil
}

// visit is a request with an old cookie, or one that should have it.
type visit struct {
	*Bridge
	request *Request
	read    func(context.Context) (Old, error)
	scope   core.Scope
}

// delivered answers a request that is signed in by the new cookie: the browser has it, so the old
// session has done its duty. If the old library fails, the next request tries again.
func (v *visit) delivered(ctx context.Context) Entry {
	old, err := v.read(ctx)
	if err == nil && old.User != "" {
		err = v.claims.deliver(ctx, old.ID)
	}
	if err != nil || old.End != nil && old.End(ctx) != nil {
		return Entry{}
	}
	return v.removing(true)
}

// providerSession is what the login of a session that came from an old one states, so that the
// session can be told from others.
const providerSession = "migrate:"

// shared answers a request that is signed in by the new cookie while the old library is in use. A
// session that came from an old one ends when that has ended.
func (v *visit) shared(ctx context.Context, s *core.Session) (Entry, error) {
	old, err := v.read(ctx)
	if err != nil {
		return Entry{}, err
	}
	from, bound := strings.CutPrefix(s.Auth().ProviderSession, providerSession)
	if bound && old.User != s.Subject() {
		s.Destroy()
		reply, err := v.scope.CommitHeader()
		return Entry{SetCookie: append(reply.FormerCookies, reply.SetCookie)}, err
	}
	if old.User != "" && claimName(old.ID) != from {
		// The next request after a logout must not be signed in by it.
		err = v.claims.spend(ctx, old.ID)
	}
	return Entry{manager: v.options.Manager, end: old.End}, err
}

// anonymous answers a request that nobody is signed in to here.
func (v *visit) anonymous(ctx context.Context) (Entry, error) {
	old, err := v.read(ctx)
	switch {
	case err != nil:
		return Entry{}, err
	case old.User == "":
		return v.nobody(ctx, old.ID)
	}
	ticket, made, err := v.claims.take(ctx, old.ID, func() (attempt, error) {
		return v.signIn(&old)
	})
	switch {
	case made && (errors.Is(err, core.ErrGone) || errors.Is(err, core.ErrStaleProof)):
		return v.removing(!v.options.Shared), nil // Revoked, or older than Lifetime.
	case errors.Is(err, core.ErrLimit):
		return Entry{}, nil // The user has to choose, at a login.
	case errors.Is(err, errSpent):
		return v.ended(ctx, &old), nil
	case err != nil:
		return Entry{}, err
	}
	return v.joined(ctx, &old, ticket, made)
}

// nobody answers a request that nobody is signed in to, neither here nor there. If the old session
// has ended here, its id must not be that of the next one: some libraries take it from the cookie.
func (v *visit) nobody(ctx context.Context, id string) (Entry, error) {
	if !v.options.Shared || id == "" {
		return Entry{}, nil
	}
	_, claimed, err := v.claims.look(ctx, id)
	if err != nil && !errors.Is(err, errSpent) {
		return Entry{}, err
	}
	return v.removing(claimed), nil
}

// signIn signs the user of the old session in, in the session of the request.
func (v *visit) signIn(old *Old) (attempt, error) {
	s, how := v.scope.Get(), old.Auth
	if how.At.IsZero() || how.At.After(time.Now()) {
		how.At = v.options.Undated
	}
	if v.options.Shared && how.ProviderSession == "" {
		how.ProviderSession = providerSession + claimName(old.ID)
	}
	if err := s.LoginWith(old.User, how); err != nil {
		return attempt{}, err
	}
	if old.Copy != nil {
		if err := old.Copy(s); err != nil {
			return attempt{}, err
		}
	}
	var value string
	err := v.scope.Commit(func(r *adapter.Reply) { value, _, _ = strings.Cut(r.SetCookie, ";") })
	return attempt{
		ticket: strings.TrimPrefix(value, v.options.Manager.CookieName()+"="),
		undo:   func(ctx context.Context) { _ = v.options.Manager.RevokeByID(ctx, s.ID()) },
	}, err
}

// joined gives the request the cookie of the session that the old one has become.
func (v *visit) joined(
	ctx context.Context, old *Old, ticket string, made bool,
) (Entry, error) {
	m := v.options.Manager
	name := m.CookieName()
	e := Entry{Cookie: v.request.with(name, ticket), manager: m, sends: true}
	if v.options.Shared {
		e.end = old.End
	}
	if made {
		return e, nil
	}
	var sc core.Scope
	if err := sc.Open(ctx, nil, m, v.request, name+"="+ticket); err != nil {
		return Entry{}, err
	}
	s, err := sc.Load()
	if err != nil || s.Subject() != "" {
		return e, err
	}
	if why, _ := s.Overtaken(); why == core.ReasonSignedIn || why == core.ReasonReplaced {
		return e, nil // The browser has a newer cookie than this request.
	}
	dead := v.ended(ctx, old)
	e.SetCookie = dead.SetCookie
	return e, nil
}

// ended answers a request whose old session has ended here, by a logout for instance. If the old
// session cannot be ended, its cookie stays, so that the next request tries again.
func (v *visit) ended(ctx context.Context, old *Old) Entry {
	return v.removing(old.End == nil || old.End(ctx) == nil)
}
