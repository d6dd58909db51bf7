package core_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/memstore"
	"github.com/cloakroom-go/sessions/core/store"
)

const visits = core.Key[int]("visits")

// visit runs one request of a new visitor, as an adapter does, and prints the cookie, the store
// key and the time until the record expires.
func visit(o core.Options) {
	ctx := context.Background()
	records := memstore.New(memstore.Options{})
	o.Store = records
	m, err := core.NewManager(o)
	if err != nil {
		fmt.Println(err)
		return
	}
	var sc core.Scope
	if err := sc.Open(ctx, nil, m, nil); err != nil {
		fmt.Println(err)
		return
	}
	visits.Update(sc.Get(), func(n int) int { return n + 1 })
	reply, err := sc.CommitHeader()
	if err != nil {
		fmt.Println(err)
		return
	}
	name, rest, _ := strings.Cut(reply.SetCookie, "=")
	fmt.Println("Set-Cookie:", name+"=TOKEN"+rest[64:])
	page, _, err := records.List(ctx, "", "", 1)
	if err != nil || len(page) != 1 {
		fmt.Println("no record", err)
		return
	}
	fmt.Println("key:", strings.Replace(page[0].Key, sc.Get().ID(), "ID", 1))
	fmt.Println("expires:", life(page[0]))
}

func life(rec store.Record) string {
	if rec.Expires.IsZero() {
		return "never"
	}
	return time.Until(rec.Expires).Round(time.Minute).String()
}

// The default session lasts for thirty days, for one host, over HTTPS only and hidden from
// scripts.
func Example_defaults() {
	visit(core.Options{})
	// Output:
	// Set-Cookie: session=TOKEN; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax
	// key: session:ID
	// expires: 720h0m0s
}

// A session that never expires, for a domain and its subdomains, with a cookie that scripts can
// read.
func Example_permanent() {
	visit(core.Options{
		Prefix: "sessionprefix:",
		Expiry: core.Permanent,
		Cookie: core.Cookie{Name: "cookie", Domain: ".example.com", DisableHTTPOnly: true},
	})
	// Output:
	// Set-Cookie: cookie=TOKEN; Path=/; Domain=example.com; Max-Age=34560000; Secure; SameSite=Lax
	// key: sessionprefix:ID
	// expires: never
}

// A session that ends an hour after its last use, or when the browser is closed.
func Example_browserSession() {
	visit(core.Options{
		Prefix: "session:",
		Expiry: 3600 * time.Second,
		Cookie: core.Cookie{Name: "myapp", Domain: ".example.com", SessionOnly: true},
	})
	// Output:
	// Set-Cookie: myapp=TOKEN; Path=/; Domain=example.com; HttpOnly; Secure; SameSite=Lax
	// key: session:ID
	// expires: 1h0m0s
}

// The error says what to change.
func ExampleNewManager_impossible() {
	_, err := core.NewManager(core.Options{Expiry: 3600})
	fmt.Println(err)
	// Output:
	// sessions: Expiry is 3.6µs, less than a second; a duration needs a unit, as in 3600 * time.Second
}
