package core

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/cloakroom-go/sessions/core/adapter"
	"github.com/cloakroom-go/sessions/core/internal/record"
)

// The device is recorded at the login. Requests after it do not ask for it.
func TestDeviceIsRecordedAtLogin(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store}))
		v := &sender{ip: "192.0.2.7", agent: "Mozilla/5.0"}
		c.requestFrom(v, signInAs(t, "ann"))
		equal(t, "asked at the login", v.asked, 1)
		info := c.info()
		equal(t, "IP", info.IP, "192.0.2.7")
		equal(t, "user agent", info.UserAgent, "Mozilla/5.0")
		moved := &sender{ip: "192.0.2.8", agent: "Mozilla/6.0"}
		for range 10 {
			c.requestFrom(moved, read)
			c.requestFrom(moved, increment)
			c.requestFrom(moved, renew)
		}
		equal(t, "asked with the requests after it", moved.asked, 0)
		equal(t, "IP after them", c.info().IP, "192.0.2.7")
		c.requestFrom(moved, func(s *Session) { want(t, s.StepUp(Auth{Level: 2}), nil) })
		equal(t, "asked at the step-up", moved.asked, 1)
		equal(t, "IP after the step-up", c.info().IP, "192.0.2.8")
	})
}

// A touch records the device. If it has not changed, the touch does not rewrite the record.
func TestDeviceIsRefreshedWithATouch(t *testing.T) {
	t.Parallel()
	inBubble(t, newTouchSpy, func(t *testing.T, store touchSpy) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store, Expiry: 10 * time.Hour}))
		v := &sender{ip: "192.0.2.7", agent: "Mozilla/5.0"}
		c.requestFrom(v, signInAs(t, "ann"))
		store.reset()
		time.Sleep(time.Hour)
		c.requestFrom(v, read)
		c.requestFrom(v, read)
		equal(t, "asked", v.asked, 2)
		equal(t, "touches", store.count("touch"), 1)
		equal(t, "saves", store.count("save"), 0)
		v.ip, v.agent = "192.0.2.8", "Mozilla/6.0"
		time.Sleep(time.Hour)
		c.requestFrom(v, read)
		c.requestFrom(v, read)
		equal(t, "asked", v.asked, 3)
		equal(t, "touches", store.count("touch"), 1)
		equal(t, "saves", store.count("save"), 1)
		equal(t, "IP", c.info().IP, "192.0.2.8")
		equal(t, "user agent", c.info().UserAgent, "Mozilla/6.0")
		// A write at the time of a touch records the device as well.
		v.ip = "192.0.2.9"
		time.Sleep(time.Hour)
		c.requestFrom(v, increment)
		equal(t, "saves", store.count("save"), 2)
		equal(t, "IP", c.info().IP, "192.0.2.9")
		// If nobody can be asked, the record keeps the device.
		time.Sleep(time.Hour)
		c.request(read)
		equal(t, "IP after a touch from nowhere", c.info().IP, "192.0.2.9")
		equal(t, "last seen", c.info().LastSeen.Equal(time.Now()), true)
	})
}

// A request asks once for the device, even if it commits several times.
func TestDeviceIsAskedOncePerRequest(t *testing.T) {
	t.Parallel()
	m := newTestManager(t, Options{})
	v := &sender{ip: "192.0.2.7"}
	sc := new(Scope)
	want(t, sc.Open(t.Context(), nil, m, v), nil)
	for range 3 {
		want(t, sc.Get().Login("ann"), nil)
		want(t, sc.Commit(func(*adapter.Reply) {}), nil)
	}
	_, err := sc.CommitHeader()
	want(t, err, nil)
	equal(t, "asked", v.asked, 1)
	// After the response has begun, the framework may reuse the client.
	sc = new(Scope)
	v.asked = 0
	want(t, sc.Open(t.Context(), nil, m, v), nil)
	_, err = sc.CommitHeader()
	want(t, err, nil)
	want(t, sc.Get().Login("ann"), ErrLate)
	want(t, sc.Close(), nil)
	want(t, sc.Commit(func(*adapter.Reply) {}), nil)
	equal(t, "asked after the response has begun", v.asked, 0)
}

// sessionSender is a client that reads the session to answer, as an application's own way to
// find an address may.
type sessionSender struct{ s *Session }

func (*sessionSender) Fetch() adapter.Fetch { return adapter.Fetch{} }

func (p *sessionSender) Client() (ip, userAgent string) { return p.s.Subject(), "" }

