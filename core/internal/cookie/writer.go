package cookie

import (
	"strconv"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

// MaxAge is the longest Max-Age that browsers honor (RFC 6265bis, section 5.5).
const MaxAge = 400 * 24 * time.Hour

// Attributes describes a cookie. The strings must be valid for the attributes they are used in.
type Attributes struct {
	Name     string
	Path     string
	Domain   string // "" for a cookie of one host
	SameSite string // "" for no SameSite attribute

	HTTPOnly, Secure, Partitioned bool
}

// A Writer formats Set-Cookie values. It holds the parts that are the same for every session.
type Writer struct {
	prefix string // "name="
	scope  string // "; Path=...; Domain=..."
	flags  string // "; HttpOnly; Secure; SameSite=...; Partitioned"
}

// NewWriter returns a Writer for cookies with these attributes.
func NewWriter(a *Attributes) Writer {
	w := Writer{prefix: a.Name + "=", scope: "; Path=" + a.Path}
	if a.Domain != "" {
		w.scope += "; Domain=" + a.Domain
	}
	if a.HTTPOnly {
		w.flags += "; HttpOnly"
	}
	if a.Secure {
		w.flags += "; Secure"
	}
	if a.SameSite != "" {
		w.flags += "; SameSite=" + a.SameSite
	}
	if a.Partitioned {
		w.flags += "; Partitioned"
	}
	return w
}

// Attributes returns the attributes that each cookie has, as they stand in a Set-Cookie value.
func (w *Writer) Attributes() string { return w.scope + w.flags }

// Set returns the Set-Cookie value that gives the browser a ticket for the time left, at most
// MaxAge.
func (w *Writer) Set(t *ticket.Ticket, left time.Duration) string {
	left = min(left, MaxAge)
	// Round up, so that the browser never drops a cookie that the server still accepts.
	seconds := int64((left + time.Second - 1) / time.Second)
	var buf [256]byte // On the stack, so that the string is the only allocation.
	b := append(w.appendTicket(buf[:0], t), "; Max-Age="...)
	return string(append(strconv.AppendInt(b, seconds, 10), w.flags...))
}

// SetForBrowserSession returns the Set-Cookie value that gives the browser a ticket until it is
// closed.
func (w *Writer) SetForBrowserSession(t *ticket.Ticket) string {
	var buf [256]byte // See Set.
	return string(append(w.appendTicket(buf[:0], t), w.flags...))
}

// Remove returns the Set-Cookie value that makes the browser delete the cookie. It has both
// Max-Age, which today's browsers prefer, and Expires, for those that do not know Max-Age.
func (w *Writer) Remove() string {
	return w.prefix + w.scope + "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT" + w.flags
}

func (w *Writer) appendTicket(b []byte, t *ticket.Ticket) []byte {
	return append(t.AppendText(append(b, w.prefix...)), w.scope...)
}
