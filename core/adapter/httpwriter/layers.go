package httpwriter

import (
	"iter"
	"net/http"
)

// Layers returns an iterator over w and the writers that it wraps, from the outside in. It follows
// the Unwrap methods that [http.ResponseController] follows.
func Layers(w http.ResponseWriter) iter.Seq[http.ResponseWriter] {
	return func(yield func(http.ResponseWriter) bool) {
		for layer := w; yield(layer); {
			u, ok := layer.(interface{ Unwrap() http.ResponseWriter })
			if !ok {
				return
			}
			layer = u.Unwrap()
		}
	}
}

// Innermost returns the last of the [Layers] of w.
func Innermost(w http.ResponseWriter) http.ResponseWriter {
	for layer := range Layers(w) {
		w = layer
	}
	return w
}
