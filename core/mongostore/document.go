package mongostore

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

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

const (
	// maxName is the length of keys and subjects; the oldest servers index 1024 bytes.
	maxName = 512
	// never is the last millisecond of the year 9999, the latest date that every tool can show. A date instead of none
	// makes permanent documents compare like any other: a touch is $max, and live ones are those with a later date.
	never bson.DateTime = 253402300799999
)

var (
	errKey     = fmt.Errorf("sessions: mongostore: the key is not printable ASCII of 1 to %d bytes", maxName)
	errSubject = fmt.Errorf("sessions: mongostore: the subject is not printable ASCII of at most %d bytes", maxName)
	errTime    = errors.New("sessions: mongostore: the expiry is not a time before the end of the year 9999")
)

// plain reports whether text is printable ASCII, whose order and equality nothing can be of two minds about.
func plain(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] >= 0x7f {
			return false
		}
	}
	return len(text) <= maxName
}

func checkKey(key string) error {
	if key == "" || !plain(key) {
		return errKey
	}
	return nil
}

// encode returns the document that keeps rec.
func encode(rec *store.Record, expires bson.DateTime) bson.D {
	doc := bson.D{
		{Key: fieldKey, Value: rec.Key},
		{Key: fieldVersion, Value: storekit.SignedVersion(rec.Version)},
		{Key: fieldExpires, Value: expires},
	}
	if rec.Subject != "" { // the index holds only documents that have the field
		doc = append(doc, bson.E{Key: fieldSubject, Value: rec.Subject})
	}
	return append(doc, bson.E{Key: fieldData, Value: bson.Binary{Data: rec.Data}})
}

// decode returns what a document keeps, or false if it is none of ours.
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
	// The bytes are the driver's, which may use them again.
	return store.Record{
		Key: key, Subject: name, Data: bytes.Clone(data),
		Expires: instant(bson.DateTime(expires)), Version: uint64(version),
	}, true
}

// date returns t as documents have it, rounded up so that no session ends early.
func date(t time.Time) (bson.DateTime, error) {
	if t.IsZero() {
		return never, nil
	}
	if t.Year() > 9999 || t.Year() < 1 {
		return 0, errTime
	}
	ms := t.UnixMilli()
	if time.UnixMilli(ms).Before(t) {
		ms++
	}
	if ms >= int64(never) {
		return 0, errTime
	}
	return bson.DateTime(ms), nil
}

// instant is the inverse of date.
func instant(d bson.DateTime) time.Time {
	if d >= never {
		return time.Time{}
	}
	return time.UnixMilli(int64(d))
}

// now is the time in which commands judge expiry: that of this process.
func now() bson.DateTime { return bson.DateTime(time.Now().UnixMilli()) }

// bare returns err without the parts in which a server may quote the document: a rule of the collection that it breaks is
// reported together with the values that break it.
func bare(err error) error {
	var refused mongo.WriteException
	if !errors.As(err, &refused) {
		return err
	}
	const tooLarge = 10334
	if refused.HasErrorCode(tooLarge) {
		return store.ErrTooLarge
	}
	for i := range refused.WriteErrors {
		refused.WriteErrors[i].Details, refused.WriteErrors[i].Raw = nil, nil
	}
	refused.Raw = nil
	return refused
}

func tooLarge(size, limit int) error {
	return fmt.Errorf("%w: its data has %d bytes, Options.MaxData is %d", store.ErrTooLarge, size, limit)
}
