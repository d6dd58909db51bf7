package examples_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/examples/internal/chromium"
)

// TestStories lets a browser do what makes its requests overtake each other, loses answers, and has other sites send
// requests. Each story ends with the browser signed in or out as its user expects, at once and after the grace.
func TestStories(t *testing.T) {
	t.Parallel()
	open := browser(t)
	for framework, on := range storyFrameworks() {
		t.Run(framework, func(t *testing.T) {
			t.Parallel()
			limited := core.Options{MaxSessions: 1, OnLimit: core.RefuseLogin}
			strict := core.Options{Cookie: core.Cookie{SameSite: core.SameSiteStrict}}
			tab := open(t)
			tabs := [2]context.Context{tab, openSameJar(tab, t)}
			var told []*story
			if slices.Contains([]string{"gin", "echo", "fiber"}, framework) {
				told = slices.Concat(
					tell(t, tabs, newStorySite(t, on, core.Options{}), stories()),
					tell(t, tabs, newStorySite(t, on, limited), limitedStories()),
				)
			} else {
				told = tell(t, tabs, newStorySite(t, on, core.Options{}), shortStories())
			}
			told = append(told, tell(t, tabs, newStorySite(t, on, strict), strictStories())...)
			time.Sleep(storyGrace + 200*time.Millisecond)
			for _, s := range told {
				t.Run(s.name+"AfterGrace", s.endsAgain)
			}
		})
	}
}

func stories() map[string]func(*story) {
	return map[string]func(*story){
		"PollsDuringLogin":     (*story).pollsDuringLogin,
		"PollsDuringStepUp":    (*story).pollsDuringStepUp,
		"LatePollAfterLogin":   (*story).latePollAfterLogin,
		"DoubleClick":          (*story).doubleClick,
		"DoubleSubmit":         (*story).doubleSubmit,
		"AbortedLogin":         (*story).abortedLogin,
		"AbortedLoginLast":     (*story).abortedLoginLast,
		"AbortedStepUp":        (*story).abortedStepUp,
		"AbortedRenewal":       (*story).abortedRenewal,
		"AbortedRenewalIdle":   (*story).abortedRenewalIdle,
		"FormFromAnotherSite":  (*story).formFromAnotherSite,
		"SignOutWhileSaving":   (*story).signOutWhileSaving,
		"SaveAfterSignOut":     (*story).saveAfterSignOut,
		"StepUpWhileWriting":   (*story).stepUpWhileWriting,
		"WriteAfterStepUp":     (*story).writeAfterStepUp,
		"WriteAfterDelivery":   (*story).writeAfterDelivery,
		"SignOutAfterStepUp":   (*story).signOutAfterStepUp,
		"SignOutDuringRenewal": (*story).signOutDuringRenewal,
	}
}

// shortStories are told on the frameworks that have the same code as another one: one for each rule.
func shortStories() map[string]func(*story) {
	short := stories()
	maps.DeleteFunc(short, func(name string, _ func(*story)) bool {
		return !slices.Contains([]string{
			"PollsDuringLogin", "DoubleClick", "AbortedRenewal", "SaveAfterSignOut", "SignOutAfterStepUp",
		}, name)
	})
	return short
}

// limitedStories are those of a site that allows one device and refuses the login on a second one.
func limitedStories() map[string]func(*story) {
	return map[string]func(*story){
		"LimitedDoubleClick":  (*story).doubleClick,
		"LimitedDoubleSubmit": (*story).doubleSubmit,
		"LimitedAbortedLogin": (*story).abortedLogin,
	}
}

// strictStories are those of a site whose cookie browsers keep back from every request that another site causes.
func strictStories() map[string]func(*story) {
	return map[string]func(*story){
		"StrictForm": (*story).formFromAnotherSite,
		"StrictLink": (*story).linkFromAnotherSite,
	}
}

// openSameJar opens a second tab of the same browser.
func openSameJar(tab context.Context, t *testing.T) context.Context {
	t.Helper()
	jar := chromedp.WithExistingBrowserContext(chromedp.FromContext(tab).BrowserContextID)
	other, cancel := chromedp.NewContext(tab, jar)
	t.Cleanup(cancel)
	chromium.Do(other, t)
	return other
}

// tell tells the stories one after the other in the same tabs. Each has a host name, and so a cookie and a user, of its own.
func tell(t *testing.T, tabs [2]context.Context, site *storySite, stories map[string]func(*story)) (told []*story) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(stories)) {
		t.Run(name, func(t *testing.T) {
			s := &story{T: t, name: name, tab: tabs[0], other: tabs[1], site: site, user: strings.ToLower(name)}
			stories[name](s)
			told = append(told, s)
		})
	}
	return told
}

