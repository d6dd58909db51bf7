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

// process serves the calls of a test in another process: calls of stores, and requests to
// managers. Its exported methods and their types are called over net/rpc. An error that they
// return fails the test.
type process struct {
	open       Open
	mu         sync.Mutex
	stores     map[string]store.Store
	managers   map[AppConfig]*core.Manager
	requests   map[int]*core.Scope // that have begun and not ended
	lastNumber int
}

func newProcess(open Open) *process {
	return &process{
		open: open, stores: make(map[string]store.Store),
		managers: make(map[AppConfig]*core.Manager), requests: make(map[int]*core.Scope),
	}
}

// AppConfig is the configuration of an application: where it keeps its sessions, and how many
// a user may have.
type AppConfig struct {
	Address, Prefix string
	MaxSessions     int
	OnLimit         core.LimitPolicy
}

// StoreCall is a call of a store's method.
type StoreCall struct {
	Address string
	Method  string
	Record  store.Record
	Text    string // the key, subject or prefix
	Cursor  string
	Limit   int
	Timeout time.Duration
}

// StoreResult is what a call of a store's method returned.
type StoreResult struct {
	Record  store.Record
	Records []store.Record
	Keys    []string
	Next    string
	Err     string // "" if the call succeeded
}

// The methods of a store.
const (
	callLoad        = "Load"
	callSave        = "Save"
	callDelete      = "Delete"
	callTouch       = "Touch"
	callBySubject   = "BySubject"
	callSubjectKeys = "SubjectKeys"
	callList        = "List"
)

// openStore returns the store at an address. It opens each store once. The caller must hold p.mu.
func (p *process) openStore(address string) (store.Store, error) {
	if found := p.stores[address]; found != nil {
		return found, nil
	}
	opened, _, err := p.open(address)
	if err == nil {
		p.stores[address] = opened
	}
	return opened, err
}

// Store calls a store.
func (p *process) Store(c StoreCall, result *StoreResult) error {
	p.mu.Lock()
	s, err := p.openStore(c.Address)
	p.mu.Unlock()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.Timeout)
	defer cancel()
	if err := c.do(ctx, s, result); err != nil {
		result.Err = err.Error()
	}
	return nil
}

func (c *StoreCall) do(ctx context.Context, s store.Store, result *StoreResult) (err error) {
	toucher, _ := s.(store.Toucher)
	indexer, _ := s.(store.Indexer)
	pager, _ := s.(store.SubjectPager)
	lister, _ := s.(store.Lister)
	switch {
	case c.Method == callLoad:
		result.Record, err = s.Load(ctx, c.Text)
	case c.Method == callSave:
		result.Record, err = s.Save(ctx, c.Record)
	case c.Method == callDelete:
		err = s.Delete(ctx, c.Text)
	case c.Method == callTouch && toucher != nil:
		err = toucher.Touch(ctx, c.Record)
	case c.Method == callBySubject && indexer != nil:
		result.Records, err = indexer.BySubject(ctx, c.Text)
	case c.Method == callSubjectKeys && pager != nil:
		result.Keys, result.Next, err = pager.SubjectKeys(ctx, c.Text, c.Cursor, c.Limit)
	case c.Method == callList && lister != nil:
		result.Records, result.Next, err = lister.List(ctx, c.Text, c.Cursor, c.Limit)
	default:
		err = errors.ErrUnsupported
	}
	return err
}

// manager returns the manager of an application. It creates each manager once.
func (p *process) manager(config AppConfig) (*core.Manager, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if found := p.managers[config]; found != nil {
		return found, nil
	}
	s, err := p.openStore(config.Address)
	if err != nil {
		return nil, err
	}
	m, err := newManager(s, config, hangTimeout)
	if err == nil {
		p.managers[config] = m
	}
	return m, err
}

// AdminCall lists or revokes the sessions of a user.
type AdminCall struct {
	Config  AppConfig
	Revoke  bool // revoke all of them instead of listing them
	Subject string
}

// Admin makes an AdminCall and returns the ids that it lists.
func (p *process) Admin(c AdminCall, ids *[]string) error {
	m, err := p.manager(c.Config)
	if err != nil {
		return err
	}
	if c.Revoke {
		_, err := m.RevokeAll(context.Background(), c.Subject)
		return err
	}
	list, err := m.List(context.Background(), c.Subject)
	for i := range list {
		*ids = append(*ids, list[i].ID)
	}
	return err
}

// Walk returns how many sessions the application has.
func (p *process) Walk(config AppConfig, sessions *int) error {
	m, err := p.manager(config)
	if err != nil {
		return err
	}
	for _, err := range m.All(context.Background()) {
		if err != nil {
			return err
		}
		*sessions++
	}
	return nil
}

// BeginArgs are the arguments of Begin.
type BeginArgs struct {
	Config AppConfig
	Cookie string
}

// Begin begins a request and returns a number for it.
func (p *process) Begin(args BeginArgs, number *int) error {
	m, err := p.manager(args.Config)
	if err != nil {
		return err
	}
	sc, err := beginRequest(context.Background(), m, args.Cookie)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastNumber++
	p.requests[p.lastNumber], *number = sc, p.lastNumber
	return nil
}

// EndArgs are the arguments of End.
type EndArgs struct {
	Number int
	Action Action
}

// Reply is the response of a request, and the session as the handler left it.
type Reply struct {
	SetCookie string
	Refused   bool // the login exceeded the limit
	Gone      bool // the login was refused, because the session was revoked meanwhile
	Overtaken core.Reason
	ID        string
	IsNew     bool
	Subject   string
	Values    map[string]int
}

// End performs the action of a request's handler and ends the request.
func (p *process) End(args EndArgs, r *Reply) error {
	p.mu.Lock()
	sc := p.requests[args.Number]
	delete(p.requests, args.Number)
	p.mu.Unlock()
	s := sc.Get()
	if err := args.Action.do(s); err != nil && !errors.Is(err, core.ErrGone) {
		return err
	}
	setCookie, err := endRequest(sc)
	if errors.Is(err, core.ErrLimit) {
		*r = Reply{Refused: true}
		return nil
	}
	if errors.Is(err, core.ErrGone) {
		*r = Reply{Gone: true}
		return nil
	}
	if err != nil {
		return err
	}
	*r = Reply{
		SetCookie: setCookie, ID: s.ID(), IsNew: s.IsNew(), Subject: s.Subject(),
		Values: make(map[string]int),
	}
	r.Overtaken, _ = s.Overtaken()
	for _, key := range s.Keys() {
		r.Values[key] = core.Key[int](key).Get(s)
	}
	return nil
}

// CountArgs are the arguments of Count. Each worker has a counter of its own, whose key is the
// name followed by the worker's number.
type CountArgs struct {
	Config        AppConfig
	Cookie        string
	Name          string
	Workers, Each int
}

// Count lets all workers send requests concurrently, each the given number. Each request
// increments the common counter and the worker's own. It does nothing if the session does not
// exist.
func (p *process) Count(args CountArgs, _ *int) error {
	m, err := p.manager(args.Config)
	if err != nil {
		return err
	}
	errs := make([]error, args.Workers)
	var all sync.WaitGroup
	for n := range args.Workers {
		all.Go(func() {
			for i := 0; i < args.Each && errs[n] == nil; i++ {
				errs[n] = countOne(browser{m, args.Cookie}, args.Name+strconv.Itoa(n))
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
		return Action{actionCount, own}.do(s)
	})
}
