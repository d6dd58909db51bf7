package examples_test

import (
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestAccounts is about users, their devices and the operator, on each framework over HTTP.
func TestAccounts(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*visitor){
		"Remember":         remember,
		"ForgetsTheOther":  forgetsTheOther,
		"Devices":          listsDevices,
		"DeviceNames":      namesDevices,
		"RevokeOne":        revokesOne,
		"RevokeOthers":     revokesOthers,
		"RevokeOwn":        revokesOwn,
		"Gate":             asksAgain,
		"GateSendsNowhere": sendsNowhere,
		"ChangePassword":   changesPassword,
		"SignedOut":        needsSignIn,
		"OperatorNeeds":    operatorNeedsToken,
		"OperatorEnds":     operatorEnds,
	}
	binaries := build(t)
	for _, framework := range frameworks() {
		t.Run(framework, func(t *testing.T) {
			t.Parallel()
			base := start(t, filepath.Join(binaries, framework))
			for name, test := range tests {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					test(visit(t, base))
				})
			}
		})
		t.Run(framework+"/Operator", func(t *testing.T) {
			t.Parallel()
			operatorPages(visit(t, start(t, filepath.Join(binaries, framework))))
		})
		t.Run(framework+"/memcached", func(t *testing.T) {
			t.Parallel()
			p := program{binary: filepath.Join(binaries, framework), store: "memcached", where: stores()["memcached"](t)}
			withoutLists(visit(t, ""), p)
		})
	}
}

// answers sends a form and returns the response itself, not what it leads to. The jar keeps its cookie.
func (v *visitor) answers(path string, form url.Values) answer {
	v.Helper()
	follow := v.client.CheckRedirect
	v.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	defer func() { v.client.CheckRedirect = follow }()
	return v.post(path, form)
}

func (v *visitor) signIn(user string) {
	v.Helper()
	v.post("/signin", url.Values{"user": {user}}).wants(v, 200, "Welcome, "+user+".")
}

func (v *visitor) confirm() answer {
	v.Helper()
	return v.post("/confirm", url.Values{"phrase": {"open sesame"}})
}

// device returns another browser of the user.
func (v *visitor) device(user string) *visitor {
	v.Helper()
	other := v.stranger()
	other.signIn(user)
	return other
}

// listed returns the ids on a page with a list of sessions.
func (v *visitor) listed(path string) (ids []string) {
	v.Helper()
	for _, found := range regexp.MustCompile(`<li data-id="([0-9a-f-]{36})"`).FindAllStringSubmatch(v.wants(path, 200), -1) {
		ids = append(ids, found[1])
	}
	return ids
}

// remains reports a list that does not hold these sessions alone.
func (v *visitor) remains(want ...string) {
	v.Helper()
	got := v.listed("/devices")
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		v.Errorf("the devices page lists %q, want %q", got, want)
	}
}

// isOut reports a cookie that still opens a session, and a browser that is still signed in with it.
func (v *visitor) isOut(token string) {
	v.Helper()
	v.wants("/session", 200, none)
	v.stranger().with(token, "/session").wants(v, 200, none)
}

// remember compares Set-Cookie fields with what they are to be to the letter.
func remember(v *visitor) {
	cookie := func(what string, got answer, life string) {
		v.Helper()
		want := regexp.MustCompile(`^session=[A-Za-z0-9_-]{64}; Path=/` + life + `; HttpOnly; SameSite=Lax$`)
		if fields := got.header["Set-Cookie"]; len(fields) != 1 || !want.MatchString(fields[0]) {
			v.Errorf("%s: Set-Cookie %q, want %s", what, fields, want)
		}
	}
	ends := func(after time.Duration) {
		v.Helper()
		day := time.Now().Add(after).UTC().Format("2006-01-02T")
		found := regexp.MustCompile(`<dt>Expires</dt><dd><time datetime="([^"]*)"`).FindStringSubmatch(v.wants("/session", 200))
		if len(found) != 2 || !strings.HasPrefix(found[1], day) {
			v.Errorf("the session expires %q, want %s", found, day)
		}
	}
	const month = "; Max-Age=2592000"
	cookie("a visit", v.send(v.request(http.MethodGet, "/", nil)), "")
	cookie("signing in", v.answers("/signin", url.Values{"user": {"grace"}}), "")
	ends(24 * time.Hour)
	cookie("signing in, to be remembered", v.answers("/signin", url.Values{"user": {"grace"}, "remember": {"yes"}}), month)
	ends(30 * 24 * time.Hour)
	v.wants("/devices", 200, ", remembered")
	cookie("renewal", v.answers("/session/renew", nil), month)
	cookie("confirmation", v.answers("/confirm", url.Values{"phrase": {"open sesame"}}), month)
	cookie("signing in without", v.answers("/signin", url.Values{"user": {"grace"}}), "")
	ends(24 * time.Hour)
	v.wants("/devices", 200, "until the browser closes")
	v.stranger().post("/signin", url.Values{"user": {""}, "remember": {"yes"}}).wants(v, 422, `value="yes" checked`)
}

