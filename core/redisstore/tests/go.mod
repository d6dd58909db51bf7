module github.com/cloakroom-go/sessions/core/redisstore/tests

go 1.26.0

require (
	github.com/cloakroom-go/sessions/core v0.0.0
	github.com/cloakroom-go/sessions/core/redisstore v0.0.0
	github.com/cloakroom-go/sessions/internal/faulttest v0.0.0
	github.com/cloakroom-go/sessions/internal/testserver v0.0.0
	github.com/redis/go-redis/v9 v9.23.0
)

require (
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/google/uuid v1.6.0 // indirect
	go.uber.org/atomic v1.12.0 // indirect
	golang.org/x/sys v0.48.0 // indirect
)

replace (
	github.com/cloakroom-go/sessions/core => ../..
	github.com/cloakroom-go/sessions/core/redisstore => ..
	github.com/cloakroom-go/sessions/internal/faulttest => ../../../internal/faulttest
	github.com/cloakroom-go/sessions/internal/testserver => ../../../internal/testserver
)
