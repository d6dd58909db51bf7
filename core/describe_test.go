package core

import (
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/memstore"
)

func TestPolicyText(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		o      Options
		policy string
	}{
		"defaults": {Options{}, `preset: none
idle timeout: 720h0m0s, unless a session has one of its own
absolute timeout: none
secret renewed: at login and step-up, and where the application asks for it
grace for a former secret after renewal: 30s
a former secret used after its grace: reported
sessions per subject: any number
cookie: session; Path=/; HttpOnly; Secure; SameSite=Lax, kept by the browser until the session ends
pages of signed-in users: kept in the browser's history
IP address and user agent of signed-in sessions: kept in the session's record
`},
		"strict": {Options{
			Preset: PresetASVS3, RenewEvery: 5 * time.Minute, Grace: NoGrace, RevokeOnReuse: true, MaxSessions: 3, OnLimit: EvictIdle,
			NoDevice: true, Cookie: Cookie{SessionOnly: true, SameSite: SameSiteStrict},
		}, `preset: OWASP ASVS 5.0 level 3
idle timeout: 15m0s, at most 15m0s if set for a session
absolute timeout: 12h0m0s after the last login or step-up, or the first use by a visitor
secret renewed: at login and step-up, and every 5m0s
grace for a former secret after renewal: none
a former secret used after its grace: reported, and the session is ended
sessions per subject: at most 3, beyond it the one idle longest is ended
cookie: __Host-session; Path=/; HttpOnly; Secure; SameSite=Strict, dropped when the browser closes
pages of signed-in users: not kept by the browser
IP address and user agent of signed-in sessions: not kept
`},
		"permanent": {Options{
			Expiry: Permanent, MaxSessions: 1, OnLimit: RefuseLogin, Store: memstore.New(memstore.Options{}), Cookie: Cookie{Domain: ".example.com", Path: "/app"},
		}, `preset: none
idle timeout: none, sessions are permanent, unless a session has one of its own
absolute timeout: none
secret renewed: at login and step-up, and where the application asks for it
grace for a former secret after renewal: 30s
a former secret used after its grace: reported
sessions per subject: at most 1, beyond it a login is refused
cookie: session; Path=/app; Domain=example.com; HttpOnly; Secure; SameSite=Lax, kept by the browser until the session ends
pages of signed-in users: kept in the browser's history
IP address and user agent of signed-in sessions: kept in the session's record
`},
		"locked out": {Options{
			Expiry: time.Hour, MaxSessions: 1, OnLimit: RefuseLogin, Store: memstore.New(memstore.Options{}), Cookie: Cookie{SessionOnly: true},
		}, `preset: none
idle timeout: 1h0m0s, unless a session has one of its own
absolute timeout: none
secret renewed: at login and step-up, and where the application asks for it
grace for a former secret after renewal: 30s
a former secret used after its grace: reported
sessions per subject: at most 1, beyond it a login is refused; a user who closes the browser without signing out is locked out until the idle timeout
cookie: session; Path=/; HttpOnly; Secure; SameSite=Lax, dropped when the browser closes
pages of signed-in users: kept in the browser's history
IP address and user agent of signed-in sessions: kept in the session's record
`},
	} {
		equal(t, name, "\n"+newTestManager(t, test.o).Policy().String(), "\n"+test.policy)
	}
	equal(t, "oldest", EvictOldest.String(), "the oldest is ended")
	equal(t, "no limit of ours", LimitPolicy(9).String(), "unknown")
}