// story is one user with one browser. The first cookie of each story is that of a visitor with a coat in the cart.
type story struct {
	*testing.T
	name       string
	tab        context.Context //nolint:containedctx // tabs are contexts
	other      context.Context //nolint:containedctx // a second tab with the same jar
	site       *storySite
	user       string
	end        string // what the page says of the user in the end
	deadCookie bool   // whether the browser may keep a cookie that opens nothing
}

// host is of the same site for all stories, so that one process of the browser shows them.
func (s *story) host() string { return s.user + ".stories.localhost" }

func (s *story) url(path string) string { return site(s.site.address, s.host(), path) }

// open navigates to a page and returns its text.
func (s *story) open(tab context.Context, path string) string {
	s.Helper()
	chromium.Do(tab, s.T, chromedp.Navigate(s.url(path)))
	return chromium.Get(tab, s.T, chromedp.Evaluate[string](`document.body.innerText`))
}

// run runs a script in the page, waits for its promise, and returns what it is worth.
func (s *story) run(tab context.Context, script string) string {
	s.Helper()
	return chromium.Get(tab, s.T, chromedp.Evaluate[string](`(async () => String(await (`+script+`)))()`, chromedp.EvalAwaitPromise))
}

// answers reports an answer that is none of those, of which the script returns one a line.
func (s *story) answers(tab context.Context, script string, want ...string) {
	s.Helper()
	if got := s.run(tab, script); got != strings.Join(want, "\n") {
		s.Errorf("%s was answered by\n\t%s\nwant\n\t%s", script, got, strings.Join(want, "\n"))
	}
}

// login is the path of the form, and slowLogin that with a password whose check takes a while.
func (s *story) login() string     { return "/login?user=" + s.user }
func (s *story) slowLogin() string { return s.login() + "&check=300" }

// visits starts the story: it has the user put a coat into the cart.
func (s *story) visits() {
	s.Helper()
	s.open(s.tab, "/")
	s.answers(s.tab, `send("/cart?add=coat")`, "200 "+whoIs("", 0, "coat"))
}

// signedIn starts the story as visits does, and signs the user in.
func (s *story) signedIn() {
	s.Helper()
	s.visits()
	in := "200 " + whoIs(s.user, 1, "coat")
	s.answers(s.tab, `send("`+s.login()+`")`, in)
	s.answers(s.tab, `send("/me")`, in)
}

// ends looks at the end of the story: what the page says in each of the tabs, the devices of the user, and that nobody who
// has signed out keeps a cookie.
func (s *story) ends(want string, others ...context.Context) {
	s.Helper()
	s.end = want
	for _, tab := range append([]context.Context{s.tab}, others...) {
		if page := s.open(tab, "/me"); page != want {
			s.Errorf("in the end the page says\n\t%s\nwant\n\t%s", page, want)
		}
	}
	devices := 1
	if strings.HasPrefix(want, "user= ") {
		devices = 0
	}
	list, err := s.site.sessions.List(s.Context(), s.user)
	if err != nil || len(list) != devices {
		s.Errorf("in the end there are %d devices (%v), want %d", len(list), err, devices)
	}
	if n := s.cookies(); n != devices && !s.deadCookie {
		s.Errorf("in the end the browser has %d cookies, want %d", n, devices)
	}
}

// endsAgain is ends after the grace.
func (s *story) endsAgain(t *testing.T) {
	t.Helper()
	s.T = t
	s.ends(s.end)
}

// cookies returns how many the browser has for the host of the story.
func (s *story) cookies() (n int) {
	s.Helper()
	for _, c := range cookies(s.tab, s.T) {
		if c.Domain == s.host() {
			n++
		}
	}
	return n
}

// reached waits until a request has reached the gate of the story.
func (s *story) reached(name string) {
	s.Helper()
	select {
	case <-s.site.gate(s.user + name).reached:
	case <-time.After(gateTimeout):
		s.Fatalf("no request has reached the gate %q", name)
	}
}

func (s *story) release(name string) { close(s.site.gate(s.user + name).opened) }

// begin sends a request that stops at the gate. Its answer is what the script "answer" is worth.
func (s *story) begin(tab context.Context, path, where, name string) {
	s.Helper()
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	chromium.Do(tab, s.T, chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`begin("%s%s%s=%s"); null`, path, separator, where, s.user+name)))
	s.reached(name)
}

