module github.com/cloakroom-go/sessions/echov5

go 1.26.0

require (
	github.com/cloakroom-go/sessions/core v0.0.0
	github.com/labstack/echo/v5 v5.4.6
)

require (
	github.com/google/uuid v1.6.0 // indirect
	golang.org/x/time v0.15.0 // indirect
)

replace github.com/cloakroom-go/sessions/core => ../core
