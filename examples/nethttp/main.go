// Command nethttp runs the demo on net/http.
package main

import (
	"errors"
	"io"
	"net/http"

	"github.com/cloakroom-go/sessions/examples/demo"
	sessions "github.com/cloakroom-go/sessions/nethttp"
)

func main() { demo.Main("net/http", mount) }

func mount(app *demo.App) demo.Server {
	mux := http.NewServeMux()
	for _, route := range app.Routes() {
		path := route.Path
		if path == "/" {
			path = "/{$}" // the page itself, without what is below
		}
		mux.Handle(route.Method+" "+path, handle(route.Handler))
	}
	mux.Handle("/", handle(app.NotFound))
	session := sessions.Middleware(app.Sessions())
	return demo.NewServer(session(mux))
}

func handle(h demo.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		res := h(sessions.Get(r), demo.Request{
			Context: r.Context(), Method: r.Method, Path: r.URL.Path, Host: r.Host,
			Remote: r.RemoteAddr, Header: r.Header.Get, Query: r.URL.Query().Get,
			Field: r.PostFormValue,
		})
		for name, value := range res.Header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(res.Status)
		if res.Stream == nil {
			_, _ = w.Write(res.Body)
			return
		}
		control := http.NewResponseController(w)
		res.Stream(r.Context(), func(piece string) error {
			_, err := io.WriteString(w, piece)
			return errors.Join(err, control.Flush())
		})
	})
}
