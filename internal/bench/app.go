package bench

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"

	"github.com/valyala/fasthttp"
)

// okBody is the response body of every action but actionCounter.
const okBody = "ok"

// app is an application that performs actions. It has one of the two handlers.
type app struct {
	http    http.Handler
	fast    fasthttp.RequestHandler
	closers []func()

	// alwaysSaves means that the library stores a session for each visitor, even if no handler
	// uses it.
	alwaysSaves bool
}

func (a *app) close() {
	for _, c := range a.closers {
		c()
	}
}

// requester returns a requester for an action.
func (a *app) requester(ctx context.Context, do action) requester {
	if a.fast != nil {
		return newFasthttpRequester(a.fast, do)
	}
	return newHTTPRequester(ctx, a.http, do)
}

// connectedRequester is like requester, but the requests arrive on a connection, as they do in a
// server: an adapter may ask it whether it is open. It is closed with the app.
func (a *app) connectedRequester(ctx context.Context, do action) (requester, error) {
	r := a.requester(ctx, do)
	if f, ok := r.(*fasthttpRequester); ok {
		conn, err := (&net.Dialer{}).DialContext(ctx, "udp", "127.0.0.1:9") // sends nothing
		if err != nil {
			return nil, err
		}
		a.closers = append(a.closers, func() { _ = conn.Close() })
		f.connect(conn)
	}
	return r, nil
}

// visit sends one request. It returns the cookie to send next and the response body.
func (a *app) visit(ctx context.Context, do action, cookie string) (next, body string, err error) {
	r := a.requester(ctx, do)
	r.setCookie(cookie)
	if status := r.send(); status != http.StatusOK {
		return "", "", fmt.Errorf("%s: status %d %s", do.path(), status, r.responseBody())
	}
	if set := r.responseCookie(); set != "" {
		cookie = set
	}
	return cookie, r.responseBody(), nil
}

// startSession starts a session with the payload and returns its cookie.
func (a *app) startSession(ctx context.Context) (cookie string, err error) {
	cookie, _, err = a.visit(ctx, actionStart, "")
	return cookie, err
}

// counter returns the counter in the session of a cookie.
func (a *app) counter(ctx context.Context, cookie string) (int, error) {
	_, body, err := a.visit(ctx, actionCounter, cookie)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(body)
}

// verify checks that the app keeps sessions apart, changes and stores them, and creates none
// unless a handler writes or the app always saves.
func (a *app) verify(ctx context.Context) error {
	var cookies [2]string
	for i := range cookies {
		cookie, err := a.startSession(ctx)
		if err != nil {
			return err
		}
		cookies[i] = cookie
	}
	for range 2 {
		next, _, err := a.visit(ctx, actionChange, cookies[1])
		if err != nil {
			return err
		}
		cookies[1] = next
	}
	for i, want := range []int{1, 3} {
		if err := a.expect(ctx, cookies[i], want); err != nil {
			return err
		}
	}
	return a.verifyNewSession(ctx)
}

func (a *app) verifyNewSession(ctx context.Context) error {
	cookie, _, err := a.visit(ctx, actionCreate, "")
	if err != nil {
		return err
	}
	if err := a.expect(ctx, cookie, 1); err != nil {
		return err
	}
	set, _, err := a.visit(ctx, actionIdle, "")
	if err != nil {
		return err
	}
	if err := a.expectUntouched(set); err != nil {
		return err
	}
	if _, _, err := a.visit(ctx, actionIdle, cookie); err != nil {
		return err
	}
	if _, err := a.counter(ctx, ""); err == nil {
		return fmt.Errorf("there is a counter without a cookie: %w", errNotLoaded)
	}
	return a.expect(ctx, cookie, 1)
}

// expectUntouched returns an error unless the cookie set by a response is right for a visitor
// whose session no handler has used.
func (a *app) expectUntouched(set string) error {
	if (set != "") != a.alwaysSaves {
		return fmt.Errorf("an untouched session sets the cookie %q", set)
	}
	return nil
}

// expect returns an error unless the counter in the session of a cookie is want.
func (a *app) expect(ctx context.Context, cookie string, want int) error {
	got, err := a.counter(ctx, cookie)
	if err == nil && got != want {
		err = fmt.Errorf("the counter is %d, not %d", got, want)
	}
	return err
}