// forgetsTheOther signs in as somebody else on top: what the first one left is not for the second.
func forgetsTheOther(v *visitor) {
	v.post("/preferences", url.Values{"name": {"Edsger"}, "scheme": {"dark"}, "accent": {"plum"}}).wants(v, 200)
	v.signIn("edsger")
	v.signIn("edsger")
	v.wants("/preferences", 200, "Edsger")
	v.signIn("tony")
	if body := v.wants("/preferences", 200); strings.Contains(body, "Edsger") {
		v.Error("the next user sees the preferences of the one before")
	}
}

func listsDevices(v *visitor) {
	const user = "barbara"
	v.signIn(user)
	v.remains(v.id())
	if body := v.wants("/devices", 200, `<span class="tag">this device</span>`, "this computer (127.0.0.1)", "just now"); strings.Contains(body, "revoke-others") {
		v.Error("there are no others to sign out")
	}
	other, stranger := v.device(user), v.device("not-"+user)
	v.remains(v.id(), other.id())
	other.remains(v.id(), other.id())
	stranger.remains(stranger.id())
	for _, device := range []*visitor{v, other} {
		if first := device.listed("/devices")[0]; first != device.id() {
			v.Errorf("the list begins with %s, want this device, %s", first, device.id())
		}
		if n := strings.Count(device.wants("/devices", 200, "Sign out all others"), "this device</span>"); n != 1 {
			v.Errorf("%d devices are marked as this one", n)
		}
	}
	v.post("/signout", nil)
	other.remains(other.id())
}

// namesDevices signs in with many user agents.
func namesDevices(v *visitor) {
	long := strings.Repeat("x", 41)
	for agent, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                                  "Firefox on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36":                         "Chrome on Windows",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0":               "Edge on Windows",
		"Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36":        "Samsung Internet on Android",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15":                   "Safari on Mac",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1": "Safari on iPhone",
		"Mozilla/5.0 (iPad; CPU OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0.0.0 Mobile/15E148 Safari/604.1":       "Chrome on iPad",
		"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 OPR/120.0":                "Opera on ChromeOS",
		"Chrome/1":                  "Chrome",
		"curl/8.5.0":                "curl",
		"<script>alert(1)</script>": "&lt;script&gt;alert(1)&lt;",
		"Mozilla/5.0":               "An unknown browser",
		"/":                         "An unknown browser",
		long:                        "An unknown browser",
	} {
		other := v.stranger()
		r := other.request(http.MethodPost, "/signin", url.Values{"user": {"bjarne"}})
		r.Header.Set("User-Agent", agent)
		other.send(r).wants(v, 200)
		if found := regexp.MustCompile(`<h2>(.*?) <span`).FindStringSubmatch(other.wants("/devices", 200)); len(found) != 2 || found[1] != want {
			v.Errorf("%q is called %q, want %q", agent, found, want)
		}
	}
}

