// Command install installs the servers that the tests of the stores need on a Debian machine.
//
// Its arguments are names of servers: redis, valkey, memcached, postgres, pgbouncer, mariadb and
// mongo. Without arguments it installs all of them.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/cloakroom-go/sessions/internal/testserver"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := testserver.Install(ctx, os.Stderr, os.Args[1:]...)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "install:", err)
		os.Exit(1)
	}
}
