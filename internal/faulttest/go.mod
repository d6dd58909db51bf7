// What every store has to survive, driven through whole managers: for tests, part of no release.
module github.com/cloakroom-go/sessions/internal/faulttest

go 1.26.0

require (
	github.com/cloakroom-go/sessions/core v0.0.0
	github.com/cloakroom-go/sessions/internal/testserver v0.0.0
)

require github.com/google/uuid v1.6.0 // indirect

replace (
	github.com/cloakroom-go/sessions/core => ../../core
	github.com/cloakroom-go/sessions/internal/testserver => ../testserver
)
