package adaptertest_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter"
	"github.com/cloakroom-go/sessions/core/adapter/httpwriter"
	"github.com/cloakroom-go/sessions/core/adaptertest"
)

// The tiny adapter is an adapter for bare net/http, in as few lines as the rules allow, with switches for faults.

// faults are the mistakes that the tiny adapter makes.
type faults struct {
	commitsLate     bool // the session is committed when the handler has returned
	losesOnFlush    bool // a flush sends the head without committing first
	sendsBody       bool // a failed commit does not keep the handler's body
	commitsOnPanic  bool
	anonymousOutage bool // a failed load is taken for a visitor without a session
	forgetsCaches   bool // Cache-Control and Vary are not set
	twoCookies      bool // Set-Cookie lines pile up
	dropsOnHangUp   bool // the save is not tried when the client has gone
	queryToken      bool // a token in the query is as good as the cookie
	firstLineOnly   bool // only the first Cookie line is read
	keepsFields     bool // a failed commit leaves the handler's fields
	anyManager      bool // mounts a manager that nobody has made
	committedTwice  bool // mounted twice it makes two sessions
	forgetsLate     bool // changes after the first byte are not saved

	removesOvertaken bool // a cookie that was overtaken is removed
	refusesOvertaken bool // so is the request, by an error
	skipsOvertaken   bool // or it is not committed, because it has no session
	sendsOnce        bool // a cookie that was sent is not sent again
	firstTokenOnly   bool // only the first of several session cookies is read
	forgetsFetch     bool // core is not told why the browser sends the request
	forgetsMethod    bool // core is told everything but the method
	forgetsFormer    bool // former cookies are not removed
	parsesLeniently  bool // cookies that were read before are read again from what was parsed
	forgetsPanic     bool // caches may keep the page of a panic
	forgetsLateReads bool // and what reads the session when the response has begun
	savesAgain       bool // the answer of a failed commit saves again
	oneOfTheName     bool // the application's cookies of the name are dropped, whatever their path

	returnsAnywhere bool // redirects after a login lead to any site
	outageSignsIn   bool // a failed load sends the user to sign in
	circles         bool // the guard does not see where it is
	forgetsOrigin   bool // requests from other origins pass
	forgetsToken    bool // so do those without a token
	tokenInURL      bool // a token in the query is as good as one in the form
	getSignsOut     bool // any method signs out
}

type mounted struct{ m *core.Manager }

type innermost struct{}

// seat is one manager's session in one request.
type seat struct {
	http.ResponseWriter
	faults
	ctx     context.Context //nolint:containedctx // a writer has nowhere else to take the request's context from
	manager *core.Manager
	scope   core.Scope
	outer   *seat
	request *http.Request
	begun   bool
	err     error
	status  int
	held    *httpwriter.Held
}

// Client implements [adapter.Client].
func (s *seat) Client() (ip, userAgent string) { return s.request.RemoteAddr, s.request.UserAgent() }

// Fetch implements [adapter.Client].
func (s *seat) Fetch() adapter.Fetch {
	method := s.request.Method
	if s.forgetsMethod {
		method = http.MethodGet
	}
	if s.forgetsFetch {
		return adapter.Fetch{}
	}
	return adapter.FetchOf(method, s.request.Header)
}

// overtaken reports whether the request's token was overtaken.
func (s *seat) overtaken() bool {
	session, err := s.scope.Load()
	if err != nil {
		return false
	}
	_, overtaken := session.Overtaken()
	return overtaken
}

