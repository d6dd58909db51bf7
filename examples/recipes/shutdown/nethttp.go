package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"github.com/cloakroom-go/sessions/core"
	sessions "github.com/cloakroom-go/sessions/nethttp"
)

// onNetHTTP returns the application on net/http.
func (a *app) onNetHTTP(o sessions.Options) (*sessions.Manager, server, error) {
	m, err := sessions.NewManager(o)
	if err != nil {
		return nil, nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", login)
	mux.HandleFunc("POST /upload", upload)
	mux.HandleFunc("GET /news", a.news)
	mux.HandleFunc("GET /socket", a.socket)
	outside := http.NewServeMux()
	outside.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(a.ready())
	})
	outside.Handle("/", sessions.Middleware(m)(mux))
	return m, &http.Server{Handler: outside, ReadHeaderTimeout: 5 * time.Second}, nil
}

func login(w http.ResponseWriter, r *http.Request) {
	user := r.FormValue("user") // Check a password here.
	err := sessions.Get(r).SignIn(r.Context(), user, sessions.SignIn{})
	if err != nil {
		http.Error(w, "please try again", core.StatusCode(err))
		return
	}
	_, _ = io.WriteString(w, "welcome")
}

func upload(w http.ResponseWriter, r *http.Request) {
	s := sessions.Get(r)
	log.Print("upload begins")
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		http.Error(w, "incomplete", http.StatusBadRequest)
		return
	}
	uploads.Update(s, increment)
	_, _ = fmt.Fprintf(w, "%d bytes", n)
}

// news streams until the server stops, and counts streams that have been watched to the end.
func (a *app) news(w http.ResponseWriter, r *http.Request) {
	s := sessions.Get(r)
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, ": welcome\n\n")
	_ = http.NewResponseController(w).Flush()
	select {
	case <-a.stopping.Done():
	case <-r.Context().Done():
	}
	streams.Update(s, increment) // saved when the handler has returned, which Shutdown waits for
}

func (a *app) socket(w http.ResponseWriter, r *http.Request) {
	a.sockets.Add(1)
	defer a.sockets.Done()
	s := sessions.Get(r)
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	// Close waits for the client to close its side too, for five seconds, which ends Read below.
	//nolint:contextcheck // when the server stops, not the request
	stop := context.AfterFunc(a.stopping, func() {
		_ = conn.Close(websocket.StatusGoingAway, "please connect again")
	})
	defer stop()
	ctx := r.Context()
	_ = conn.Write(ctx, websocket.MessageText, []byte("welcome"))
	for err == nil {
		_, _, err = conn.Read(ctx)
	}
	sockets.Update(s, increment)
	if err := s.Save(ctx); err != nil { // while it still counts as open
		log.Print(err)
	}
	_ = conn.CloseNow()
}
