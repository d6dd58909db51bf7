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

// timeout bounds each load and each commit while servers are broken.
const timeout = 2 * time.Second

// newManager makes a manager as an application does. The grace outlasts every fault, because a browser learns of its new
// secret only from an answer that arrives.
func newManager(s store.Store, at Place, timeout time.Duration) (*core.Manager, error) {
	return core.NewManager(core.Options{
		Store: s, Prefix: at.Prefix, MaxSessions: at.MaxSessions, OnLimit: at.OnLimit, StoreTimeout: timeout, Grace: 10 * time.Minute,
		PurgeInterval: time.Second, Logger: slog.New(slog.DiscardHandler),
	})
}

// Deed is what a handler does with the session. It has a name, so that another process can be asked for it.
type Deed struct {
	Do   string
	Text string // the name of a key or of a user, where Do needs one
}

// The things that a Deed can do.
const (
	doRead   = "read"
	doCount  = "count"  // one more in the counter, and in the one that Text names
	doMark   = "mark"   // set the key Text
	doRenew  = "renew"  // a new secret
	doLogin  = "login"  // sign Text in
	doLogout = "logout" // end the session
)

// counter is counted up by doCount.
const counter = core.Key[int]("counter")

// act is the handler.
func (d Deed) act(s *core.Session) error {
	switch d.Do {
	case doCount:
		counter.Update(s, increment)
		if d.Text != "" {
			core.Key[int](d.Text).Update(s, increment)
		}
	case doMark:
		return s.Set(d.Text, 1)
	case doRenew:
		return s.Renew()
	case doLogin:
		return s.Login(d.Text)
	case doLogout:
		s.Destroy()
	default:
		counter.Get(s)
	}
	return nil
}

func increment(n int) int { return n + 1 }

// writes returns every deed that changes a session.
func writes() []Deed {
	return []Deed{{doCount, "own"}, {doMark, "late"}, {Do: doRenew}, {doLogin, "mallory"}, {Do: doLogout}}
}

// arrive begins a request, as an adapter does.
func arrive(ctx context.Context, m *core.Manager, cookie string) (*core.Scope, error) {
	sc := new(core.Scope)
	err := sc.Open(ctx, nil, m, nil, cookie)
	return sc, err
}

// leave ends a request, as an adapter does, and returns the Set-Cookie value.
func leave(sc *core.Scope) (setCookie string, err error) {
	header := make(map[string][]string)
	reply, err := sc.CommitHeader()
	reply.Apply(header)
	if err != nil {
		if len(header) > 0 {
			return "", errors.Join(errHeader, err)
		}
		return "", err
	}
	return strings.Join(header["Set-Cookie"], "\n"), sc.Close()
}

var errHeader = errors.New("faulttest: a commit that failed has put something into the header")

// outage reports whether err is what an application answers with 503, and nothing worse.
func outage(err error) bool {
	return err != nil && core.StatusCode(err) == 503 && !errors.Is(err, errHeader) && !errors.Is(err, core.ErrNotFound)
}

// browser keeps one cookie.
type browser struct {
	manager *core.Manager
	cookie  string // name=value, "" for none
}

// visit is one whole request.
func (b *browser) visit(ctx context.Context, handler func(s *core.Session) error) error {
	sc, err := arrive(ctx, b.manager, b.cookie)
	if err != nil {
		return err
	}
	if err := handler(sc.Get()); err != nil {
		return err
	}
	setCookie, err := leave(sc)
	if err == nil {
		b.keep(setCookie)
	}
	return err
}

// keep does what browsers do with a Set-Cookie value.
func (b *browser) keep(setCookie string) {
	if setCookie == "" {
		return
	}
	b.cookie, _, _ = strings.Cut(setCookie, ";")
	if strings.HasSuffix(b.cookie, "=") {
		b.cookie = ""
	}
}
