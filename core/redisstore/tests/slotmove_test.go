package tests_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// slotMove moves one slot of a cluster back and forth between two masters.
type slotMove struct {
	masters [2]*redis.Client
	ids     [2]string
	slot    int
	keys    []string // of the slot, whether they exist or not
}

func newSlotMove(t *testing.T, set *testserver.ClusterSet, keys []string) *slotMove {
	t.Helper()
	m := &slotMove{keys: keys}
	for i, server := range set.Masters[:2] {
		m.masters[i] = nodeClient(t, server, "")
		m.ids[i] = m.masters[i].Do(t.Context(), "cluster", "myid").Val().(string)
	}
	m.slot = int(m.masters[0].ClusterKeySlot(t.Context(), keys[0]).Val())
	return m
}

// move hands the slot from one master to the other, and pauses while part of its keys is here and part there.
func (m *slotMove) move(t *testing.T, from int) {
	t.Helper()
	to := 1 - from
	m.set(t, to, "importing", m.ids[from])
	m.set(t, from, "migrating", m.ids[to])
	host, port, _ := strings.Cut(m.masters[to].Options().Addr, ":")
	for left := true; left; {
		time.Sleep(3 * time.Millisecond)
		keys := m.masters[from].ClusterGetKeysInSlot(t.Context(), m.slot, 1).Val()
		if left = len(keys) > 0; left {
			if err := m.masters[from].Migrate(t.Context(), host, port, keys[0], 0, 5*time.Second).Err(); err != nil {
				t.Errorf("MIGRATE = %v", err)
			}
		}
	}
	m.set(t, to, "node", m.ids[to])
	m.set(t, from, "node", m.ids[to])
	time.Sleep(20 * time.Millisecond)
}

func (m *slotMove) set(t *testing.T, master int, state, id string) {
	t.Helper()
	if err := m.masters[master].Do(t.Context(), "cluster", "setslot", m.slot, state, id).Err(); err != nil {
		t.Fatalf("CLUSTER SETSLOT %s = %v", state, err)
	}
}

// TestClusterSlotMoves has several requests change each of a few sessions while their slot moves from master to master. What
// a server redirects it has not executed, so all of them are answered.
func TestClusterSlotMoves(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, valkey bool) {
		t.Helper()
		set := testserver.Start(t, testserver.RedisCluster{Valkey: valkey})
		p := place{Where: strings.Join(set.Addrs(), ","), Cluster: true}
		tag := "{" + ownedBy(set, 0, "", "moving") + "}"
		var keys []string
		for n := range 20 {
			keys = append(keys, fmt.Sprint("session:", tag, n))
		}
		moves := newSlotMove(t, set, keys)
		done := make(chan struct{})
		var calls, conflicts atomic.Int32
		var wg sync.WaitGroup
		for range 8 {
			_, s := p.open(t)
			wg.Go(func() {
				for n := 0; ; n++ {
					select {
					case <-done:
						return
					default:
					}
					err := visit(t, s, keys[n%len(keys)], &conflicts)
					if calls.Add(1); err != nil {
						t.Errorf("a visit while its slot moves = %v", err)
						return
					}
				}
			})
		}
		for n := range 8 {
			moves.move(t, n%2)
		}
		close(done)
		wg.Wait()
		t.Logf("%d visits, %d conflicts", calls.Load(), conflicts.Load())
		if conflicts.Load() == 0 {
			t.Error("no visit met another one, so the test shows nothing")
		}
	})
}

// visit loads a session, or creates it, and saves it until that succeeds.
func visit(t *testing.T, s store.Store, key string, conflicts *atomic.Int32) error {
	t.Helper()
	rec, err := s.Load(t.Context(), key)
	if errors.Is(err, store.ErrNotFound) {
		rec, err = recordFor(key, "mover"), nil
	}
	for err == nil {
		saved, failure := s.Save(t.Context(), rec)
		if !errors.Is(failure, store.ErrConflict) {
			return failure
		}
		conflicts.Add(1)
		if rec = saved; rec.Version == 0 {
			rec, err = s.Load(t.Context(), key)
		}
	}
	return err
}