func TestClientMayUseTheSession(t *testing.T) {
	t.Parallel()
	sc, p := new(Scope), new(sessionSender)
	want(t, sc.Open(t.Context(), nil, newTestManager(t, Options{}), p), nil)
	p.s = sc.Get()
	want(t, p.s.Login("ann"), nil)
	done := make(chan error)
	go func() { _, err := sc.CommitHeader(); done <- err }()
	select {
	case err := <-done:
		want(t, err, nil)
	case <-time.After(10 * time.Second):
		t.Fatal("Finish hangs")
	}
}

func TestNoDevice(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		v := &sender{ip: "192.0.2.7", agent: "Mozilla/5.0"}
		writes, touches := newClient(t, newTestManager(t, Options{Store: store})), newClient(t, nil)
		touches.m = writes.m
		for _, c := range []*client{writes, touches} {
			c.requestFrom(v, func(s *Session) { want(t, s.LoginWith("ann", Auth{Level: 2}), nil) })
		}
		asked := v.asked
		m := newTestManager(t, Options{Store: store, NoDevice: true})
		writes.m, touches.m = m, m
		kept := func(c *client) record.Device { return c.load().snap.Identity().Account.Device() }
		equal(t, "what a list shows of before", writes.info().IP+writes.info().UserAgent, "")
		writes.requestFrom(v, increment)
		equal(t, "kept after a write", kept(writes), record.Device{})
		time.Sleep(5 * 24 * time.Hour)
		touches.requestFrom(v, read)
		equal(t, "kept after a touch", kept(touches), record.Device{})
		wantAuth(t, "the rest of the account stays", touches.load().Auth(), 2)
		writes.requestFrom(v, signInAs(t, "ann"))
		equal(t, "kept after a login", kept(writes), record.Device{})
		equal(t, "asked", v.asked, asked)
	})
}

func TestAnonymousSessionsHaveNoDevice(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store}))
		v := &sender{ip: "192.0.2.7", agent: "Mozilla/5.0"}
		c.requestFrom(v, set(t, 1))
		time.Sleep(10 * 24 * time.Hour)
		c.requestFrom(v, increment)
		time.Sleep(10 * 24 * time.Hour)
		c.requestFrom(v, read)
		equal(t, "asked", v.asked, 0)
		equal(t, "account", len(c.load().snap.Identity().Account), 0)
		equal(t, "IP", c.info().IP, "")
	})
}

// The login of another subject does not inherit the device; a step-up of the same subject does.
func TestDeviceIsNotInherited(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	c.requestFrom(&sender{ip: "192.0.2.7", agent: "Mozilla/5.0"}, signInAs(t, "ann"))
	c.request(func(s *Session) { want(t, s.StepUp(Auth{}), nil) })
	equal(t, "after a step-up", c.info().IP, "192.0.2.7")
	c.request(signInAs(t, "bob"))
	equal(t, "after the login of another", c.info().IP+c.info().UserAgent, "")
}

func TestDeviceIsShortened(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 255)
	for name, test := range map[string]struct{ agent, kept string }{
		"short":                    {"Mozilla/5.0", "Mozilla/5.0"},
		"empty":                    {"", ""},
		"just fits":                {long + "y", long + "y"},
		"one too long":             {long + "yz", long + "y"},
		"a letter across the end":  {long + "é", long},
		"an emoji across the end":  {long[:253] + "😀", long[:253]},
		"an emoji that just fits":  {long[:252] + "😀", long[:252] + "😀"},
		"not UTF-8":                {"a\xffb\xc3", "ab"},
		"nothing but continuation": {strings.Repeat("\x80", 1000), ""},
		"a megabyte":               {strings.Repeat("é", 1<<19), strings.Repeat("é", 128)},
		"control characters stay":  {"a\x00b\nc", "a\x00b\nc"},
	} {
		d := newDevice(test.agent, test.agent)
		equal(t, name, d.UserAgent, test.kept)
		if len(d.IP) > maxIP || !utf8.ValidString(d.IP) || !strings.HasPrefix(test.kept, d.IP) {
			t.Errorf("%s: address is %q", name, d.IP)
		}
	}
}

// A1: the framework's strings are copied.
func TestA1DeviceIsCopied(t *testing.T) {
	t.Parallel()
	buf := []byte("192.0.2.7")
	d := newDevice(unsafeString(buf), unsafeString(buf))
	copy(buf, "XXXXXXXXX")
	equal(t, "kept", *d, record.Device{IP: "192.0.2.7", UserAgent: "192.0.2.7"})
}
