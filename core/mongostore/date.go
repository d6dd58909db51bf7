package mongostore

import (
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/cloakroom-go/sessions/core/internal/storekit"
)

// never is the expiry of documents that never expire: the last millisecond of the year 9999,
// the latest date that every tool can show. Since each document has a date, all are compared
// in the same way.
const never bson.DateTime = 253402300799999

var errTime = errors.New("sessions: mongostore: " +
	"the expiry is not a time before the end of the year 9999")

// toDate returns an expiry as the documents store it, rounded up so that no session ends
// early.
func toDate(t time.Time) (bson.DateTime, error) {
	if t.IsZero() {
		return never, nil
	}
	if t.Year() > 9999 || t.Year() < 1 {
		return 0, errTime
	}
	ms := storekit.CeilMilli(t)
	if ms >= int64(never) {
		return 0, errTime
	}
	return bson.DateTime(ms), nil
}

// fromDate is the inverse of toDate.
func fromDate(d bson.DateTime) time.Time {
	if d >= never {
		return time.Time{}
	}
	return time.UnixMilli(int64(d))
}

// now returns the date with which commands compare expiries, from the clock of this process.
func now() bson.DateTime { return bson.DateTime(time.Now().UnixMilli()) }
