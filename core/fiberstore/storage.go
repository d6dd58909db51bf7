package fiberstore

import (
	"context"
	"time"
)

// Storage is the part of fiber.Storage that the store uses. Fiber v2 and v3 have it alike.
type Storage interface {
	// Get returns the value of the key, or nil and no error if there is none.
	Get(key string) ([]byte, error)
	// Set stores the value for that long, or forever if exp is 0.
	Set(key string, val []byte, exp time.Duration) error
	// Delete removes the key. It is not an error if there is none.
	Delete(key string) error
}

// contextStorage is what a fiber.Storage of Fiber v3 has beyond Storage.
type contextStorage interface {
	GetWithContext(ctx context.Context, key string) ([]byte, error)
	SetWithContext(ctx context.Context, key string, val []byte, exp time.Duration) error
	DeleteWithContext(ctx context.Context, key string) error
}

// withoutContext calls a Storage that takes no context, unless that has ended already.
type withoutContext struct{ Storage }

func (s withoutContext) GetWithContext(ctx context.Context, key string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.Get(key)
}

func (s withoutContext) SetWithContext(
	ctx context.Context, key string, val []byte, exp time.Duration,
) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.Set(key, val, exp)
}

func (s withoutContext) DeleteWithContext(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.Delete(key)
}
