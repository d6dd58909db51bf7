package fiberstore_test

import (
	"context"
	"fmt"
	"log"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/fiberstore"
)

// Example keeps sessions in a storage of Fiber v3.
func Example() {
	storage := &storageV3{}

	store, err := fiberstore.New(storage, fiberstore.Options{OneProcess: true})
	if err != nil {
		log.Fatal(err)
	}
	m, err := core.NewManager(core.Options{Store: store})
	if err != nil {
		log.Fatal(err)
	}
	_, err = m.List(context.Background(), "ann")
	fmt.Println(err)
	// Output: sessions: the store cannot find a subject's sessions: unsupported operation
}
