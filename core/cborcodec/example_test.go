package cborcodec_test

import (
	"fmt"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/cborcodec"
)

// An application that has stored JSON until now changes to CBOR.
func Example() {
	m, err := core.NewManager(core.Options{
		Codec: cborcodec.New(cborcodec.Options{Former: core.JSON{}}),
	})
	fmt.Println(m.CookieName(), err)
	// Output: session <nil>
}