func revokesOne(v *visitor) {
	const user = "katherine"
	v.signIn(user)
	lost, kept, stranger := v.device(user), v.device(user), v.device("not-"+user)
	id, token := lost.id(), lost.token()
	v.confirm().wants(v, 200, "Thank you.")
	v.post("/devices/revoke", url.Values{"id": {id}}).wants(v, 200, "That device is signed out.")
	lost.isOut(token)
	lost.wants("/devices", 200, "You are not signed in here.")
	v.remains(v.id(), kept.id())
	for _, id := range []string{id, stranger.id(), "", "nonsense", strings.ToUpper(kept.id())} {
		v.post("/devices/revoke", url.Values{"id": {id}}).wants(v, 404, "No such session")
	}
	v.remains(v.id(), kept.id())
	stranger.remains(stranger.id())
}

func revokesOthers(v *visitor) {
	const user = "margaret"
	v.signIn(user)
	others := []*visitor{v.device(user), v.device(user), v.device(user)}
	stranger, id := v.device("not-"+user), v.id()
	tokens := make([]string, 0, len(others))
	for _, other := range others {
		tokens = append(tokens, other.token())
	}
	v.confirm()
	v.post("/devices/revoke-others", nil).wants(v, 200, "3 other devices are signed out.")
	for i, other := range others {
		other.isOut(tokens[i])
	}
	v.remains(id)
	stranger.remains(stranger.id())
	v.device(user)
	v.post("/devices/revoke-others", nil).wants(v, 200, "1 other device is signed out.")
}

// revokesOwn sends the form of another device with the id of this one.
func revokesOwn(v *visitor) {
	v.signIn("joan")
	v.confirm()
	token := v.token()
	v.post("/devices/revoke", url.Values{"id": {v.id()}}).wants(v, 200, "Signed out")
	if v.token() != "" {
		v.Error("signing out left the cookie")
	}
	v.isOut(token)
}

// sensitive are the forms that need a confirmation.
func sensitive(id string) map[string]url.Values {
	return map[string]url.Values{
		"/devices/revoke":        {"id": {id}},
		"/devices/revoke-others": {},
		"/password":              {"phrase": {"abracadabra"}},
	}
}

// asksAgain is ASVS 7.5.2: who is signed in ends other sessions only after another proof. Having just signed in is none.
func asksAgain(v *visitor) {
	const user, question = "annie", "Is it you, annie?"
	v.signIn(user)
	other := v.device(user)
	ids := []string{v.id(), other.id()}
	refused := func() {
		v.Helper()
		for path, form := range sensitive(other.id()) {
			v.post(path, form).wants(v, 200, question)
		}
		v.wants("/password", 200, question, `value="/password"`)
		v.remains(ids...)
	}
	refused()
	v.wants("/devices", 200, "you are asked to confirm")
	for _, phrase := range []string{"", "open", "Open Sesame", "open sesame "} {
		v.post("/confirm", url.Values{"phrase": {phrase}}).wants(v, 422, question, `aria-invalid="true"`)
	}
	refused()
	before := v.token()
	v.confirm().wants(v, 200, "Thank you.", "You have confirmed")
	v.stranger().with(before, "/session").wants(v, 200, none) // the cookie from before is dead
	v.wants("/password", 200, "New pass phrase")
	if v.id() != ids[0] {
		v.Error("confirming changed the session's id")
	}
	for path, form := range sensitive(ids[0]) {
		other.post(path, form).wants(v, 200, question) // that is for the other device to confirm
	}
	v.signIn(user) // a name is no proof, and what was proved before is of the login before
	refused()
}

// sendsNowhere asks the confirmation to go on elsewhere.
func sendsNowhere(v *visitor) {
	v.signIn("mary")
	for next, want := range map[string]string{
		"/password": "/password", "": "/devices", "https://example.com/": "/devices", "//example.com": "/devices", "/password/../..//example.com": "/devices", "/signout": "/devices",
	} {
		v.wants("/confirm?next="+url.QueryEscape(next), 200, `name="next" value="`+want+`"`)
		if got := v.answers("/confirm", url.Values{"phrase": {"open sesame"}, "next": {next}}); got.status != 303 || got.header.Get("Location") != want {
			v.Errorf("next %q: %d to %q, want 303 to %q", next, got.status, got.header.Get("Location"), want)
		}
	}
}

