package mongostore

import (
	"bytes"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/cloakroom-go/sessions/core/internal/storekit"
	"github.com/cloakroom-go/sessions/core/store"
)

// The fields of a document.
const (
	fieldKey     = "_id"
	fieldVersion = "v"
	fieldExpires = "e"
	fieldSubject = "s"
	fieldData    = "d"
)

// encode returns the document of a record. The expiry is given as a date.
func encode(rec *store.Record, expires bson.DateTime) bson.D {
	doc := bson.D{
		{Key: fieldKey, Value: rec.Key},
		{Key: fieldVersion, Value: storekit.SignedVersion(rec.Version)},
		{Key: fieldExpires, Value: expires},
	}
	if rec.Subject != "" { // the index contains only the documents with this field
		doc = append(doc, bson.E{Key: fieldSubject, Value: rec.Subject})
	}
	return append(doc, bson.E{Key: fieldData, Value: bson.Binary{Data: rec.Data}})
}

// decode returns the record of a document, and false if the document is not a record.
func decode(raw bson.Raw) (rec store.Record, ok bool) {
	if raw.Validate() != nil {
		return rec, false
	}
	key, ok1 := raw.Lookup(fieldKey).StringValueOK()
	version, ok2 := raw.Lookup(fieldVersion).Int64OK()
	expires, ok3 := raw.Lookup(fieldExpires).DateTimeOK()
	_, data, ok4 := raw.Lookup(fieldData).BinaryOK()
	subject := raw.Lookup(fieldSubject)
	name, ok5 := subject.StringValueOK()
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 && !subject.IsZero() || version <= 0 {
		return store.Record{}, false
	}
	// The data are copied because the driver may reuse the memory of raw.
	return store.Record{
		Key: key, Subject: name, Data: bytes.Clone(data),
		Expires: fromDate(bson.DateTime(expires)), Version: uint64(version),
	}, true
}

// decodeKey returns the key in a document of which only the key and the expiry are known. It
// returns false if the document is not a record or has expired.
func decodeKey(raw bson.Raw, at bson.DateTime) (key string, ok bool) {
	if raw.Validate() != nil {
		return "", false
	}
	key, ok1 := raw.Lookup(fieldKey).StringValueOK()
	expires, ok2 := raw.Lookup(fieldExpires).DateTimeOK()
	if !ok1 || !ok2 || bson.DateTime(expires) <= at || validateKey(key) != nil {
		return "", false
	}
	return key, true
}
