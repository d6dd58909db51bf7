module github.com/cloakroom-go/sessions/nethttp

go 1.26.0

require github.com/cloakroom-go/sessions/core v0.0.0

require github.com/google/uuid v1.6.0 // indirect

replace github.com/cloakroom-go/sessions/core => ../core
