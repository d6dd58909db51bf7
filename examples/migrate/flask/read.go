// Package flask reads sessions that Flask-Session has stored for a Python application, and signs
// its users in. The middleware is that of package nethttp, or of another framework.
package flask

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // It is what the Python library signs with.
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/migrate"
)

// cart is a value that moves to the new session.
const cart = core.Key[string]("cart")

// Records are where Flask-Session keeps its records: Redis, Memcached or MongoDB in this package.
type Records interface {
	// Get returns the record, or nil if there is none.
	Get(ctx context.Context, key string) ([]byte, error)
	Delete(ctx context.Context, key string) error
}

// Config is the part of the Python application's configuration that matters here.
type Config struct {
	Records    Records
	CookieName string   // SESSION_COOKIE_NAME, by default "session"
	Prefix     string   // SESSION_KEY_PREFIX, by default "session:"
	SecretKeys []string // SECRET_KEY and SECRET_KEY_FALLBACKS, if SESSION_USE_SIGNER is True
}

// Read returns the session of a request. Flask-Login keeps the user under "_user_id"; "cart" is a
// value of your application.
func (c *Config) Read(r *http.Request) (migrate.Old, error) {
	cookie, err := r.Cookie(cmp.Or(c.CookieName, "session"))
	if err != nil {
		return migrate.Old{}, nil //nolint:nilerr // There is no cookie.
	}
	sid, ok := c.unsign(cookie.Value)
	if !ok {
		return migrate.Old{}, nil
	}
	key := cmp.Or(c.Prefix, "session:") + sid
	data, err := c.Records.Get(r.Context(), key)
	if err != nil || len(data) == 0 {
		return migrate.Old{}, err
	}
	values, err := decode(data)
	if err != nil {
		return migrate.Old{}, nil //nolint:nilerr // Damaged, or written by a release before 0.7.
	}
	var user string
	if id := values["_user_id"]; id != nil {
		user = fmt.Sprint(id)
	}
	return migrate.Old{
		ID: sid, User: user,
		Copy: func(s *core.Session) error {
			value, _ := values["cart"].(string)
			return cart.Set(s, value)
		},
		End: func(ctx context.Context) error { return c.Records.Delete(ctx, key) },
	}, nil
}

// unsign returns the session's id. A signed cookie has the signature of itsdangerous behind the
// last point: HMAC-SHA1 with a key that is derived from the secret key, in base64url.
func (c *Config) unsign(value string) (sid string, ok bool) {
	if len(c.SecretKeys) == 0 {
		return value, value != ""
	}
	point := strings.LastIndexByte(value, '.')
	if point <= 0 {
		return "", false
	}
	sid = value[:point]
	signature, err := base64.RawURLEncoding.DecodeString(value[point+1:])
	for _, secret := range c.SecretKeys {
		if err == nil && hmac.Equal(signature, sign(sign([]byte(secret), "flask-session"), sid)) {
			return sid, true
		}
	}
	return "", false
}

func sign(key []byte, text string) []byte {
	mac := hmac.New(sha1.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// decode decodes a record: an object of JSON or a map of MessagePack. The first byte tells which.
func decode(data []byte) (values map[string]any, err error) {
	if data[0] != '{' {
		err = msgpack.Unmarshal(data, &values)
		return values, err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber() // A user may be a number.
	err = d.Decode(&values)
	return values, err
}
