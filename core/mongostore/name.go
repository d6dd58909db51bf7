package mongostore

import (
	"fmt"

	"github.com/cloakroom-go/sessions/core/internal/storekit"
)

// maxName is the maximum length of keys and subjects. Old servers index at most 1024 bytes.
const maxName = 512

var (
	errKey = fmt.Errorf("sessions: mongostore: the key is not printable ASCII of 1 to %d bytes",
		maxName)
	errSubject = fmt.Errorf("sessions: mongostore: "+
		"the subject is not printable ASCII of at most %d bytes", maxName)
)

// isName reports whether text can be a key, the beginning of one, or a subject.
func isName(text string) bool { return storekit.Printable(text, maxName) }

func validateKey(key string) error {
	if key == "" || !isName(key) {
		return errKey
	}
	return nil
}