func middleware(m *core.Manager, f faults, next http.Handler) http.Handler {
	if !f.anyManager {
		m.MustBeMade()
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		outer, _ := r.Context().Value(innermost{}).(*seat)
		for s := outer; s != nil; s = s.outer {
			if s.manager == m && !f.committedTwice {
				next.ServeHTTP(w, r)
				return
			}
			if s.manager.CookieName() == m.CookieName() && !f.committedTwice {
				panic("sessions: two managers use one cookie name")
			}
		}
		s := &seat{ResponseWriter: w, faults: f, manager: m, outer: outer, request: r}
		if err := s.open(r.Context(), f.cookies(r)...); err != nil {
			s.refuse(err)
			return
		}
		if s.refusesOvertaken && s.overtaken() {
			s.refuse(core.ErrGone)
			return
		}
		if s.removesOvertaken && s.overtaken() {
			w.Header().Set("Set-Cookie", m.CookieName()+"=; Path=/; Max-Age=0")
		}
		s.ctx = context.WithValue(context.WithValue(r.Context(), innermost{}, s), mounted{m}, s)
		s.serve(next, r.WithContext(s.ctx)) //nolint:contextcheck // derived from the request's above
	})
}

func (f *faults) cookies(r *http.Request) []string {
	fields := r.Header["Cookie"]
	if f.firstLineOnly && len(fields) > 1 {
		fields = fields[:1]
	}
	if f.firstTokenOnly {
		first, _, _ := strings.Cut(strings.Join(fields, "; "), "; session=")
		fields = []string{first}
	}
	if token := r.URL.Query().Get("session"); token != "" && f.queryToken {
		fields = append(fields, "session="+token)
	}
	return fields
}

func (s *seat) open(ctx context.Context, cookieFields ...string) error {
	err := s.scope.Open(ctx, nil, s.manager, s, cookieFields...)
	if err != nil && s.anonymousOutage {
		s.scope = core.Scope{}
		return s.scope.Open(ctx, nil, s.manager, s)
	}
	return err
}

func (s *seat) serve(next http.Handler, r *http.Request) {
	if s.commitsOnPanic {
		defer func() { _ = s.commit() }()
	}
	returned := false
	defer func() {
		if !returned && !s.forgetsPanic && !s.commitsOnPanic {
			reply := s.scope.Panicked()
			s.apply(&reply)
		}
	}()
	next.ServeHTTP(s, r)
	returned = true
	late := s.begun
	if s.held != nil && !s.held.Released() {
		s.begun, s.err = true, s.held.Release(false)
	}
	if err := s.commit(); err != nil {
		s.refuse(err)
		return
	}
	if late && !s.forgetsLate {
		_ = s.scope.Close()
	}
}

func (s *seat) commit() error { return s.commitFor(http.StatusOK) }

func (s *seat) commitFor(status int) error {
	if s.begun {
		return s.err
	}
	s.begun = true
	if s.err = s.ctx.Err(); s.err != nil && s.dropsOnHangUp {
		return s.err
	}
	if s.skipsOvertaken && s.overtaken() {
		return nil
	}
	reply, err := s.scope.Leave(status)
	if s.savesAgain {
		reply, err = s.scope.CommitHeader()
	}
	if s.err = err; err == nil {
		s.apply(&reply)
	}
	return err
}

// sentCookies are those that the fault sendsOnce has sent.
var sentCookies sync.Map //nolint:gochecknoglobals // It is part of the fault.

func (s *seat) apply(reply *adapter.Reply) {
	if s.forgetsCaches {
		reply.Private = false
	}
	if s.forgetsFormer {
		reply.FormerCookies = nil
	}
	if s.oneOfTheName && reply.SetCookie != "" {
		s.Header().Del("Set-Cookie")
	}
	if s.sendsOnce && reply.SetCookie != "" {
		if _, sent := sentCookies.LoadOrStore(reply.SetCookie, true); sent {
			reply.SetCookie = ""
		}
	}
	if s.twoCookies && reply.SetCookie != "" {
		s.Header().Add("Set-Cookie", reply.SetCookie)
		reply.SetCookie = ""
	}
	reply.Apply(s.Header())
}

