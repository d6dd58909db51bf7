package explore

import (
	"encoding/base64"
	"net/http"
	"net/http/cookiejar"
	"net/url"

	"github.com/google/uuid"
)

// cookieName is the default name of the session cookie.
const cookieName = "session"

// site is the address of the application.
func site() *url.URL { return &url.URL{Scheme: "https", Host: "app.example", Path: "/"} }

// browser is a browser with the cookies of the application.
type browser struct {
	name  string
	index int
	jar   *cookiejar.Jar
	start *ticket  // what its cookie was at the start; nil if it had none
	setBy *request // the request whose answer changed the cookie last; nil at the start
	looks []view   // what the browser sees after the schedule, at once and later
	kept  *ticket  // what its cookie was after the schedule
}

func newBrowser(name string, index int) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // It cannot fail without options.
	}
	return &browser{name: name, index: index, jar: jar}
}

// cookie returns the value of the session cookie, or "" if there is none.
func (b *browser) cookie() string {
	for _, c := range b.jar.Cookies(site()) {
		if c.Name == cookieName {
			return c.Value
		}
	}
	return ""
}

// keep makes the browser have a cookie.
func (b *browser) keep(value string) {
	b.jar.SetCookies(site(), []*http.Cookie{{
		Name: cookieName, Value: value, Path: "/", Secure: true, HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	}})
}

// receive takes the answer of a request into account.
func (b *browser) receive(r *request) {
	response := http.Response{Header: r.header}
	if cookies := response.Cookies(); len(cookies) > 0 {
		b.jar.SetCookies(site(), cookies)
		b.setBy = r
	}
}

// ticket is a value of the session cookie that an answer has set.
type ticket struct {
	value   string
	id      string   // of the session
	subject string   // who was signed in when the answer was sent
	issuer  *request // the request of the answer; nil if the ticket is from the start
	opens   view     // what it opens in the end
}

// idOf returns the session's id in a cookie value.
func idOf(value string) string {
	raw, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || len(raw) < len(uuid.UUID{}) {
		return "malformed"
	}
	return uuid.UUID(raw[:16]).String()
}

// sessionCookie returns the session cookie that a header sets, and whether it sets or removes
// one.
func sessionCookie(header http.Header) (value string, changes bool) {
	response := http.Response{Header: header}
	for _, c := range response.Cookies() {
		if c.Name != cookieName {
			continue
		}
		if c.MaxAge < 0 {
			return "", true
		}
		value, changes = c.Value, true
	}
	return value, changes
}

// view is what a request that only reads finds in the session.
type view struct {
	id, subject string // id is "" if there is no session
	level       int
	cart        string
	hasCode     bool
	count       int
	notes       map[string]bool
}
