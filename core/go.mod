module github.com/cloakroom-go/sessions/core

go 1.26.0

require github.com/google/uuid v1.6.0
