// Makes a release of all modules, and rehearses it: part of no release.
module github.com/cloakroom-go/sessions/internal/release

go 1.26.0

require (
	github.com/cloakroom-go/sessions/internal/testserver v0.0.0
	golang.org/x/mod v0.43.0
)

replace github.com/cloakroom-go/sessions/internal/testserver => ../testserver
