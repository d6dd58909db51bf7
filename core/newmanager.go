package core

import (
	"slices"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/cookie"
	"github.com/cloakroom-go/sessions/core/memstore"
)

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
