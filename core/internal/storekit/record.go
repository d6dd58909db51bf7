package storekit

import (
	"fmt"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// Printable reports whether text has at most maxLen bytes and all of them are printable ASCII.
// Every database stores and compares such text alike.
func Printable(text string, maxLen int) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return len(text) <= maxLen
}

// CheckSize returns [store.ErrTooLarge] if the data of rec has more than maxData bytes, which
// is what Options.MaxData of the store says.
func CheckSize(rec *store.Record, maxData int) error {
	if len(rec.Data) <= maxData {
		return nil
	}
	return fmt.Errorf("%w: its data has %d bytes, Options.MaxData is %d",
		store.ErrTooLarge, len(rec.Data), maxData)
}

// CeilMilli returns t in milliseconds of the Unix epoch, rounded up, so that a session never
// ends early. Like [time.Time.UnixMilli] it is undefined for times that an int64 cannot
// express.
func CeilMilli(t time.Time) int64 {
	ms := t.UnixMilli()
	if time.UnixMilli(ms).Before(t) {
		ms++
	}
	return ms
}
