package bench

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/valyala/fasthttp"
)

// okBody answers every action but value.
const okBody = "ok"

// site is an application that carries out actions, with one of the two handlers.
type site struct {
	http http.Handler
	fast fasthttp.RequestHandler
	end  []func() // what to close
}

func (s *site) close() {
	for _, end := range s.end {
		end()
	}
}

// exchange returns a request for an action.
func (s *site) exchange(ctx context.Context, a action) exchange {
	if s.fast != nil {
		return newFastExchange(s.fast, a)
	}
	return newHTTPExchange(ctx, s.http, a)
}

// visit sends one request and returns the cookie to go on with.
func (s *site) visit(ctx context.Context, a action, cookie string) (next, body string, err error) {
	x := s.exchange(ctx, a)
	x.carry(cookie)
	if status := x.send(); status != http.StatusOK {
		return "", "", fmt.Errorf("%s: status %d %s", a.path(), status, x.body())
	}
	if set := x.cookie(); set != "" {
		cookie = set
	}
	return cookie, x.body(), nil
}

// open starts a session and returns its cookie.
func (s *site) open(ctx context.Context) (string, error) {
	cookie, _, err := s.visit(ctx, start, "")
	return cookie, err
}

// counter returns what the session of a cookie has counted.
func (s *site) counter(ctx context.Context, cookie string) (int, error) {
	_, body, err := s.visit(ctx, value, cookie)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(body)
}

// prove shows that the site keeps sessions apart, changes them, stores them, and makes none that nobody asked for.
func (s *site) prove(ctx context.Context) error {
	var cookies [2]string
	for i := range cookies {
		cookie, err := s.open(ctx)
		if err != nil {
			return err
		}
		cookies[i] = cookie
	}
	for range 2 {
		next, _, err := s.visit(ctx, change, cookies[1])
		if err != nil {
			return err
		}
		cookies[1] = next
	}
	for i, want := range []int{1, 3} {
		if err := s.expect(ctx, cookies[i], want); err != nil {
			return err
		}
	}
	return s.proveNew(ctx)
}

func (s *site) proveNew(ctx context.Context) error {
	cookie, _, err := s.visit(ctx, create, "")
	if err != nil {
		return err
	}
	if err := s.expect(ctx, cookie, 1); err != nil {
		return err
	}
	switch set, _, err := s.visit(ctx, idle, ""); {
	case err != nil:
		return err
	case set != "":
		return fmt.Errorf("an untouched session sets the cookie %q", set)
	}
	if _, _, err := s.visit(ctx, idle, cookie); err != nil {
		return err
	}
	if _, err := s.counter(ctx, ""); err == nil {
		return fmt.Errorf("there is a counter without a cookie: %w", errNotLoaded)
	}
	return s.expect(ctx, cookie, 1)
}

// expect fails unless the session of a cookie has counted so far.
func (s *site) expect(ctx context.Context, cookie string, want int) error {
	got, err := s.counter(ctx, cookie)
	if err == nil && got != want {
		err = fmt.Errorf("the counter is %d, not %d", got, want)
	}
	return err
}
