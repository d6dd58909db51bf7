package ticket

import (
	"strconv"
	"testing"
)

// Whoever can write to the store can break a line of secrets, and not make one that lets somebody in with another secret
// than the record's current one.
func TestTamperedHistory(t *testing.T) {
	t.Parallel()
	var secrets [5]Secret
	var h History
	secrets[0] = counting(1)
	for i := 1; i < len(secrets); i++ {
		tail := counting(byte(40 * i))
		next := secrets[i-1]
		copy(next[sharedSize:], tail[sharedSize:])
		secrets[i] = next
		h = h.Append(secrets[i-1], next, int64(i), 1000)
	}
	current := secrets[4].Digest()
	for i := range 4 {
		got, ok := h.Current(secrets[i], current, 10)
		equal(t, "former secret follows", ok && got == secrets[4], true)
	}
	_, ok := h.Current(secrets[4], current, 10)
	equal(t, "the current one is not a former one", ok, false)
	for at := range h {
		bad := append(History{}, h...)
		bad[at] ^= 0x40
		for i := range 4 {
			if got, ok := bad.Current(secrets[i], current, 10); ok && got != secrets[4] {
				t.Fatalf("with byte %d changed a former secret leads elsewhere", at)
			}
		}
	}
	for n := range h {
		equal(t, "valid when cut to "+strconv.Itoa(n), h[:n].Valid(), n >= headerSize && (n-headerSize)%retiredSize == 0)
	}
	equal(t, "one too many", append(append(History{}, h...), h[headerSize:headerSize+retiredSize]...).Valid(), false)
}

// counting returns the secret of 32 bytes counting up from first.
func counting(first byte) (s Secret) {
	for i := range s {
		s[i] = first + byte(i)
	}
	return s
}

func TestRotateKeepsTheSharedHalf(t *testing.T) {
	t.Parallel()
	old := NewSecret()
	next, other := old.Rotate(), old.Rotate()
	equal(t, "shared half", string(next[:sharedSize]), string(old[:sharedSize]))
	equal(t, "the other half of two rotations is equal", next == other || next == old, false)
}

func TestHistoryOfOneRotation(t *testing.T) {
	t.Parallel()
	old := NewSecret()
	next := old.Rotate()
	h := History(nil).Append(old, next, 1000, 2000)
	stranger := NewSecret()
	equal(t, "Rotated", h.Rotated(), 1000)
	equal(t, "Len", h.Len(), 1)
	equal(t, "Issued(old)", h.Issued(&old), true)
	equal(t, "Issued(next)", h.Issued(&next), true)
	equal(t, "Issued(stranger)", h.Issued(&stranger), false)
	for now, accepted := range map[int64]bool{1000: true, 1999: true, 2000: false, 5000: false} {
		got, ok := h.Current(old, next.Digest(), now)
		equal(t, "accepted at "+strconv.FormatInt(now, 10), ok && got == next, accepted)
	}
	equal(t, "Len after DropExpired(1999)", h.DropExpired(1999).Len(), 1)
	equal(t, "Len after DropExpired(2000)", h.DropExpired(2000).Len(), 0)
	equal(t, "Issued(old) after DropExpired", h.DropExpired(2000).Issued(&old), true)
	equal(t, "without a grace period, Len", History(nil).Append(old, next, 1000, 1000).Len(), 0)
}

func TestEmptyHistory(t *testing.T) {
	t.Parallel()
	s := NewSecret()
	var h History
	_, ok := h.Current(s, s.Digest(), 0)
	equal(t, "Rotated", h.Rotated(), 0)
	equal(t, "Len", h.Len(), 0)
	equal(t, "Issued", h.Issued(&s), false)
	equal(t, "Current", ok, false)
	equal(t, "Valid", h.Valid(), false)
}