// changesPassword signs the others out and replaces the secret of this one.
func changesPassword(v *visitor) {
	const user = "radia"
	v.signIn(user)
	v.confirm()
	other, before, id := v.device(user), v.token(), v.id()
	token := other.token()
	v.post("/password", url.Values{"phrase": {"short"}}).wants(v, 422, "at least 8 characters")
	v.remains(id, other.id())
	v.post("/password", url.Values{"phrase": {"abracadabra"}}).wants(v, 200, "1 other device is signed out.", "new secret", user)
	other.isOut(token)
	v.stranger().with(before, "/session").wants(v, 200, none)
	v.remains(id)
}

// needsSignIn asks for what is for users without being one.
func needsSignIn(v *visitor) {
	for path, form := range sensitive("01a20951-3754-7a65-809f-e47fa2a37483") {
		v.post(path, form).wants(v, 200, "You are not signed in here.")
	}
	v.confirm().wants(v, 200, "You are not signed in here.")
	for _, path := range []string{"/devices", "/confirm", "/password"} {
		v.wants(path, 200, "You are not signed in here.")
	}
	v.wants("/operator", 200)
	if v.token() != "" {
		v.Error("looking around set a cookie")
	}
}

// operate enters the operator's token.
func (v *visitor) operate() {
	v.Helper()
	v.post("/operator", url.Values{"token": {operatorToken}}).wants(v, 200, "administrator’s login")
}

// operatorNeedsToken asks for the operator's page without the token, with a wrong one and from where the token was not entered.
func operatorNeedsToken(v *visitor) {
	v.signIn("vera")
	id := v.id()
	refused := func(status int, r *http.Request) {
		v.Helper()
		got := v.send(r)
		got.wants(v, status, `name="token"`)
		if strings.Contains(got.body, "data-id") {
			v.Error("and yet it shows sessions")
		}
	}
	end := url.Values{"id": {id}, "token": {operatorToken}}
	for _, change := range []func(*http.Request){
		func(*http.Request) {},
		func(r *http.Request) { r.Header.Set("X-Forwarded-For", "127.0.0.1") },
		func(r *http.Request) { r.URL.RawQuery = url.Values{"token": {operatorToken}}.Encode() },
		func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "operator", Value: v.token()}) }, //nolint:gosec // a cookie that is sent
	} {
		r := v.request(http.MethodGet, "/operator", nil)
		change(r)
		refused(200, r)
		r = v.request(http.MethodPost, "/operator/end", end)
		change(r)
		refused(403, r)
	}
	for _, token := range []string{"", strings.ToUpper(operatorToken)} {
		refused(403, v.request(http.MethodPost, "/operator", url.Values{"token": {token}}))
	}
	if v.id() != id {
		v.Error("the session has ended")
	}
	v.operate()
	v.wants("/operator", 200, "administrator’s login", "data-id=")
	v.stranger().wants("/operator", 200, `name="token"`)
	v.post("/operator/leave", nil).wants(v, 200, `name="token"`)
	v.wants("/operator", 200, `name="token"`)
	v.wants("/session", 200, id) // the operator has left, the visitor has not
}

// operatorEnds ends somebody's session, one that is not there, and the operator's own.
func operatorEnds(v *visitor) {
	v.operate()
	victim := v.device("sophie")
	id, token := victim.id(), victim.token()
	v.post("/operator/end", url.Values{"id": {id}}).wants(v, 200, "administrator’s login")
	victim.isOut(token)
	if v.token() != "" {
		v.Error("the operator, who had no session, was given one")
	}
	for _, id := range []string{id, "", "nonsense"} {
		v.post("/operator/end", url.Values{"id": {id}}).wants(v, 404, "No such session")
	}
	v.signIn("operator")
	token = v.token()
	v.post("/operator/end", url.Values{"id": {v.id()}}).wants(v, 200, "administrator’s login")
	v.isOut(token)
	cross := v.request(http.MethodPost, "/operator/end", url.Values{"id": {id}})
	cross.Header.Set("Sec-Fetch-Site", "same-site")
	v.send(cross).wants(v, 403, "Not from this site")
}