// aborts aborts the request that was begun. The page notices at once; the connection is closed when another request, which
// has no cookie, has gone to the server and back.
func (s *story) aborts() {
	s.Helper()
	s.answers(s.tab, `(abort.abort(), answer)`, "lost")
	s.answers(s.tab, `send("/me", {credentials: "omit"})`, "200 "+whoIs("", 0))
}

// secondTab opens the script in the second tab, and returns it.
func (s *story) secondTab() context.Context {
	s.Helper()
	s.open(s.other, "/")
	return s.other
}

// meanwhile sends a request while the page polls. If no poll with the cookie from before came after it, that is done again
// by another user.
func (s *story) meanwhile(begin func(), request func() (path, answer string)) {
	s.Helper()
	user := s.user
	for i := range 5 {
		s.user = fmt.Sprint(user, i)
		begin()
		late := s.site.latePolls()
		path, answer := request()
		s.answers(s.tab, `whilePolling("`+path+`")`, answer)
		if s.site.latePolls() > late {
			return
		}
	}
	s.Fatal("no poll came late")
}

func (s *story) pollsDuringLogin() {
	s.meanwhile(s.visits, func() (path, answer string) {
		return s.slowLogin(), "200 " + whoIs(s.user, 1, "coat")
	})
	s.ends(whoIs(s.user, 1, "coat"))
}

func (s *story) pollsDuringStepUp() {
	s.meanwhile(s.signedIn, func() (path, answer string) {
		return "/step-up?check=300", "200 " + whoIs(s.user, 2, "coat")
	})
	s.ends(whoIs(s.user, 2, "coat"))
}

// latePollAfterLogin has a poll that was sent before the login come after it, and its answer arrive last.
func (s *story) latePollAfterLogin() {
	s.visits()
	s.begin(s.tab, "/poll", "early", "poll")
	s.answers(s.tab, `send("`+s.login()+`")`, "200 "+whoIs(s.user, 1, "coat"))
	s.release("poll")
	s.answers(s.tab, `answer`, "200 "+whoIs("", 0))
	s.ends(whoIs(s.user, 1, "coat"))
}

func (s *story) doubleClick() {
	s.visits()
	in := "200 " + whoIs(s.user, 1, "coat")
	s.answers(s.tab, `doubleClick("`+s.slowLogin()+`")`, in, in)
	s.ends(whoIs(s.user, 1, "coat"))
}

func (s *story) doubleSubmit() {
	s.visits()
	s.run(s.tab, `doubleSubmit("`+s.slowLogin()+`")`)
	chromium.Do(s.tab, s.T, chromedp.WaitVisible(chromedp.CSS("#me")))
	if page := text(s.tab, s.T, "body"); page != whoIs(s.user, 1, "coat") {
		s.Errorf("the second submit was answered by\n\t%s", page)
	}
	s.ends(whoIs(s.user, 1, "coat"))
}

// abortedLogin aborts a login that has been saved, and signs in again.
func (s *story) abortedLogin() {
	s.visits()
	s.begin(s.tab, s.login(), "after", "login")
	s.aborts()
	s.answers(s.tab, `send("`+s.login()+`")`, "200 "+whoIs(s.user, 1, "coat"))
	s.release("login")
	s.ends(whoIs(s.user, 1, "coat"))
}

// abortedLoginLast aborts a login that is saved after the second one.
func (s *story) abortedLoginLast() {
	s.visits()
	s.begin(s.tab, s.login()+"&after="+s.user+"saved", "before", "login")
	s.aborts()
	s.answers(s.tab, `send("`+s.login()+`")`, "200 "+whoIs(s.user, 1, "coat"))
	s.release("login")
	s.reached("saved")
	s.release("saved")
	s.ends(whoIs(s.user, 1, "coat"))
}

// abortedStepUp aborts a step-up that has been saved, goes on with the cookie from before, and confirms again.
func (s *story) abortedStepUp() {
	s.signedIn()
	s.begin(s.tab, "/step-up", "after", "step-up")
	s.aborts()
	s.answers(s.tab, `send("/cart?add=hat")`, "200 "+whoIs(s.user, 1, "coat", "hat"))
	s.answers(s.tab, `send("/step-up")`, "200 "+whoIs(s.user, 2, "coat", "hat"))
	s.release("step-up")
	s.ends(whoIs(s.user, 2, "coat", "hat"))
}

// abortedRenewal aborts a renewal that has been saved, and goes on at once.
func (s *story) abortedRenewal() {
	s.signedIn()
	s.begin(s.tab, "/renew", "after", "renewal")
	s.aborts()
	s.answers(s.tab, `send("/cart?add=hat")`, "200 "+whoIs(s.user, 1, "coat", "hat"))
	s.release("renewal")
	s.ends(whoIs(s.user, 1, "coat", "hat"))
}

