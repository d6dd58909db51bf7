package faulttest

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/store"
)

// storeTimeout is the timeout of store calls while servers are broken.
const storeTimeout = 2 * time.Second

// newManager returns a manager as an application uses it. The grace is longer than every
// fault, because a browser does not get its new secret until a response arrives.
func newManager(s store.Store, config AppConfig, timeout time.Duration) (*core.Manager, error) {
	return core.NewManager(core.Options{
		Store: s, Prefix: config.Prefix, MaxSessions: config.MaxSessions, OnLimit: config.OnLimit,
		StoreTimeout: timeout, Grace: 10 * time.Minute, PurgeInterval: time.Second,
		Logger: slog.New(slog.DiscardHandler),
	})
}

// Action is what a handler does with the session. It is sent to other processes by its name.
type Action struct {
	Name string
	Text string // a key or a user, if the action needs one
}

// The names of actions.
const (
	actionRead   = "read"
	actionCount  = "count"  // increment the counter, and the one with the key Text if that is set
	actionMark   = "mark"   // set the key Text
	actionTake   = "take"   // take the value under the key Text once, and count that
	actionRenew  = "renew"  // renew the secret
	actionLogin  = "login"  // log in the user Text
	actionLogout = "logout" // destroy the session
)

// counter is the key that actionCount increments.
const counter = core.Key[int]("counter")

// do performs the action.
func (a Action) do(s *core.Session) error {
	switch a.Name {
	case actionCount:
		counter.Update(s, increment)
		if a.Text != "" {
			core.Key[int](a.Text).Update(s, increment)
		}
	case actionMark:
		return s.Set(a.Text, 1)
	case actionTake:
		_, ok, err := core.Key[int](a.Text).TakeOnce(context.Background(), s)
		if ok {
			counter.Update(s, increment)
		}
		return err
	case actionRenew:
		return s.Renew()
	case actionLogin:
		return s.Login(a.Text)
	case actionLogout:
		s.Destroy()
	default:
		counter.Get(s)
	}
	return nil
}

func increment(n int) int { return n + 1 }

// writeActions returns every kind of action that changes a session.
func writeActions() []Action {
	return []Action{
		{actionCount, "own"},
		{actionMark, "late"},
		{Name: actionRenew},
		{actionLogin, "mallory"},
		{Name: actionLogout},
	}
}

// beginRequest begins a request, as an adapter does.
func beginRequest(ctx context.Context, m *core.Manager, cookie string) (*core.Scope, error) {
	sc := new(core.Scope)
	err := sc.Open(ctx, nil, m, nil, cookie)
	return sc, err
}

// endRequest ends a request, as an adapter does, and returns the Set-Cookie value.
func endRequest(sc *core.Scope) (setCookie string, err error) {
	header := make(map[string][]string)
	reply, err := sc.CommitHeader()
	reply.Apply(header)
	if err != nil {
		if len(header) > 0 {
			return "", errors.Join(errHeaderSet, err)
		}
		return "", err
	}
	return strings.Join(header["Set-Cookie"], "\n"), sc.Close()
}

var errHeaderSet = errors.New("faulttest: a commit that failed has put something into the header")

// isUnavailable reports whether an application responds to err with status 503, and whether
// err is acceptable during an outage.
func isUnavailable(err error) bool {
	return err != nil && core.StatusCode(err) == 503 &&
		!errors.Is(err, errHeaderSet) && !errors.Is(err, core.ErrNotFound)
}

// browser sends requests to a manager and keeps one cookie.
type browser struct {
	manager *core.Manager
	cookie  string // name=value, or "" if there is none
}

// visit sends a request to a handler.
func (b *browser) visit(ctx context.Context, handler func(s *core.Session) error) error {
	sc, err := beginRequest(ctx, b.manager, b.cookie)
	if err != nil {
		return err
	}
	if err := handler(sc.Get()); err != nil {
		return err
	}
	setCookie, err := endRequest(sc)
	if err == nil {
		b.storeCookie(setCookie)
	}
	return err
}

// storeCookie stores or removes the cookie, as browsers do with a Set-Cookie value.
func (b *browser) storeCookie(setCookie string) {
	if setCookie == "" {
		return
	}
	b.cookie, _, _ = strings.Cut(setCookie, ";")
	if strings.HasSuffix(b.cookie, "=") {
		b.cookie = ""
	}
}
