package core

import (
	"fmt"
	"strings"
	"time"
)

// Policy describes the manager's policy in a few lines of text, for the log at start-up or for
// the documentation that OWASP ASVS 5.0 (7.1.1 and 7.1.2) asks for.
func (m *Manager) Policy() string {
	m.MustBeMade()
	p := &m.timeouts
	lines := []string{
		"preset: " + m.preset.String(),
		"idle timeout: " + spell(p.expiry, "none, sessions are permanent") +
			m.describeOwnTimeout(),
		"absolute timeout: " + p.describeLifetime(),
		"secret renewed: at login and step-up" + m.describeRenewal(),
		"grace for a former secret after renewal: " + spell(p.grace, "none"),
		"a former secret used after its grace: " +
			choose(m.records.revokeOnReuse, "reported, and the session is ended", "reported"),
		"sessions per subject: " + m.describeLimit(),
		"cookie: " + m.CookieName() + m.cookies.Attributes() +
			choose(p.remember, ", kept by the browser until the session ends",
				", dropped when the browser closes"),
		"pages of signed-in users: " +
			choose(m.noStoreSignedIn, "not kept by the browser", "kept in the browser's history"),
		"IP address and user agent of signed-in sessions: " +
			choose(m.executor.noDevice, "not kept", "kept in the session's record"),
	}
	return strings.Join(lines, "\n") + "\n"
}

func (m *Manager) describeOwnTimeout() string {
	if limit := m.timeouts.maxExpiry; limit > 0 {
		return ", at most " + limit.String() + " if set for a session"
	}
	return ", unless a session has one of its own"
}

func (m *Manager) describeRenewal() string {
	if age := m.timeouts.renewEvery; age > 0 {
		return ", and every " + age.String()
	}
	return ", and where the application asks for it"
}

func (m *Manager) describeLimit() string {
	if m.executor.maxSessions == 0 {
		return "any number"
	}
	limit := fmt.Sprintf("at most %d, beyond it %s", m.executor.maxSessions, m.executor.onLimit)
	if m.executor.onLimit == RefuseLogin && !m.timeouts.remember {
		limit += "; a user who closes the browser without signing out is locked out until the " +
			"idle timeout"
	}
	return limit
}

func (p *policy) describeLifetime() string {
	if p.lifetime == 0 {
		return "none"
	}
	return p.lifetime.String() + " after the last login or step-up, or the first use by a visitor"
}

func spell(d time.Duration, zero string) string { return choose(d == 0, zero, d.String()) }

func choose(condition bool, yes, no string) string {
	if condition {
		return yes
	}
	return no
}
