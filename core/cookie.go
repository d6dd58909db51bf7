package core

import (
	"strconv"
	"strings"
	"time"
)

// maxTickets is how many well-formed cookies of one name are tried. A browser sends several when they were set for
// different paths or domains, which a neighbouring subdomain can do on purpose.
const maxTickets = 4

// maxCookieLife is the longest Max-Age that browsers honour (RFC 6265bis section 5.5).
const maxCookieLife = 400 * 24 * time.Hour

// tickets are those that a request presented.
type tickets struct {
	n     int
	first ticket
	more  *[maxTickets - 1]ticket
}

func (ts *tickets) at(i int) *ticket {
	if i == 0 {
		return &ts.first
	}
	return &ts.more[i-1]
}

// find adds the distinct well-formed tickets under name in the values of the request's Cookie fields, up to maxTickets.
func (ts *tickets) find(name string, fields []string) {
	for _, field := range fields {
		for field != "" && ts.n < maxTickets {
			var pair string
			pair, field, _ = strings.Cut(field, ";")
			ts.add(pair, name)
		}
	}
}

// add adds the ticket in one name=value pair of a Cookie field, if there is one and it is not there yet. Only spaces and tabs
// around the pair are passed over; a quoted value is not a token.
func (ts *tickets) add(pair, name string) {
	if pair != "" && (pair[0] <= ' ' || pair[len(pair)-1] <= ' ') {
		pair = strings.Trim(pair, " \t")
	}
	if len(pair) != len(name)+1+tokenLength || pair[len(name)] != '=' || pair[:len(name)] != name {
		return
	}
	var next ticket
	if !next.parse(pair[len(name)+1:]) {
		return
	}
	for i := range ts.n {
		if *ts.at(i) == next {
			return
		}
	}
	if ts.n == 1 {
		ts.more = new([maxTickets - 1]ticket)
	}
	ts.n++
	*ts.at(ts.n - 1) = next
}

// cookieWriter holds the parts of a Set-Cookie value that are the same for every session of a manager.
type cookieWriter struct {
	start      string // name=
	scope      string // ; Path=...; Domain=...
	flags      string // ; HttpOnly; Secure; SameSite=...; Partitioned
	persistent bool
}

func newCookieWriter(c *Cookie) cookieWriter {
	w := cookieWriter{start: c.Name + "=", scope: "; Path=" + c.Path, persistent: !c.SessionOnly}
	if c.Domain != "" {
		w.scope += "; Domain=" + c.Domain
	}
	if !c.ScriptAccess {
		w.flags += "; HttpOnly"
	}
	if !c.Insecure {
		w.flags += "; Secure"
	}
	w.flags += c.SameSite.attribute()
	if c.Partitioned {
		w.flags += "; Partitioned"
	}
	return w
}

// attribute returns the attribute with its separator, "" for SameSiteUnset.
func (s SameSite) attribute() string {
	switch s {
	case SameSiteLax:
		return "; SameSite=Lax"
	case SameSiteStrict:
		return "; SameSite=Strict"
	case SameSiteNone:
		return "; SameSite=None"
	case SameSiteUnset:
	}
	return ""
}

// setOnly returns the Set-Cookie value that hands out a ticket until the browser closes.
func (w *cookieWriter) setOnly(t *ticket) string {
	var room [256]byte // on the stack, so that the string is all there is to allocate
	return string(append(w.begin(room[:0], t), w.flags...))
}

// begin appends the name, the ticket's token and where the cookie is valid.
func (w *cookieWriter) begin(b []byte, t *ticket) []byte {
	return append(t.appendToken(append(b, w.start...)), w.scope...)
}

// set returns the Set-Cookie value that hands out a ticket for the time left.
func (w *cookieWriter) set(t *ticket, left time.Duration) string {
	left = min(left, maxCookieLife)
	// Rounded up, so that the browser never drops a cookie that the server would still accept.
	seconds := int64((left + time.Second - 1) / time.Second)
	var room [256]byte
	b := append(w.begin(room[:0], t), "; Max-Age="...)
	return string(append(strconv.AppendInt(b, seconds, 10), w.flags...))
}

// remove returns the Set-Cookie value that makes the browser drop the cookie. Max-Age and Expires both stand there: the
// first rules in today's browsers, the second in those that do not know the first.
func (w *cookieWriter) remove() string {
	return w.start + w.scope + "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT" + w.flags
}
