// Command install makes the servers that the stores' tests need available on a Debian machine.
//
// Its arguments name servers (redis, valkey, memcached, postgres, mariadb, mongo); without any, it installs all.
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
