package tests_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/redisstore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// configure sets what a server may evict.
func configure(tb testing.TB, client redis.UniversalClient, maxMemory, policy string) {
	tb.Helper()
	for name, value := range map[string]string{"maxmemory": maxMemory, "maxmemory-policy": policy} {
		if err := client.ConfigSet(tb.Context(), name, value).Err(); err != nil {
			tb.Fatal(err)
		}
	}
}

// nodeClient returns a client of one server.
func nodeClient(tb testing.TB, server *testserver.Server, password string) *redis.Client {
	tb.Helper()
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), Password: password, ContextTimeoutEnabled: true})
	closing(tb, client)
	return client
}

// warns checks that an error says what to do about eviction, and is none that a caller takes for something else.
func warns(tb testing.TB, what string, err error) {
	tb.Helper()
	if err == nil || !strings.Contains(err.Error(), "maxmemory-policy to noeviction") || !strings.Contains(err.Error(), "AcceptEviction") {
		tb.Errorf("%s = %v, want an error that says what to set", what, err)
	}
	for _, other := range []error{store.ErrNotFound, store.ErrConflict, store.ErrFull, errors.ErrUnsupported} {
		if errors.Is(err, other) {
			tb.Errorf("%s = %v, which is %v", what, err, other)
		}
	}
}

// newFor makes a store on a client for which New may fail.
func newFor(client redis.UniversalClient, accept bool) (*redisstore.Store, error) {
	return redisstore.New(client, redisstore.Options{AcceptEviction: accept})
}

// TestNewRefusesEviction has servers with every setting. Those that can evict an index are refused.
func TestNewRefusesEviction(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, valkey bool) {
		t.Helper()
		client, _ := place{Where: testserver.Start(t, testserver.Redis{Valkey: valkey}).URL()}.open(t)
		for _, policy := range []string{
			"allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl",
		} {
			configure(t, client, "100mb", policy)
			_, err := newFor(client, false)
			warns(t, policy+": New", err)
			if err != nil && (!strings.HasPrefix(err.Error(), "sessions: redisstore: ") || !strings.Contains(err.Error(), policy)) {
				t.Errorf("%s: New = %v, want an error of this package that names the policy", policy, err)
			}
			s, err := newFor(client, true)
			if err != nil {
				t.Fatalf("%s, accepted: New = %v", policy, err)
			}
			recovers(t, s)
			configure(t, client, "0", policy)
			if _, err := newFor(client, false); err != nil {
				t.Errorf("%s without maxmemory: New = %v, want success", policy, err)
			}
		}
		configure(t, client, "100mb", "noeviction")
		s, err := newFor(client, false)
		if err != nil {
			t.Fatalf("noeviction: New = %v, want success", err)
		}
		recovers(t, s)
	})
}

// TestNewRefusesEvictionInCluster has one master of three that evicts. New does not wait for one that stands still.
func TestNewRefusesEvictionInCluster(t *testing.T) {
	t.Parallel()
	set := testserver.Start(t, testserver.RedisCluster{})
	client, _ := place{Where: strings.Join(set.Addrs(), ","), Cluster: true}.open(t)
	configure(t, nodeClient(t, set.Masters[1], ""), "100mb", "volatile-lru")
	_, err := newFor(client, false)
	warns(t, "New", err)
	set.Masters[1].Pause(t)
	promptly(t, func() {
		if _, err = newFor(client, false); err != nil {
			t.Errorf("New while the master that evicts stands still = %v, want success", err)
		}
	})
	set.Masters[1].Resume(t)
}

