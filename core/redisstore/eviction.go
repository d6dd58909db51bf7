package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// A server that reaches its maxmemory may make room by evicting keys. A session that is evicted
// has just ended. An index that is evicted leaves sessions that nobody can find or revoke, so
// the store refuses a server whose settings allow that. Every policy but noeviction does: the
// volatile ones as well, because an index expires with its last session. Even volatile-ttl,
// which prefers what expires soonest, compares only a few keys that it has drawn at random.

// The scripts look at the settings of the server that has the index, as a part of what they do
// anyway: when they read the index, and for a save once per lookInterval.
const lookInterval = time.Minute

// evictionWatch decides which scripts look at the server's settings.
type evictionWatch struct {
	accepted bool         // nothing looks
	nextLook atomic.Int64 // when a save looks again, in nanoseconds since the Unix epoch
}

// onRead returns the argument that makes a script look, for one that reads an index.
func (w *evictionWatch) onRead() string {
	if w.accepted {
		return ""
	}
	return "1"
}

// onSave is onRead for a script that saves a record of a subject.
func (w *evictionWatch) onSave(now time.Time) string {
	if w.accepted || now.UnixNano() < w.nextLook.Load() {
		return ""
	}
	return "1"
}

// note takes the result of a script with the argument look. After a server that may evict
// indexes, every save looks until one has found another.
func (w *evictionWatch) note(look string, err error, now time.Time) {
	switch {
	case evictionRisk(err) != nil:
		w.nextLook.Store(0)
	case err == nil && look != "":
		w.nextLook.Store(now.Add(lookInterval).UnixNano())
	}
}

// evictionError says what to do about a server that may evict indexes.
type evictionError string

// Error returns the sentence.
func (e evictionError) Error() string { return string(e) }

// evictionRisk returns an evictionError if err is an error of lookLua, and otherwise nil.
func evictionRisk(err error) error {
	switch {
	case err == nil:
		return nil
	case redis.HasErrorPrefix(err, "EVICTS "):
		_, policy, _ := strings.Cut(err.Error(), "EVICTS ")
		return evictionError("the server may evict the index by which a user's sessions are " +
			"found and revoked: set its maxmemory-policy to noeviction instead of " + policy +
			", or AcceptEviction in the options of the store")
	case redis.HasErrorPrefix(err, "NOINFO "):
		_, reason, _ := strings.Cut(err.Error(), "NOINFO ")
		return evictionError("the server does not say whether it may evict the index by which " +
			"a user's sessions are found and revoked (" + reason + "): allow the command INFO " +
			"to the client's user, or set AcceptEviction in the options of the store")
	}
	return nil
}

// checkEviction returns an error if a server may evict an index. A server that does not answer
// in time is left to the first use of an index.
func checkEviction(
	ctx context.Context, client redis.UniversalClient, look *redis.Script,
) error {
	var err error
	if cluster, ok := client.(*redis.ClusterClient); ok {
		err = cluster.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error {
			return evictionRisk(look.Run(ctx, master, nil).Err())
		})
	} else {
		err = evictionRisk(look.Run(ctx, client, nil).Err())
	}
	if risk, ok := errors.AsType[evictionError](err); ok {
		return fmt.Errorf("sessions: redisstore: %w", risk)
	}
	return nil
}
