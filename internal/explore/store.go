package explore

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/memstore"
)

// errReplyLost is what the caller of a save gets whose reply was lost.
var errReplyLost = errors.New("explore: the reply of the store was lost")

// gatedStore is a memory store in which each call of a request waits for the scheduler. It is
// not an instant store, so that the manager treats it as one behind a network.
type gatedStore struct {
	memory *memstore.Store
	world  *world
}

var (
	_ core.Store   = (*gatedStore)(nil)
	_ core.Toucher = (*gatedStore)(nil)
	_ core.Indexer = (*gatedStore)(nil)
	_ core.Lister  = (*gatedStore)(nil)
)

// call is a store call that waits for the scheduler.
type call struct {
	name    string
	access  access
	key     string
	number  int  // within its request
	lose    bool // the scheduler has decided that the reply is lost
	release chan struct{}
	record  *core.Record // what is to be saved, if it is a save
}

func (g *gatedStore) Load(ctx context.Context, key string) (core.Record, error) {
	c := call{name: "load", access: reads, key: key}
	g.wait(ctx, &c)
	rec, err := g.memory.Load(ctx, key)
	g.done(ctx, &c, err)
	return rec, err
}

func (g *gatedStore) Save(ctx context.Context, rec core.Record) (core.Record, error) {
	c := call{name: "save", access: writes, key: rec.Key, record: &rec}
	g.wait(ctx, &c)
	saved, err := g.memory.Save(ctx, rec)
	g.done(ctx, &c, err)
	if c.lose {
		return core.Record{}, errReplyLost
	}
	return saved, err
}

func (g *gatedStore) Touch(ctx context.Context, rec core.Record) error {
	c := call{name: "touch", access: writes, key: rec.Key}
	g.wait(ctx, &c)
	err := g.memory.Touch(ctx, rec)
	g.done(ctx, &c, err)
	return err
}

func (g *gatedStore) Delete(ctx context.Context, key string) error {
	c := call{name: "delete", access: writes, key: key}
	g.wait(ctx, &c)
	err := g.memory.Delete(ctx, key)
	g.done(ctx, &c, err)
	return err
}

func (g *gatedStore) BySubject(ctx context.Context, subject string) ([]core.Record, error) {
	c := call{name: "list the subject", access: lists}
	g.wait(ctx, &c)
	recs, err := g.memory.BySubject(ctx, subject)
	g.done(ctx, &c, err)
	// The order of the memory store is not the same in each run.
	slices.SortFunc(recs, func(a, b core.Record) int { return cmp.Compare(a.Key, b.Key) })
	return recs, err
}

func (g *gatedStore) List(
	ctx context.Context, prefix, cursor string, limit int,
) ([]core.Record, string, error) {
	c := call{name: "list all", access: lists}
	g.wait(ctx, &c)
	recs, next, err := g.memory.List(ctx, prefix, cursor, limit)
	g.done(ctx, &c, err)
	return recs, next, err
}

// wait blocks until the scheduler releases the call. A call that belongs to no request under
// way does not wait.
func (g *gatedStore) wait(ctx context.Context, c *call) {
	r := requestOf(ctx)
	if r == nil || r.world.free.Load() {
		return
	}
	c.release = make(chan struct{})
	r.stopAt(c)
	<-c.release
}

// done records a call that was carried out.
func (g *gatedStore) done(ctx context.Context, c *call, err error) {
	if r := requestOf(ctx); r != nil {
		r.called(c, err)
	}
}

// canLose reports whether a save would succeed now. Only then a lost reply makes a difference.
func (g *gatedStore) canLose(c *call) bool {
	if c.record == nil {
		return false
	}
	stored, err := g.memory.Load(context.Background(), c.key)
	if err != nil {
		return c.record.Version == 0
	}
	return c.record.Version == stored.Version
}
