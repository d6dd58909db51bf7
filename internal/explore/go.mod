// Every order of store calls and answers of a few requests, run on the real core: part of no release.
module github.com/cloakroom-go/sessions/internal/explore

go 1.26.0

require (
	github.com/cloakroom-go/sessions/core v0.0.0
	github.com/google/uuid v1.6.0
)

replace github.com/cloakroom-go/sessions/core => ../../core
