package flask

import (
	"context"
	"errors"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
	"github.com/redis/go-redis/v9"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// Redis reads records of SESSION_TYPE "redis": the value of a key.
type Redis struct{ Client redis.UniversalClient }

// Get implements [Records].
func (r Redis) Get(ctx context.Context, key string) ([]byte, error) {
	data, err := r.Client.Get(ctx, key).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	return data, err
}

// Delete implements [Records].
func (r Redis) Delete(ctx context.Context, key string) error {
	return r.Client.Del(ctx, key).Err()
}

// Memcached reads records of SESSION_TYPE "memcached": the value of a key. The client's Timeout
// bounds the calls.
type Memcached struct{ Client *memcache.Client }

// Get implements [Records].
func (m Memcached) Get(_ context.Context, key string) ([]byte, error) {
	item, err := m.Client.Get(key)
	switch {
	case errors.Is(err, memcache.ErrCacheMiss), errors.Is(err, memcache.ErrMalformedKey):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return item.Value, nil
}

// Delete implements [Records].
func (m Memcached) Delete(_ context.Context, key string) error {
	err := m.Client.Delete(key)
	if errors.Is(err, memcache.ErrCacheMiss) {
		return nil
	}
	return err
}

// MongoDB reads records of SESSION_TYPE "mongodb": documents with the fields id, val and
// expiration.
type MongoDB struct{ Collection *mongo.Collection }

// Get implements [Records]. The server deletes expired documents once a minute, so they can still
// be there.
func (m MongoDB) Get(ctx context.Context, key string) ([]byte, error) {
	var document struct {
		Val        []byte    `bson:"val"`
		Expiration time.Time `bson:"expiration"`
	}
	err := m.Collection.FindOne(ctx, bson.D{{Key: "id", Value: key}}).Decode(&document)
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		return nil, nil
	case err != nil:
		return nil, err
	case !document.Expiration.IsZero() && time.Now().After(document.Expiration):
		return nil, nil
	}
	return document.Val, nil
}

// Delete implements [Records].
func (m MongoDB) Delete(ctx context.Context, key string) error {
	_, err := m.Collection.DeleteOne(ctx, bson.D{{Key: "id", Value: key}})
	return err
}
