package testserver_test

import (
	"testing"

	"github.com/cloakroom-go/sessions/internal/testserver"
)

// The types follow from the spec, in other packages too.
func TestStartReturnsWhatTheSpecDescribes(t *testing.T) {
	t.Parallel()
	redis := testserver.Shared(t, testserver.Redis{})
	cluster := testserver.Shared(t, testserver.RedisCluster{})
	if redis.Addr() == "" || len(cluster.Addrs()) != 3 {
		t.Errorf("addresses %q and %q", redis.Addr(), cluster.Addrs())
	}
}
