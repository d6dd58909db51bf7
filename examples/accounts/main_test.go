package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/cloakroom-go/sessions/core/sessiontest"
	sessions "github.com/cloakroom-go/sessions/gin"
)

// device is a browser of somebody's.
type device struct {
	t       *testing.T
	app     *gin.Engine
	cookies map[string]string
	reply   *http.Response
	claims  string // what its requests say in X-Forwarded-For
}

func newDevice(t *testing.T, app *gin.Engine) *device {
	t.Helper()
	return &device{t: t, app: app, cookies: map[string]string{}}
}

// do sends a request and wants that status and that text.
func (d *device) do(method, path, form string, status int, text string) {
	d.t.Helper()
	if got, body := d.send(method, path, form); got != status || !strings.Contains(body, text) {
		d.t.Errorf("%s %s: %d %q, want %d with %q", method, path, got, body, status, text)
	}
}

func (d *device) send(method, path, form string) (status int, body string) {
	d.t.Helper()
	r := httptest.NewRequestWithContext(d.t.Context(), method, path, strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if d.claims != "" {
		r.Header.Set("X-Forwarded-For", d.claims)
	}
	for name, value := range d.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value}) //nolint:gosec // a request's cookie has no attributes
	}
	w := httptest.NewRecorder()
	d.app.ServeHTTP(w, r)
	d.reply = w.Result()
	for _, c := range d.reply.Cookies() {
		if d.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(d.cookies, c.Name)
		}
	}
	return w.Code, w.Body.String()
}

func (d *device) post(path, form string, status int, text string) {
	d.t.Helper()
	d.do(http.MethodPost, path, form, status, text)
}

func (d *device) get(path string, status int, text string) {
	d.t.Helper()
	d.do(http.MethodGet, path, "", status, text)
}

// setCookie returns what the last response set.
func (d *device) setCookie() string { return d.reply.Header.Get("Set-Cookie") }

func (d *device) login(user string, more ...string) {
	d.t.Helper()
	form := url.Values{"user": {user}, "password": {"open sesame"}}
	for _, field := range more {
		form.Set(field, "yes")
	}
	d.post("/login", form.Encode(), http.StatusOK, "signed in as "+user)
}

func start(t *testing.T) *gin.Engine {
	t.Helper()
	return startWith(t, nil)
}

// startWith starts the program with its policy on a store; nil is one in memory.
func startWith(t *testing.T, store sessions.Store) *gin.Engine {
	t.Helper()
	return startOptions(t, func(o *sessions.Options) { o.Store = store })
}

