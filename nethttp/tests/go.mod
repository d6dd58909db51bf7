module github.com/cloakroom-go/sessions/nethttp/tests

go 1.26.0

require (
	github.com/cloakroom-go/sessions/core v0.0.0
	github.com/cloakroom-go/sessions/nethttp v0.0.0
	github.com/coder/websocket v1.8.15
	github.com/go-chi/chi/v5 v5.5.0
)

require github.com/google/uuid v1.6.0 // indirect

replace (
	github.com/cloakroom-go/sessions/core => ../../core
	github.com/cloakroom-go/sessions/nethttp => ..
)
