// Counts the visits of each visitor, with net/http.
package main

import (
	"fmt"
	"log"
	"net/http"
	"time"

	sessions "github.com/cloakroom-go/sessions/nethttp"
)

const visits = sessions.Key[int]("visits")

func main() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		n := visits.Update(sessions.Get(r), func(n int) int { return n + 1 })
		fmt.Fprintf(w, "visit %d\n", n)
	})
	session := sessions.New(sessions.Options{})
	server := &http.Server{
		Addr: "localhost:8080", Handler: session(mux), ReadHeaderTimeout: 5 * time.Second,
	}
	log.Fatal(server.ListenAndServe())
}