// abortedRenewalIdle aborts a renewal that has been saved, and does nothing until the grace is over.
func (s *story) abortedRenewalIdle() {
	s.signedIn()
	s.begin(s.tab, "/renew", "after", "renewal")
	s.aborts()
	s.release("renewal")
	s.end = whoIs(s.user, 1, "coat")
}

// anotherSite opens a page at 127.0.0.1, which is another site than localhost, and presses its button.
func (s *story) anotherSite(page string) {
	s.Helper()
	trap := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(page))
	}))
	defer trap.Close()
	chromium.Do(s.tab, s.T, chromedp.Navigate(trap.URL), chromedp.Click(chromedp.CSS("#go")), chromedp.WaitVisible(chromedp.CSS("#me")))
	if page := text(s.tab, s.T, "body"); page != whoIs("", 0, "hat") {
		s.Errorf("the request from another site was answered by\n\t%s", page)
	}
	s.ends(whoIs(s.user, 1, "coat"))
}

func (s *story) formFromAnotherSite() {
	s.signedIn()
	s.anotherSite(`<form method="post" action="` + s.url("/cart?add=hat") + `"><button id="go">Go on</button></form>`)
}

func (s *story) linkFromAnotherSite() {
	s.signedIn()
	s.anotherSite(`<a id="go" href="` + s.url("/cart?add=hat") + `">Go on</a>`)
}

// signOutWhileSaving signs out in one tab while a request of the other has loaded the session and not saved it yet.
func (s *story) signOutWhileSaving() {
	s.signedIn()
	second := s.secondTab()
	s.begin(second, "/cart?add=hat", "before", "save")
	s.open(s.tab, "/logout")
	s.release("save")
	s.run(second, `answer`)
	s.ends(whoIs("", 0), second)
}

// saveAfterSignOut signs out in one tab while a request of the other is on its way to the server.
func (s *story) saveAfterSignOut() {
	s.signedIn()
	second := s.secondTab()
	s.begin(second, "/cart?add=hat", "early", "save")
	s.open(s.tab, "/logout")
	s.release("save")
	s.answers(second, `answer`, "200 "+whoIs("", 0))
	s.ends(whoIs("", 0), second)
}

// stepUpWhileWriting confirms in one tab while a request of the other has loaded the session and not saved it yet.
func (s *story) stepUpWhileWriting() {
	s.signedIn()
	second := s.secondTab()
	s.begin(second, "/cart?add=hat", "before", "write")
	s.open(s.tab, "/step-up")
	s.release("write")
	s.answers(second, `answer`, "200 "+whoIs(s.user, 1, "coat", "hat"))
	s.ends(whoIs(s.user, 2, "coat", "hat"), second)
}

// writeAfterStepUp confirms in one tab while a request of the other is on its way to the server.
func (s *story) writeAfterStepUp() {
	s.signedIn()
	second := s.secondTab()
	s.begin(second, "/cart?add=hat", "early", "write")
	s.open(s.tab, "/step-up")
	s.release("write")
	s.answers(second, `answer`, "200 "+whoIs(s.user, 1, "coat", "hat"))
	s.ends(whoIs(s.user, 2, "coat", "hat"), second)
}

// writeAfterDelivery is like writeAfterStepUp, and the new cookie has come back before the request arrives.
func (s *story) writeAfterDelivery() {
	s.signedIn()
	second := s.secondTab()
	s.begin(second, "/cart?add=hat", "early", "write")
	s.open(s.tab, "/step-up")
	s.open(s.tab, "/me")
	s.release("write")
	s.answers(second, `answer`, "200 "+whoIs("", 0))
	s.ends(whoIs(s.user, 2, "coat"), second)
}

// signOutAfterStepUp confirms in one tab while the sign-out of the other is on its way to the server.
func (s *story) signOutAfterStepUp() {
	s.signedIn()
	second := s.secondTab()
	s.begin(second, "/logout", "early", "logout")
	s.open(s.tab, "/step-up")
	s.release("logout")
	s.answers(second, `answer`, "200 "+whoIs("", 0))
	s.ends(whoIs("", 0), second)
}

// signOutDuringRenewal signs out in one tab while the answer to a renewal of the other is on its way to the browser.
func (s *story) signOutDuringRenewal() {
	s.signedIn()
	second := s.secondTab()
	s.begin(second, "/renew", "after", "renewal")
	s.open(s.tab, "/logout")
	s.release("renewal")
	s.run(second, `answer`)
	s.deadCookie = true // That of the renewal may have arrived after its removal.
	s.ends(whoIs("", 0), second)
}