// refuse answers an error unless something has gone out.
func (s *seat) refuse(err error) {
	if s.status != 0 {
		return
	}
	for _, field := range adapter.ContentFields() {
		if !s.keepsFields {
			s.Header().Del(field)
		}
	}
	s.Header().Set("Cache-Control", "no-store")
	s.status = core.StatusCode(err)
	http.Error(s.ResponseWriter, http.StatusText(s.status), s.status)
}

// before commits ahead of the first byte, unless that is the fault.
func (s *seat) before(status int) error {
	if s.commitsLate {
		return nil
	}
	if err := s.commitFor(status); err != nil && !s.sendsBody {
		return err
	}
	return nil
}

// hold returns the writer that holds the response back, or nil if there is no need to.
func (s *seat) hold() *httpwriter.Held {
	if s.held == nil && !s.begun && !s.forgetsLateReads && !s.commitsLate {
		s.held = httpwriter.Hold(s.ResponseWriter, &s.scope)
	}
	return s.held
}

func (s *seat) WriteHeader(code int) {
	if code >= 100 && code < 199 && code != http.StatusSwitchingProtocols {
		s.ResponseWriter.WriteHeader(code)
		return
	}
	if h := s.hold(); h != nil {
		h.WriteHeader(code)
		return
	}
	if s.before(code) == nil && s.status == 0 {
		s.status = code
		s.ResponseWriter.WriteHeader(code)
	}
}

func (s *seat) Write(b []byte) (int, error) {
	if h := s.hold(); h != nil {
		return h.Write(b)
	}
	if err := s.before(max(s.status, http.StatusOK)); err != nil {
		return 0, err
	}
	s.WriteHeader(http.StatusOK)
	return s.ResponseWriter.Write(b)
}

func (s *seat) FlushError() error {
	if s.held != nil {
		return s.held.FlushError()
	}
	if !s.begun && !s.forgetsLateReads {
		s.scope.ExpectUse()
	}
	if !s.losesOnFlush {
		if err := s.before(http.StatusOK); err != nil {
			s.refuse(err)
			return err
		}
	}
	return http.NewResponseController(s.ResponseWriter).Flush()
}

func (s *seat) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if !s.begun {
		s.begun, s.err = true, s.scope.HeaderSent()
	}
	if s.err != nil {
		return nil, nil, s.err
	}
	s.status = http.StatusSwitchingProtocols
	return http.NewResponseController(s.ResponseWriter).Hijack()
}

func find(r *http.Request, key any) *seat {
	s, ok := r.Context().Value(key).(*seat)
	if ok {
		return s
	}
	if r.Context().Value(innermost{}) != nil {
		panic("sessions: no session of this manager; mount it, because another manager is mounted")
	}
	panic("sessions: no session in this request; mount the middleware in front of the handler, or call Lookup")
}

// request is the suite's view of one request under net/http.
type request struct {
	w http.ResponseWriter
	r *http.Request
	f faults
}

func (c request) get(key any) *core.Session {
	return find(c.r, key).scope.Get()
}

func (c request) Get() *core.Session                    { return c.get(innermost{}) }
func (c request) GetFrom(m *core.Manager) *core.Session { return c.get(mounted{m}) }

func (c request) Load() (*core.Session, error) {
	return find(c.r, innermost{}).scope.Load()
}

func (c request) Lookup() (*core.Session, bool) {
	s, ok := c.r.Context().Value(innermost{}).(*seat)
	if !ok {
		return nil, false
	}
	return s.scope.Lookup()
}

func (c request) Commit() error {
	for s := find(c.r, innermost{}); s != nil; s = s.outer {
		if err := s.scope.Commit(s.apply); err != nil {
			return err
		}
	}
	return nil
}

func (c request) Context() context.Context     { return c.r.Context() }
func (c request) Query(name string) string     { return c.r.URL.Query().Get(name) }
func (c request) Header(name string) string    { return c.r.Header.Get(name) }
func (c request) SetHeader(name, value string) { c.w.Header().Set(name, value) }
func (c request) AddHeader(name, value string) { c.w.Header().Add(name, value) }

