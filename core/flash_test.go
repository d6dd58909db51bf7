package core

import (
	"strings"
	"testing"
)

// takeFlashes takes the messages in a request of its own.
func takeFlashes(c *client) (texts string) {
	c.t.Helper()
	c.request(func(s *Session) { texts = flashTexts(c.t, s) })
	return texts
}

func flashTexts(tb testing.TB, s *Session) string {
	tb.Helper()
	list, err := s.TakeFlashes(tb.Context())
	want(tb, err, nil)
	var out []string
	for _, f := range list {
		out = append(out, string(f.Kind)+": "+f.Text)
	}
	return strings.Join(out, ", ")
}

// Messages are shown once, in order, to visitors as well.
func TestFlashes(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store}))
		equal(t, "messages of nobody", takeFlashes(c), "")
		equal(t, "cookie of nobody", c.cookie, "")
		c.request(func(s *Session) {
			s.AddFlash(FlashSuccess, "saved")
			s.AddFlash("own-kind", "<b>")
		})
		c.request(func(s *Session) { s.AddFlash(FlashError, "late") })
		equal(t, "messages", takeFlashes(c), "success: saved, own-kind: <b>, error: late")
		equal(t, "messages, again", takeFlashes(c), "")
		equal(t, "keys", sprint(c.load().Keys()), "[]")
		c.request(func(s *Session) {
			s.AddFlash(FlashInfo, "at once")
			equal(t, "in the same request", flashTexts(t, s), "info: at once")
		})
		equal(t, "messages after that", takeFlashes(c), "")
	})
}

// Requests that add at the same time lose nothing. Of two tabs one shows a message, and what is added while a page takes
// the others waits for the next one.
func TestFlashesOfParallelRequests(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store}))
		c.request(func(s *Session) { s.AddFlash(FlashInfo, "a") })
		one, two, tab, other := c.load(), c.load(), c.load(), c.load()
		one.AddFlash(FlashInfo, "b")
		two.AddFlash(FlashInfo, "c")
		c.respond(one)
		equal(t, "in the first tab", flashTexts(t, tab), "info: a, info: b")
		equal(t, "in the second tab", flashTexts(t, other), "")
		c.respond(two)
		c.respond(tab)
		c.respond(other)
		equal(t, "on the next page", takeFlashes(c), "info: c")

		// A request that adds and takes leaves what others have added meanwhile, or shows it.
		busy, quick := c.load(), c.load()
		busy.AddFlash(FlashInfo, "d")
		quick.AddFlash(FlashInfo, "e")
		c.respond(quick)
		equal(t, "with its own", flashTexts(t, busy), "info: e, info: d")
		c.respond(busy)
		equal(t, "in the end", takeFlashes(c), "")
	})
}

// The number of messages is bounded, and the oldest give way.
func TestFlashesAreBounded(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	for range 3 {
		c.request(func(s *Session) {
			for text := range strings.SplitSeq("abcdefghij", "") {
				s.AddFlash(FlashInfo, text)
			}
		})
	}
	equal(t, "messages", strings.ReplaceAll(takeFlashes(c), "info: ", ""),
		"e, f, g, h, i, j, a, b, c, d, e, f, g, h, i, j")
}

// If the store fails, a page gets the error and the message waits.
func TestFlashesDuringAnOutage(t *testing.T) {
	t.Parallel()
	spy := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: spy}))
	c.request(func(s *Session) { s.AddFlash(FlashInfo, "a") })
	spy.failOn("save", errDown)
	list, err := c.load().TakeFlashes(t.Context())
	want(t, err, ErrStore)
	equal(t, "messages", len(list), 0)
	spy.onCall(nil)
	equal(t, "messages", takeFlashes(c), "info: a")
}

// A message of another user is not shown to who signs in next.
func TestFlashesOfAnotherUser(t *testing.T) {
	t.Parallel()
	c := newSignedIn(t, newTestManager(t, Options{}), "ann")
	c.request(func(s *Session) { s.AddFlash(FlashInfo, "for ann") })
	c.request(func(s *Session) { want(t, s.SignIn(t.Context(), "bob", SignIn{}), nil) })
	equal(t, "messages", takeFlashes(c), "")
}

// A browser that was signed out from elsewhere has no messages, which is no error: its next page is the login page.
func TestFlashesOfAnOvertakenBrowser(t *testing.T) {
	t.Parallel()
	m := newTestManager(t, Options{})
	c := newClient(t, m)
	c.request(func(s *Session) { want(t, s.Login("ann"), nil) })
	_, err := m.RevokeAll(t.Context(), "ann")
	want(t, err, nil)
	c.request(func(s *Session) {
		_, overtaken := s.Overtaken()
		equal(t, "overtaken", overtaken, true)
		equal(t, "messages", flashTexts(t, s), "")
	})
}
