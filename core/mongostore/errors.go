package mongostore

import (
	"errors"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/cloakroom-go/sessions/core/store"
)

// redact returns err without the parts in which a server may quote the document: when a
// document violates a rule of the collection, the server reports the values that violate it.
// It also translates the server's size limit to ErrTooLarge.
func redact(err error) error {
	var refused mongo.WriteException
	if !errors.As(err, &refused) {
		return err
	}
	const bsonObjectTooLarge = 10334
	if refused.HasErrorCode(bsonObjectTooLarge) {
		return store.ErrTooLarge
	}
	for i := range refused.WriteErrors {
		refused.WriteErrors[i].Details, refused.WriteErrors[i].Raw = nil, nil
	}
	refused.Raw = nil
	return refused
}