func (c request) Body(status int, body string) error {
	c.w.WriteHeader(status)
	_, err := io.WriteString(c.w, body)
	return err
}

func (c request) Status(status int) error {
	c.w.WriteHeader(status)
	return nil
}

func (c request) Redirect(status int, target string) error {
	http.Redirect(c.w, c.r, target, status)
	return nil
}

func (c request) EarlyHints() error { return c.Status(http.StatusEarlyHints) }

func (c request) Stream(write func(w adaptertest.Flusher)) error {
	write(stream{c.w, http.NewResponseController(c.w)})
	return nil
}

func (c request) Upgrade(talk func(conn net.Conn)) error { return adaptertest.Upgrade(c.w, talk) }

type statusError int

func (s statusError) Error() string { return http.StatusText(int(s)) }

func (c request) Fail(status int) error { return statusError(status) }

type stream struct {
	io.Writer
	*http.ResponseController
}

// tiny returns the tiny adapter with faults.
func tiny(f faults) adaptertest.Server {
	return adaptertest.Server{Start: func(t *testing.T, app adaptertest.App) string {
		t.Helper()
		return serve(t, recovering(application(app, f)))
	}}
}

// tinyThatTells returns the tiny adapter with faults, on a server that tells the suite when it has nothing left to do.
func tinyThatTells(f faults) adaptertest.Server {
	var requests atomic.Int64
	server := adaptertest.Server{Start: func(t *testing.T, app adaptertest.App) string {
		t.Helper()
		h := recovering(application(app, f))
		return serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests.Add(1)
			defer requests.Add(-1)
			h.ServeHTTP(w, r)
		}))
	}}
	return adaptertest.WithIdle(server, func() bool { return requests.Load() == 0 })
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

func application(app adaptertest.App, f faults) http.Handler {
	engine, group := http.NewServeMux(), http.NewServeMux()
	for _, route := range app.Routes {
		mux := engine
		if strings.HasPrefix(route.Path, "/group/") {
			mux = group
		}
		mux.Handle(route.Method+" "+route.Path, guarded(route, handler(failing(route.Handler, app.Failed), f), f))
	}
	if app.NotFound != nil {
		engine.Handle("/", handler(app.NotFound, f))
	}
	engine.Handle("/group/", wrap(app.Group, f, group))
	if !app.ReadCookies {
		return wrap(app.Engine, f, engine)
	}
	return readCookies(wrap(app.Engine, f, engine), f)
}

// readCookies is middleware that reads the cookies, and stores them as it has parsed them if that is the fault.
func readCookies(next http.Handler, f faults) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if read := r.Cookies(); f.parsesLeniently {
			r.Header.Del("Cookie")
			for _, cookie := range read {
				r.Header.Add("Cookie", cookie.Name+"="+cookie.Value)
			}
		}
		next.ServeHTTP(w, r)
	})
}

func wrap(managers []*core.Manager, f faults, h http.Handler) http.Handler {
	for i := range managers {
		h = middleware(managers[len(managers)-1-i], f, h)
	}
	return h
}

// failing has failed answer the errors of h, if it is not nil.
func failing(h adaptertest.Handler, failed func(adaptertest.Context, int) error) adaptertest.Handler {
	return func(c adaptertest.Context) error {
		err := h(c)
		var status statusError
		if failed != nil && errors.As(err, &status) {
			return failed(c, int(status))
		}
		return err
	}
}

// handler runs a handler of the suite, and is net/http's missing error handler.
func handler(h adaptertest.Handler, f faults) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := h(request{w, r, f})
		if err == nil {
			return
		}
		status := statusError(core.StatusCode(err))
		errors.As(err, &status)
		http.Error(w, status.Error(), int(status))
	})
}

func recovering(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if recover() != nil {
				w.WriteHeader(http.StatusInternalServerError)
			}
		}()
		next.ServeHTTP(w, r)
	})
}