// TestClusterLooksWhereTheIndexIs has one master that evicts, unseen at the start: only subjects whose index it has fail.
func TestClusterLooksWhereTheIndexIs(t *testing.T) {
	t.Parallel()
	set := testserver.Start(t, testserver.RedisCluster{})
	_, s := place{Where: strings.Join(set.Addrs(), ","), Cluster: true}.open(t)
	for of := range set.Masters {
		subject := ownedBy(set, of, redisstore.DefaultIndexPrefix, "somebody")
		mustSave(t, s, recordFor(fmt.Sprint("of:", of), subject))
	}
	configure(t, nodeClient(t, set.Masters[1], ""), "100mb", "allkeys-lru")
	for of := range set.Masters {
		subject := ownedBy(set, of, redisstore.DefaultIndexPrefix, "somebody")
		if of != 1 {
			belongs(t, s, subject, fmt.Sprint("of:", of))
			continue
		}
		_, err := s.BySubject(t.Context(), subject)
		warns(t, "BySubject", err)
		_, err = s.Save(t.Context(), recordFor("another", subject))
		warns(t, "Save", err)
		if _, err := s.Load(t.Context(), "another"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Load of what was refused = %v, want ErrNotFound", err)
		}
	}
}

// TestNewNeedsInfo has a user who may not ask for the settings.
func TestNewNeedsInfo(t *testing.T) {
	t.Parallel()
	server := testserver.Start(t, testserver.Redis{User: "app", Rules: "~session:* ~sessions-of:* resetchannels " + commands + " -info"})
	client, err := place{Where: server.URL()}.client(0)
	if err != nil {
		t.Fatal(err)
	}
	closing(t, client)
	if _, err := newFor(client, false); err == nil || !strings.Contains(err.Error(), "INFO") || !strings.Contains(err.Error(), "AcceptEviction") {
		t.Errorf("New = %v, want an error that says to allow INFO", err)
	}
	s, err := newFor(client, true)
	if err != nil {
		t.Fatal(err)
	}
	rec := mustSave(t, s, recordFor("session:1", "somebody"))
	belongs(t, s, "somebody", rec.Key)
	if keys, next, err := s.SubjectKeys(t.Context(), "somebody", "", 0); err != nil || len(keys) != 1 || next != "" {
		t.Errorf("SubjectKeys = %q, %q, %v, want one key", keys, next, err)
	}
}

// TestNewBeforeTheServer makes a store before there is a server that it would refuse. It is refused once it is used.
func TestNewBeforeTheServer(t *testing.T) {
	t.Parallel()
	server := testserver.Start(t, testserver.Redis{MaxMemory: "100mb", Policy: "allkeys-lru"})
	proxy := server.Proxy(t)
	proxy.Drop()
	client, err := place{Where: proxy.Through(server.URL())}.client(-1)
	if err != nil {
		t.Fatal(err)
	}
	closing(t, client)
	start := time.Now()
	s, err := newFor(client, false)
	if err != nil {
		t.Fatalf("New without a server = %v, want success", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("New without a server took %v", took)
	}
	proxy.Heal()
	rec := record("anonymous")
	eventually(t, "the store does not recover", func() bool { rec, err = s.Save(t.Context(), rec); return err == nil })
	_, err = s.Save(t.Context(), recordFor("signed in", "somebody"))
	warns(t, "Save", err)
	if _, err := s.Load(t.Context(), "signed in"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Load of what was refused = %v, want ErrNotFound", err)
	}
	_, err = s.BySubject(t.Context(), "somebody")
	warns(t, "BySubject", err)
}

// TestSettingsChange changes the settings of a running server, and has it lose an index.
func TestSettingsChange(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, valkey bool) {
		t.Helper()
		client, s := place{Where: testserver.Start(t, testserver.Redis{Valkey: valkey}).URL()}.open(t)
		rec := mustSave(t, s, recordFor("known", "somebody"))
		anonymous := mustSave(t, s, record("anonymous"))
		configure(t, client, "100mb", "allkeys-lru")
		if err := client.Unlink(t.Context(), "sessions-of:somebody").Err(); err != nil { // as evicted
			t.Fatal(err)
		}
		found, err := s.BySubject(t.Context(), "somebody")
		warns(t, "BySubject", err)
		keys, _, err := s.SubjectKeys(t.Context(), "somebody", "", 0)
		warns(t, "SubjectKeys", err)
		if len(found)+len(keys) != 0 {
			t.Errorf("with the error come %d records and %d keys", len(found), len(keys))
		}
		_, err = s.Save(t.Context(), rec)
		warns(t, "Save of a signed-in session", err)
		_, err = s.Save(t.Context(), recordFor("login", "somebody"))
		warns(t, "Save of a new signed-in session", err)
		mustSave(t, s, anonymous)
		if got, err := s.Load(t.Context(), rec.Key); err != nil || got.Version != rec.Version {
			t.Errorf("Load = version %d, %v, want the record as it was", got.Version, err)
		}
		rec = later(rec)
		if err := s.Touch(t.Context(), rec); err != nil {
			t.Errorf("Touch = %v, want success", err)
		}
		mustDelete(t, s, anonymous.Key)

		configure(t, client, "100mb", "noeviction")
		belongs(t, s, "somebody", rec.Key)
		mustSave(t, s, rec)
		recovers(t, s)
	})
}

