package faulttest

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/store"
)

// process is what another process does for a test: calls of stores, and requests through managers.
type process struct {
	open     Open
	mu       sync.Mutex
	stores   map[string]store.Store
	managers map[Place]*core.Manager
	under    map[int]*core.Scope // requests on their way
	last     int
}

func newProcess(open Open) *process {
	return &process{
		open: open, stores: make(map[string]store.Store), managers: make(map[Place]*core.Manager), under: make(map[int]*core.Scope),
	}
}

// Place is where an application keeps its sessions, and how many a user may have. It is exported, like all in this file,
// for net/rpc.
type Place struct {
	Address, Prefix string
	MaxSessions     int
	OnLimit         core.LimitPolicy
}

// Call is a call of a method of a store, and Answer what came of it.
type Call struct {
	Address string
	Method  string
	Record  store.Record
	Text    string
	Cursor  string
	Limit   int
	Budget  time.Duration
}

// Answer is what a call returned.
type Answer struct {
	Record  store.Record
	Records []store.Record
	Next    string
	Failed  string
}

// The methods of a store.
const (
	callLoad      = "Load"
	callSave      = "Save"
	callDelete    = "Delete"
	callTouch     = "Touch"
	callBySubject = "BySubject"
	callList      = "List"
)

// store returns the store at an address, the same one each time. It needs p.mu held.
func (p *process) store(address string) (store.Store, error) {
	if found := p.stores[address]; found != nil {
		return found, nil
	}
	made, _, err := p.open(address)
	if err == nil {
		p.stores[address] = made
	}
	return made, err
}

// Store makes one call of a store. What it returns itself is a failure of the test.
func (p *process) Store(c Call, a *Answer) error {
	p.mu.Lock()
	s, err := p.store(c.Address)
	p.mu.Unlock()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.Budget)
	defer cancel()
	if err := c.make(ctx, s, a); err != nil {
		a.Failed = err.Error()
	}
	return nil
}

func (c *Call) make(ctx context.Context, s store.Store, a *Answer) (err error) {
	toucher, _ := s.(store.Toucher)
	indexer, _ := s.(store.Indexer)
	lister, _ := s.(store.Lister)
	switch {
	case c.Method == callLoad:
		a.Record, err = s.Load(ctx, c.Text)
	case c.Method == callSave:
		a.Record, err = s.Save(ctx, c.Record)
	case c.Method == callDelete:
		err = s.Delete(ctx, c.Text)
	case c.Method == callTouch && toucher != nil:
		err = toucher.Touch(ctx, c.Record)
	case c.Method == callBySubject && indexer != nil:
		a.Records, err = indexer.BySubject(ctx, c.Text)
	case c.Method == callList && lister != nil:
		a.Records, a.Next, err = lister.List(ctx, c.Text, c.Cursor, c.Limit)
	default:
		err = errors.ErrUnsupported
	}
	return err
}

// manager returns the manager at a place, the same one each time.
func (p *process) manager(at Place) (*core.Manager, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if found := p.managers[at]; found != nil {
		return found, nil
	}
	s, err := p.store(at.Address)
	if err != nil {
		return nil, err
	}
	made, err := newManager(s, at, patience)
	if err == nil {
		p.managers[at] = made
	}
	return made, err
}

// Office is an errand of the back office: of a subject, the ids or how many were ended.
type Office struct {
	Place   Place
	Revoke  bool // all of the subject's sessions, else they are listed
	Subject string
}

// Do does the errand and returns the ids that it listed.
func (p *process) Do(o Office, ids *[]string) error {
	m, err := p.manager(o.Place)
	if err != nil {
		return err
	}
	if o.Revoke {
		_, err := m.RevokeAll(context.Background(), o.Subject)
		return err
	}
	list, err := m.List(context.Background(), o.Subject)
	for i := range list {
		*ids = append(*ids, list[i].ID)
	}
	return err
}

// Arrival begins a request.
type Arrival struct {
	Place  Place
	Cookie string
}

// Arrive begins a request and returns the number under which it goes on.
func (p *process) Arrive(a Arrival, number *int) error {
	m, err := p.manager(a.Place)
	if err != nil {
		return err
	}
	sc, err := arrive(context.Background(), m, a.Cookie)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last++
	p.under[p.last], *number = sc, p.last
	return nil
}

// Departure ends a request.
type Departure struct {
	Number int
	Deed   Deed
}

// Reply is what the browser gets, and what the handler saw in the end.
type Reply struct {
	SetCookie string
	Refused   bool // a login beyond the limit
	IsNew     bool
	Subject   string
	Values    map[string]int
}

// Leave lets the handler run and ends the request.
func (p *process) Leave(d Departure, r *Reply) error {
	p.mu.Lock()
	sc := p.under[d.Number]
	delete(p.under, d.Number)
	p.mu.Unlock()
	s := sc.Get()
	if err := d.Deed.act(s); err != nil && !errors.Is(err, core.ErrGone) {
		return err
	}
	setCookie, err := leave(sc)
	if errors.Is(err, core.ErrLimit) {
		*r = Reply{Refused: true}
		return nil
	}
	if err != nil {
		return err
	}
	*r = Reply{SetCookie: setCookie, IsNew: s.IsNew(), Subject: s.Subject(), Values: make(map[string]int)}
	for _, key := range s.Keys() {
		r.Values[key] = core.Key[int](key).Get(s)
	}
	return nil
}

// Crowd is many requests at once.
type Crowd struct {
	Place         Place
	Cookie        string
	Name          string // each worker has a counter of its own that begins with it
	Workers, Each int
}

// Count has all workers count, each in requests one after the other. They leave a session alone that is not there.
func (p *process) Count(c Crowd, _ *int) error {
	m, err := p.manager(c.Place)
	if err != nil {
		return err
	}
	errs := make([]error, c.Workers)
	var all sync.WaitGroup
	for n := range c.Workers {
		all.Go(func() {
			for i := 0; i < c.Each && errs[n] == nil; i++ {
				errs[n] = countOne(browser{m, c.Cookie}, c.Name+strconv.Itoa(n))
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func countOne(b browser, own string) error {
	return b.visit(context.Background(), func(s *core.Session) error {
		if s.IsNew() {
			return nil
		}
		return Deed{doCount, own}.act(s)
	})
}
