package httpwriter

import (
	"cmp"
	"net/http"

	"github.com/cloakroom-go/sessions/core/adapter"
)

// VisitOf returns what guards have to know of a request. The target is the one that the client has
// sent, whatever prefix a router has taken away since.
func VisitOf(r *http.Request) adapter.Visit {
	return adapter.Visit{
		Fetch:  adapter.FetchOf(r.Method, r.Header),
		Target: TargetOf(r), Accept: r.Header.Get("Accept"),
	}
}

// TargetOf returns the target of a request as the client has sent it.
func TargetOf(r *http.Request) string { return cmp.Or(r.RequestURI, r.URL.RequestURI()) }
