package otelsessions

import (
	"context"
	"errors"

	"github.com/cloakroom-go/sessions/core"
)

// outcome says how a call of the store ended.
type outcome string

const (
	outcomeOK          outcome = "ok"
	outcomeNotFound    outcome = "not_found"
	outcomeConflict    outcome = "conflict"
	outcomeUnsupported outcome = "unsupported"
	outcomeCanceled    outcome = "canceled"
	outcomeTooLarge    outcome = "too_large"
	outcomeFull        outcome = "full"
	outcomeTimeout     outcome = "timeout"
	outcomeError       outcome = "error"
)

func outcomes() []outcome {
	return []outcome{
		outcomeOK, outcomeNotFound, outcomeConflict, outcomeUnsupported, outcomeCanceled,
		outcomeTooLarge, outcomeFull, outcomeTimeout, outcomeError,
	}
}

// failure reports whether the store failed. A missing record, a conflict and a missing ability
// are answers, and a client that went away is not the store's fault.
func (o outcome) failure() bool {
	return o == outcomeTooLarge || o == outcomeFull || o == outcomeTimeout || o == outcomeError
}

// outcomeOf returns the outcome of a call that returned err.
func outcomeOf(err error) outcome {
	var timeout interface{ Timeout() bool }
	switch {
	case err == nil:
		return outcomeOK
	case errors.Is(err, core.ErrNotFound):
		return outcomeNotFound
	case errors.Is(err, core.ErrConflict):
		return outcomeConflict
	case errors.Is(err, errors.ErrUnsupported):
		return outcomeUnsupported
	case errors.Is(err, context.Canceled):
		return outcomeCanceled
	case errors.Is(err, core.ErrTooLarge):
		return outcomeTooLarge
	case errors.Is(err, core.ErrFull):
		return outcomeFull
	case errors.As(err, &timeout) && timeout.Timeout():
		return outcomeTimeout
	}
	return outcomeError
}
