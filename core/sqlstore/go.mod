module github.com/cloakroom-go/sessions/core/sqlstore

go 1.26.0

require github.com/cloakroom-go/sessions/core v0.0.0

replace github.com/cloakroom-go/sessions/core => ../
