// Command ferretdb runs FerretDB with its SQLite backend, which tests use in place of MongoDB.
//
// FerretDB finds a document and then updates it by its id, so its conditional updates are not
// atomic, while those of MongoDB are. Clients therefore connect to a proxy that forwards one
// message at a time.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/FerretDB/FerretDB/ferretdb"
)

func main() {
	addr := flag.String("listen", "127.0.0.1:27017", "`address` to serve clients at")
	dir := flag.String("dir", ".", "`folder` of the databases")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *addr, *dir)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "ferretdb:", err)
		os.Exit(1)
	}
}

// run serves clients until ctx is done.
func run(ctx context.Context, addr, dir string) error {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	socket := filepath.Join(dir, "ferretdb.sock")
	// A killed process leaves its socket behind.
	if err := os.Remove(socket); err != nil && !os.IsNotExist(err) {
		return err
	}
	log := slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})
	db, err := ferretdb.New(&ferretdb.Config{
		Listener: ferretdb.ListenerConfig{Unix: socket},
		Logger:   slog.New(log),
		Handler:  "sqlite",
		// Writes need not wait for the disk, since the tests kill processes, not the machine.
		SQLiteURL: "file:" + dir + "/?_pragma=synchronous(off)",
	})
	if err != nil {
		return err
	}
	go (&serializer{target: socket}).serve(listener)
	return db.Run(ctx)
}
