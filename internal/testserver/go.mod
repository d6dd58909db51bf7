// The servers behind the stores' tests: standard library only, part of no release.
module github.com/cloakroom-go/sessions/internal/testserver

go 1.26.0
