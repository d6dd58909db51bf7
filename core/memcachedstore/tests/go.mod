module github.com/cloakroom-go/sessions/core/memcachedstore/tests

go 1.26.0

require (
	github.com/cloakroom-go/sessions/core v0.0.0
	github.com/cloakroom-go/sessions/core/memcachedstore v0.0.0
	github.com/cloakroom-go/sessions/internal/faulttest v0.0.0
	github.com/cloakroom-go/sessions/internal/testserver v0.0.0
)

require github.com/google/uuid v1.6.0 // indirect

replace (
	github.com/cloakroom-go/sessions/core => ../..
	github.com/cloakroom-go/sessions/core/memcachedstore => ..
	github.com/cloakroom-go/sessions/internal/faulttest => ../../../internal/faulttest
	github.com/cloakroom-go/sessions/internal/testserver => ../../../internal/testserver
)
