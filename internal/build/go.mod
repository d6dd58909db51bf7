// The tools behind `make test`: standard library only, part of no release.
module github.com/cloakroom-go/sessions/internal/build

go 1.26.0