func startOptions(t *testing.T, change func(o *sessions.Options)) *gin.Engine {
	t.Helper()
	o := options()
	o.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	change(&o)
	m, err := sessions.NewManager(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // a bubble would wait for the purge
		if err := m.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return app(m)
}

func TestLoginAndLogout(t *testing.T) {
	t.Parallel()
	d := newDevice(t, start(t))
	d.get("/me", http.StatusUnauthorized, "please sign in")
	d.post("/login", "user=ann&password=guess", http.StatusUnauthorized, "wrong")
	d.login("ann")
	if cookie := d.setCookie(); strings.Contains(cookie, "Max-Age") {
		t.Errorf("not remembered, but %s", cookie)
	}
	d.get("/me", http.StatusOK, "ann, signed in for another 1h0m0s")
	old := d.cookies["session"]
	d.post("/logout", "", http.StatusOK, "signed out")
	d.cookies["session"] = old
	d.get("/me", http.StatusUnauthorized, "please sign in")
	d.login("ann", "remember")
	if cookie := d.setCookie(); !strings.Contains(cookie, "Max-Age=2592000") {
		t.Errorf("remembered, but %s", cookie)
	}
	d.get("/me", http.StatusOK, "ann, signed in for another 720h0m0s")
}

// TestRememberIsForOneLogin has nobody be remembered because of a login before: neither the next user of the browser nor
// the same one.
func TestRememberIsForOneLogin(t *testing.T) {
	t.Parallel()
	for _, next := range []string{"ann", "bob"} {
		d := newDevice(t, start(t))
		d.login("ann", "remember")
		d.get("/me", http.StatusOK, "ann, signed in for another 720h0m0s")
		d.login(next)
		if cookie := d.setCookie(); cookie == "" || strings.Contains(cookie, "Max-Age") || strings.Contains(cookie, "Expires") {
			t.Errorf("%s did not ask to be remembered, but %q", next, cookie)
		}
		d.get("/me", http.StatusOK, next+", signed in for another 1h0m0s")
	}
}

// TestParallelLogins has two requests of one browser sign in at once. Neither is lost: the same user has one session, which
// the cookies of both open, and another user has one of their own.
func TestParallelLogins(t *testing.T) {
	t.Parallel()
	for _, second := range []string{"ann", "bob"} {
		synctest.Test(t, func(t *testing.T) {
			store := sessiontest.NewStore(nil)
			fast := newDevice(t, startWith(t, store))
			fast.login("ann")
			slow := newDevice(t, fast.app)
			slow.cookies["session"] = fast.cookies["session"]
			store.Fail(sessiontest.Fault{On: sessiontest.Save, Times: 1, Delay: time.Second})
			var wg sync.WaitGroup
			wg.Go(func() { slow.post("/login", "user="+second+"&password=open+sesame", http.StatusOK, second) })
			synctest.Wait() // it waits for the store
			fast.login("ann")
			wg.Wait()
			slow.get("/me", http.StatusOK, second)
			if second == "ann" {
				fast.get("/me", http.StatusOK, "ann")
			}
		})
	}
}

func TestSupport(t *testing.T) {
	t.Parallel()
	d := newDevice(t, start(t))
	d.login("ann")
	d.post("/act-as", "user=bob", http.StatusForbidden, "not you")
	d.login("support")
	d.post("/act-as", "user=admin", http.StatusForbidden, "not you")
	d.post("/act-as", "user=ann", http.StatusOK, "acting for ann")
	d.get("/me", http.StatusOK, "support as ann")
	d.post("/stop-acting", "", http.StatusOK, "back as support")
	d.get("/me", http.StatusOK, "support, signed in")
	d.post("/stop-acting", "", http.StatusInternalServerError, "")
}

func TestLoginWhileTheStoreFails(t *testing.T) {
	t.Parallel()
	store := sessiontest.NewStore(nil)
	d := newDevice(t, startWith(t, store))
	store.Fail(sessiontest.Fault{On: sessiontest.Save})
	d.post("/login", "user=ann&password=open+sesame", http.StatusServiceUnavailable, "")
	if cookie := d.setCookie(); cookie != "" {
		t.Errorf("a login that failed set %s", cookie)
	}
	store.Heal()
	store.Fail(sessiontest.Fault{On: sessiontest.Save, Times: 1})
	d.post("/login", "user=ann&password=open+sesame", http.StatusServiceUnavailable, "")
	d.get("/me", http.StatusUnauthorized, "")
	d.login("ann")
}

// TestAddressIsTheConnections has a device write an address into its own requests. The page shows where it really is.
func TestAddressIsTheConnections(t *testing.T) {
	t.Parallel()
	d := newDevice(t, start(t))
	d.claims = "198.51.100.7"
	d.login("ann")
	d.get("/devices", http.StatusOK, " 192.0.2.1 ") // httptest's client
}

func TestStepUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDevice(t, start(t))
		d.login("ann")
		time.Sleep(6 * time.Minute)
		d.post("/password", "", http.StatusForbidden, "please confirm")
		d.post("/step-up", "code=1", http.StatusForbidden, "wrong code")
		d.post("/password", "", http.StatusForbidden, "please confirm")
		d.post("/step-up", "code=123456", http.StatusOK, "confirmed")
		d.post("/password", "", http.StatusOK, "password changed")
	})
}

func TestDevices(t *testing.T) {
	t.Parallel()
	app := start(t)
	phone, desk, bob := newDevice(t, app), newDevice(t, app), newDevice(t, app)
	phone.login("ann")
	desk.login("ann")
	bob.login("bob")
	ids := map[bool]string{}
	desk.get("/devices", http.StatusOK, "192.0.2.1") // httptest's client
	body := lines(t, app, desk)
	for _, line := range body {
		id, rest, _ := strings.Cut(line, " ")
		ids[strings.HasSuffix(rest, "(this device)")] = id
	}
	if len(body) != 2 || ids[true] == "" || ids[false] == "" {
		t.Fatalf("devices: %q", body)
	}
	bob.post("/devices/"+ids[false]+"/revoke", "", http.StatusNotFound, "no such device")
	desk.post("/devices/"+ids[false]+"/revoke", "", http.StatusOK, "signed out there")
	phone.get("/me", http.StatusUnauthorized, "please sign in")
	phone.login("ann")
	desk.post("/password", "", http.StatusOK, "other devices signed out")
	phone.get("/me", http.StatusUnauthorized, "please sign in")
	desk.get("/me", http.StatusOK, "ann")
	phone.login("ann")
	phone.post("/devices/revoke-others", "", http.StatusOK, "everywhere else")
	desk.get("/me", http.StatusUnauthorized, "please sign in")
	bob.get("/me", http.StatusOK, "bob")
}

// lines returns the lines of the devices page.
func lines(t *testing.T, app *gin.Engine, d *device) []string {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/devices", nil)
	r.AddCookie(&http.Cookie{Name: "session", Value: d.cookies["session"]}) //nolint:gosec // likewise
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	return strings.Split(strings.TrimSpace(w.Body.String()), "\n")
}

