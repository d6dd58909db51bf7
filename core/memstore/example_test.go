package memstore_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloakroom-go/sessions/core/memstore"
	"github.com/cloakroom-go/sessions/core/store"
)

// A store within bounds that fit the machine. Sessions are given one through the Store option; without it they make one
// with the default bounds.
func Example() {
	ctx := context.Background()
	s := memstore.New(memstore.Options{MaxRecords: 100_000, MaxBytes: 64 << 20})
	defer func() { _ = s.Close() }()

	created, err := s.Save(ctx, store.Record{Key: "session:1", Data: []byte("hello"), Expires: time.Now().Add(time.Hour)})
	fmt.Println("created:", err)

	changed := created
	changed.Data = []byte("changed by one request")
	_, err = s.Save(ctx, changed)
	fmt.Println("changed:", err)

	created.Data = []byte("changed by another, which had not seen it")
	current, err := s.Save(ctx, created)
	fmt.Println("conflict:", errors.Is(err, store.ErrConflict), "-", string(current.Data))

	// Output:
	// created: <nil>
	// changed: <nil>
	// conflict: true - changed by one request
}

// Signed-in sessions stay when the store is full, even if that means to refuse new ones.
func ExampleOptions() {
	ctx := context.Background()
	s := memstore.New(memstore.Options{MaxRecords: 2, KeepSignedIn: true})

	save := func(key, subject string) {
		_, err := s.Save(ctx, store.Record{Key: key, Subject: subject, Expires: time.Now().Add(time.Hour)})
		fmt.Println(key+":", err)
	}
	save("anonymous", "")
	save("alice", "alice")
	save("bob", "bob") // in the place of the anonymous one
	save("carol", "carol")

	// Output:
	// anonymous: <nil>
	// alice: <nil>
	// bob: <nil>
	// carol: sessions: store is full
}
