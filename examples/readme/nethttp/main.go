// Signs users in and out, and counts their visits, with net/http and Redis.
package main

import (
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cloakroom-go/sessions/core/redisstore"
	sessions "github.com/cloakroom-go/sessions/nethttp"
)

const visits = sessions.Key[int]("visits")

func main() {
	client := redis.NewClient(&redis.Options{Addr: "localhost:6379", ContextTimeoutEnabled: true})
	store, err := redisstore.New(client, redisstore.Options{})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		s := sessions.Get(r)
		n := visits.Update(s, func(n int) int { return n + 1 })
		fmt.Fprintf(w, "user %q, visit %d\n", s.Subject(), n)
	})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		user := r.PostFormValue("user")
		if !passwordOK(user, r.PostFormValue("password")) || sessions.Get(r).Login(user) != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		sessions.Get(r).Destroy()
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	session := sessions.New(sessions.Options{Store: store})
	server := &http.Server{
		Addr: "localhost:8080", Handler: session(mux), ReadHeaderTimeout: 5 * time.Second,
	}
	log.Fatal(server.ListenAndServe())
}

// passwordOK stands for the check of your own.
func passwordOK(user, password string) bool { return user != "" && password == "open sesame" }