func TestLimit(t *testing.T) {
	t.Parallel()
	app := start(t)
	devices := make([]*device, 6)
	for i := range devices {
		devices[i] = newDevice(t, app)
		devices[i].login("ann")
	}
	devices[0].get("/me", http.StatusUnauthorized, "please sign in")
	for _, d := range devices[1:] {
		d.get("/me", http.StatusOK, "ann")
	}
}

// TestRefusedLogin has a user who is signed in on as many devices as allowed choose which one gives way.
func TestRefusedLogin(t *testing.T) {
	t.Parallel()
	app := startOptions(t, func(o *sessions.Options) { o.MaxSessions, o.OnLimit = 2, sessions.RefuseLogin })
	phone, desk, third, bob := newDevice(t, app), newDevice(t, app), newDevice(t, app), newDevice(t, app)
	phone.login("ann")
	desk.login("ann")
	bob.login("bob")
	_, bobs := bob.send(http.MethodGet, "/devices", "")
	login := "user=ann&password=open+sesame"
	third.post("/login", "user=ann&password=wrong", http.StatusUnauthorized, "wrong name or password")
	third.post("/login", login, http.StatusConflict, "which one gives way?")
	_, page := third.send(http.MethodPost, "/login", login)
	ids := strings.Split(strings.TrimSpace(page), "\n")[1:]
	if len(ids) != 2 {
		t.Fatalf("the page offers %q", page)
	}
	theirs, _, _ := strings.Cut(bobs, " ")
	third.post("/login", login+"&instead="+theirs, http.StatusConflict, "which one gives way?")
	phones := ""
	for _, line := range lines(t, app, phone) {
		if id, here := strings.CutSuffix(line, " (this device)"); here {
			phones, _, _ = strings.Cut(id, " ")
		}
	}
	third.post("/login", "user=ann&password=wrong&instead="+phones, http.StatusUnauthorized, "wrong")
	phone.get("/me", http.StatusOK, "ann")
	third.post("/login", login+"&instead="+phones, http.StatusOK, "signed in as ann")
	phone.get("/me", http.StatusUnauthorized, "please sign in")
	desk.get("/me", http.StatusOK, "ann")
	bob.get("/me", http.StatusOK, "bob")
}

// slowBody is the body of an upload during which something happens.
type slowBody struct{ meanwhile func() }

func (b *slowBody) Read([]byte) (int, error) {
	b.meanwhile()
	return 0, io.EOF
}

// TestUpload has a user signed out while a request of theirs takes its time.
func TestUpload(t *testing.T) {
	t.Parallel()
	app := start(t)
	d, other := newDevice(t, app), newDevice(t, app)
	d.login("ann")
	d.post("/upload", "12345", http.StatusOK, "5 bytes kept")
	body := &slowBody{func() {
		other.login("ann")
		other.post("/password", "", http.StatusOK, "other devices signed out")
	}}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/upload", body)
	r.AddCookie(&http.Cookie{Name: "session", Value: d.cookies["session"]}) //nolint:gosec // likewise
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	if w.Code != http.StatusConflict {
		t.Errorf("an upload of a user who is signed out meanwhile: %d %q", w.Code, w.Body)
	}
}

// TestOAuthState has eight requests redeem one state at the same time.
func TestOAuthState(t *testing.T) {
	t.Parallel()
	d := newDevice(t, start(t))
	_, state := d.send(http.MethodGet, "/connect", "")
	var accepted atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		tab := newDevice(t, d.app)
		tab.cookies["session"] = d.cookies["session"]
		all.Go(func() {
			if status, _ := tab.send(http.MethodGet, "/connected?state="+state, ""); status == http.StatusOK {
				accepted.Add(1)
			}
		})
	}
	all.Wait()
	if n := accepted.Load(); n != 1 {
		t.Errorf("the state was accepted %d times", n)
	}
}

// TestRefreshOnce has eight requests need a new access token at the same time.
func TestRefreshOnce(t *testing.T) {
	t.Parallel()
	d := newDevice(t, start(t))
	d.login("ann")
	var all sync.WaitGroup
	for range 8 {
		tab := newDevice(t, d.app)
		tab.cookies["session"] = d.cookies["session"]
		all.Go(func() { tab.get("/mail", http.StatusOK, "mail with token 1") })
	}
	all.Wait()
}

// TestClockKeepsNobodySignedIn polls once a minute for longer than the idle timeout.
func TestClockKeepsNobodySignedIn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice(t, start(t))
		d.login("ann")
		for range 59 {
			time.Sleep(time.Minute)
			d.get("/clock", http.StatusOK, "signed in for another")
		}
		time.Sleep(time.Minute)
		d.get("/clock", http.StatusUnauthorized, "")
	})
}