// operatorPages walks all sessions of a program of its own, and looks at events, counts and policy.
func operatorPages(v *visitor) {
	const users = 23
	want := make(map[string]bool, users)
	for n := range users {
		want[v.device("user-"+strconv.Itoa(n)).id()] = true
	}
	v.operate()
	v.wants("/operator", 200, `<span id="total">23</span>`, "<h3>user-", "<dt>Sessions begun</dt><dd>23</dd>", "<dt>Signed in or confirmed</dt><dd>23</dd>",
		"<dt>idle timeout</dt><dd>24h0m0s", "SameSite=Lax", "<dt>Ended from elsewhere</dt><dd>0</dd>")
	seen := map[string]bool{}
	pages := 0
	for path := "/operator"; path != "" && pages < 2*users; pages++ {
		for _, id := range v.listed(path) {
			seen[id] = true
		}
		path = v.nextPage(path)
	}
	for id := range want {
		if !seen[id] {
			v.Errorf("no page shows the session %s", id)
		}
	}
	if len(seen) != users || pages < 3 {
		v.Errorf("%d sessions on %d pages, want %d on 3 or more", len(seen), pages, users)
	}
	v.eventsOf(want)
}

// nextPage returns where the link to the next page leads, "" if there is none.
func (v *visitor) nextPage(path string) string {
	v.Helper()
	found := regexp.MustCompile(`<a id="next" href="([^"]*)"`).FindStringSubmatch(v.wants(path, 200))
	if found == nil {
		return ""
	}
	return strings.ReplaceAll(found[1], "&amp;", "&")
}

// eventsOf ends one of the sessions and waits for the event, which is told after the response. There is a bound to what the
// page remembers.
func (v *visitor) eventsOf(sessions map[string]bool) {
	v.Helper()
	for id := range sessions {
		v.post("/operator/end", url.Values{"id": {id}}).wants(v, 200, "<dt>Ended from elsewhere</dt><dd>1</dd>", `<span id="total">23</span>`) // a mark counts
		left := 0
		for path, n := "/operator", 0; path != "" && n < 2*len(sessions); path, n = v.nextPage(path), n+1 {
			if list := v.listed(path); slices.Contains(list, id) {
				v.Errorf("%s shows the session %s, which has ended", path, id)
			} else {
				left += len(list)
			}
		}
		if left != len(sessions)-1 {
			v.Errorf("the pages show %d sessions, want %d", left, len(sessions)-1)
		}
		row := regexp.MustCompile(`<tr><td>.*?</td><td>revoked <span class="hint">revoked</span></td><td>user-\d+</td><td><code title="` + id + `">`)
		told := false
		for tries := 0; !told && tries < 500; tries++ {
			time.Sleep(10 * time.Millisecond)
			told = row.MatchString(v.wants("/operator", 200))
		}
		if !told {
			v.Error("the page does not tell of the end of a session")
		}
		if rows := strings.Count(v.wants("/operator", 200), "<tr><td>"); rows != 40 {
			v.Errorf("%d events on the page, want the last 40", rows)
		}
		if strings.Contains(v.wants("/operator", 200), "<td>loaded") {
			v.Error("requests are events")
		}
		return
	}
}

// withoutLists is about a store that has none.
func withoutLists(v *visitor, p program) {
	stop := p.launch(v)
	user := "ada-" + filepath.Base(p.binary) // The programs share a server.
	v.signIn(user)
	v.wants("/devices", 200, "keeps no list of a user’s sessions")
	v.confirm().wants(v, 200, "Thank you.")
	other := v.device(user)
	v.post("/devices/revoke-others", nil).wants(v, 501, "Not on this store")
	v.post("/password", url.Values{"phrase": {"abracadabra"}}).wants(v, 501, "Not on this store")
	v.operate()
	v.wants("/operator", 200, "keeps no list of its sessions", "<dt>Sessions begun</dt><dd>2</dd>", "<td>login</td>")
	token := other.token()
	v.post("/devices/revoke", url.Values{"id": {other.id()}}).wants(v, 200, "That device is signed out.") // an id is enough for that
	other.isOut(token)
	if complaints := stop(); complaints != "" {
		v.Errorf("the program complained: %s", complaints)
	}
}
