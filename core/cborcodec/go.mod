module github.com/cloakroom-go/sessions/core/cborcodec

go 1.26.0

require (
	github.com/cloakroom-go/sessions/core v0.0.0
	github.com/fxamacker/cbor/v2 v2.10.0
)

require (
	github.com/google/uuid v1.6.0 // indirect
	github.com/x448/float16 v0.8.4 // indirect
)

replace github.com/cloakroom-go/sessions/core => ../