// TestEvictionFailsRevokeAll asks a manager for what it cannot do when the server has lost the index.
func TestEvictionFailsRevokeAll(t *testing.T) {
	t.Parallel()
	client, s := place{Where: testserver.Start(t, testserver.Redis{}).URL()}.open(t)
	m, err := core.NewManager(core.Options{Store: s, MaxSessions: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close(t.Context()) })
	configure(t, client, "100mb", "volatile-ttl")
	n, err := m.RevokeAll(t.Context(), "somebody")
	warns(t, "RevokeAll", err)
	if n != 0 {
		t.Errorf("RevokeAll = %d", n)
	}
}

// TestSettingsAfterFailover has a replica with other settings take over.
func TestSettingsAfterFailover(t *testing.T) {
	t.Parallel()
	set := testserver.Start(t, testserver.RedisSentinel{Password: "secret"})
	client := redis.NewFailoverClient(&redis.FailoverOptions{
		MasterName: testserver.SentinelMaster, SentinelAddrs: set.Addrs(), Password: "secret", ContextTimeoutEnabled: true,
	})
	closing(t, client)
	s := newStore(t, client)
	mustSave(t, s, recordFor("known", "somebody"))
	belongs(t, s, "somebody", "known")
	configure(t, nodeClient(t, set.Replica, "secret"), "100mb", "allkeys-lru")
	belongs(t, s, "somebody", "known")
	set.Master.Kill(t)
	var err error
	eventually(t, "nothing says that the new master evicts", func() bool {
		_, err = s.BySubject(t.Context(), "somebody")
		return err != nil && strings.Contains(err.Error(), "noeviction")
	})
	warns(t, "BySubject", err)
}

// TestTouchRestoresEntry has a server that has lost an index. A touch puts the entry back, also if there is nothing to extend.
func TestTouchRestoresEntry(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]place{"single": single(t), "cluster": cluster(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, s := p.open(t)
			rec := mustSave(t, s, recordFor(key("touched"), key("subject")))
			ix := index{t, client, "sessions-of:" + rec.Subject}
			shorter := rec
			shorter.Expires = rec.Expires.Add(-10 * time.Minute)
			permanent := rec
			permanent.Expires = time.Time{}
			for _, c := range []struct {
				name string
				rec  store.Record
				ends time.Time
			}{
				{"shorter", shorter, rec.Expires},
				{"equal", rec, rec.Expires},
				{"longer", later(rec), later(rec).Expires},
				{"permanent", permanent, time.Time{}},
				{"of a permanent one", rec, time.Time{}},
			} {
				if err := client.Unlink(t.Context(), ix.key).Err(); err != nil {
					t.Fatal(err)
				}
				if err := s.Touch(t.Context(), c.rec); err != nil {
					t.Errorf("%s: Touch = %v", c.name, err)
				}
				belongs(t, s, rec.Subject, rec.Key)
				at, ok := ix.ends(rec.Key)
				early := !c.ends.IsZero() && at.Before(c.ends.Add(-10*time.Millisecond))
				if forever := at.After(time.Now().AddDate(100, 0, 0)); !ok || early || c.ends.IsZero() != forever {
					t.Errorf("%s: the entry ends at %v, %v, want not before %v", c.name, at, ok, c.ends)
				}
			}
			mustDelete(t, s, rec.Key)
		})
	}
}
