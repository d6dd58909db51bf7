package core

import (
	"fmt"

	"github.com/cloakroom-go/sessions/core/adapter"
)

// JudgeOrigin returns what to answer to a request, given the error of
// http.CrossOriginProtection.Check for it. It is for adapters.
func JudgeOrigin(err error) adapter.Verdict {
	if err == nil {
		return adapter.Verdict{}
	}
	return adapter.Verdict{Err: fmt.Errorf("%w: %w", ErrCrossOrigin, err)}
}
