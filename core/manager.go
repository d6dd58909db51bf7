package core

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cloakroom-go/sessions/core/adapter"
	"github.com/cloakroom-go/sessions/core/internal/cookie"
	"github.com/cloakroom-go/sessions/core/memstore"
)

// Manager manages the sessions of one configuration: the store, the cookie and the timeouts. It
// is safe for concurrent use and lasts as long as the application. Applications make one with
// their framework's package and pass it to the middleware.
type Manager struct {
	keyspace keyspace
	timeouts policy
	observer observer
	records  records // which holds the backend
	executor executor
	purger   *purgeLoop // nil if the store deletes expired records itself

	cookies  cookie.Writer
	former   []string // the Set-Cookie values that remove Options.FormerCookies
	codec    valueCodec
	maxSize  int
	sameSite SameSite
	lazy     bool
	preset   Preset

	noStoreSignedIn bool
	clearSiteData   string
}

// NewManager returns a manager for the options, or an error that says what to change. If the
// options have no store, the manager keeps its sessions in a bounded memory store of its own.
func NewManager(o Options) (*Manager, error) {
	if err := o.resolve(); err != nil {
		return nil, err
	}
	if o.Store == nil {
		o.Store = memstore.New(memstore.Options{})
	}
	if err := o.checkIndex(); err != nil {
		return nil, err
	}
	m := &Manager{
		keyspace: keyspace{prefix: o.Prefix, cookieName: o.Cookie.Name},
		timeouts: newPolicy(&o),
		cookies:  cookie.NewWriter(o.Cookie.attributes()),
		former:   o.formerCookies(),
		codec:    newValueCodec(o.Codec),
		maxSize:  o.MaxSize, sameSite: o.Cookie.SameSite, lazy: o.Lazy, preset: o.Preset,
		noStoreSignedIn: o.NoStoreSignedIn, clearSiteData: o.ClearSiteData,
	}
	m.observer = observer{keyspace: &m.keyspace, log: o.Logger}
	if o.OnEvent != nil {
		m.observer.hook = newDispatcher(o.OnEvent, o.Logger)
	}
	m.connect(&o)
	return m, nil
}

// resolve fills in what the options leave open and checks the result.
func (o *Options) resolve() error {
	if err := o.applyPreset(); err != nil {
		return err
	}
	if err := o.validateParts(); err != nil {
		return err
	}
	o.setDefaults()
	o.Cookie.Domain = canonicalDomain(o.Cookie.Domain)
	o.FormerCookies = slices.Clone(o.FormerCookies)
	for i := range o.FormerCookies {
		o.FormerCookies[i].setDefaults(&o.Cookie)
	}
	return o.validate()
}

// connect makes the parts of the manager that call the store.
func (m *Manager) connect(o *Options) {
	backend := newBackend(o.Store, &m.observer, o.StoreTimeout, o.StoreEvents)
	m.records = records{
		backend:       &backend,
		verifier:      verifier{keyspace: &m.keyspace, policy: &m.timeouts},
		revokeOnReuse: o.RevokeOnReuse,
		revocations:   newRevocationCount(),
	}
	m.executor = executor{
		records: &m.records,
		composer: composer{
			keyspace: &m.keyspace, policy: &m.timeouts,
			cookieNameBytes: []byte(o.Cookie.Name), noDevice: o.NoDevice, maxSize: o.MaxSize,
		},
		entropy:     entropy{newID: newID},
		maxSessions: o.MaxSessions, onLimit: o.OnLimit,
		saveQueues: new(queues), loginQueues: new(queues),
	}
	m.purger = startPurger(&backend, o.PurgeInterval)
}

func newPolicy(o *Options) policy {
	maxExpiry, _ := o.Preset.maxTimeouts()
	return policy{
		expiry: max(o.Expiry, 0), maxExpiry: maxExpiry, lifetime: o.Lifetime,
		renewEvery: o.RenewEvery, grace: max(o.Grace, 0),
		remember: !o.Cookie.SessionOnly, epoch: time.Now(),
	}
}

// attributes returns the cookie's attributes for the writer of Set-Cookie values.
func (c *Cookie) attributes() *cookie.Attributes {
	return &cookie.Attributes{
		Name: c.Name, Path: c.Path, Domain: c.Domain, SameSite: c.SameSite.value(),
		HTTPOnly: !c.DisableHTTPOnly, Secure: !c.DisableSecure, Partitioned: c.Partitioned,
	}
}

// errUnmade is the error of a nil or zero Manager.
var errUnmade = errors.New("sessions: the Manager was not made by NewManager, or its error was " +
	"ignored; pass what NewManager has returned without an error")

// made returns an error unless NewManager has made m.
func (m *Manager) made() error {
	if m == nil || m.records.backend == nil {
		return errUnmade
	}
	return nil
}

// MustBeMade panics with a sentence that says what to change unless [NewManager] has made m. It is
// for adapters, which call it when their middleware is made.
func (m *Manager) MustBeMade() {
	if err := m.made(); err != nil {
		panic(err.Error())
	}
}

// CookieName returns the name of the session cookie. It is for adapters.
func (m *Manager) CookieName() string { return m.keyspace.cookieName }

// Lazy reports whether sessions are loaded only when the handler asks for them. It is for
// adapters.
func (m *Manager) Lazy() bool { return m.lazy }

// InProcess reports whether the store keeps the sessions in the memory of this process, as
// [memstore.Store] does, so that other processes do not see them. It is for adapters.
func (m *Manager) InProcess() bool { return m.records.instant }

// KnowContexts makes the manager ask c which contexts it may keep. It is for adapters, whose
// NewManager and Middleware call it if their framework reuses contexts. Further calls with an
// equal c do nothing.
func (m *Manager) KnowContexts(c adapter.Contexts) { m.observer.know(c) }

// Warn writes advice about the settings of the application to the log. It is for adapters.
func (m *Manager) Warn(advice string) { m.observer.log.Warn("sessions: " + advice) }

// Stats returns what this manager has counted since it was created. [Manager.Count] counts the
// sessions themselves.
func (m *Manager) Stats() Stats {
	m.MustBeMade()
	return m.observer.stats()
}

// Close stops purging expired records, delivers the events that wait for [Options.OnEvent] and
// ends the manager's goroutines, if it has any. It returns the context's error if the store or
// the hook blocks; it may then be called again. Close does not close the store, which its owner
// may do afterwards. Sessions can still be used after Close, but events are no longer
// delivered.
func (m *Manager) Close(ctx context.Context) error {
	if err := m.made(); err != nil {
		return err
	}
	if err := m.purger.close(ctx); err != nil || m.observer.hook == nil {
		return err
	}
	return m.observer.hook.close(ctx)
}
