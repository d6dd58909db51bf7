package ticket

import (
	"strconv"
	"testing"
)

// If somebody changes a history in the store, a retired secret leads to the current secret or
// to none.
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
	const end = 2000 + Remembered
	equal(t, "Len after DropExpired just before its end", h.DropExpired(end-1).Len(), 1)
	equal(t, "Len after DropExpired at its end", h.DropExpired(end).Len(), 0)
	equal(t, "Issued(old) after DropExpired", h.DropExpired(end).Issued(&old), true)
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

// rotations returns the secrets of a session that was rotated n times, a second apart, and its
// history. The grace period is in milliseconds.
func rotations(n int, grace int64) (secrets []Secret, h History) {
	secrets = []Secret{NewSecret()}
	for i := range n {
		old := secrets[i]
		next := old.Rotate()
		now := int64(i+1) * 1000
		secrets, h = append(secrets, next), h.Append(old, next, now, now+grace)
	}
	return secrets, h
}

// A history keeps the latest MaxRetired secrets, and recognizes all of them.
func TestHistoryOfManyRotations(t *testing.T) {
	t.Parallel()
	const n = MaxRetired + 3
	secrets, h := rotations(n, 60_000)
	current := secrets[n].Digest()
	equal(t, "Len", h.Len(), MaxRetired)
	equal(t, "Rotated", h.Rotated(), n*1000)
	equal(t, "Valid", h.Valid(), true)
	for i, s := range secrets {
		name := "secret " + strconv.Itoa(i)
		equal(t, name+" was issued", h.Issued(&s), true)
		got, ok := h.Current(s, current, n*1000)
		equal(t, name+" is retired and accepted", ok, i >= n-MaxRetired && i < n)
		if ok {
			equal(t, name+" leads to the current one", got, secrets[n])
		}
	}
}

// A secret is dropped a minute after the end of its grace period.
func TestHistoryDropExpired(t *testing.T) {
	t.Parallel()
	secrets, h := rotations(4, 10_000) // The grace periods end at 11, 12, 13 and 14 seconds.
	current := secrets[4].Digest()
	before := string(h)
	for now, left := range map[int64]int{
		0: 4, 14_000: 4, 70_999: 4, 71_000: 3, 72_000: 2, 72_999: 2, 73_000: 1, 74_000: 0, 1 << 50: 0,
	} {
		name := "at " + strconv.FormatInt(now, 10)
		kept := h.DropExpired(now)
		equal(t, name+": Len", kept.Len(), left)
		equal(t, name+": Rotated", kept.Rotated(), 4000)
		equal(t, name+": Valid", kept.Valid(), true)
		for i := range 4 {
			_, ok := kept.Current(secrets[i], current, 0)
			equal(t, name+": secret "+strconv.Itoa(i)+" is there", ok, i >= 4-left)
			equal(t, name+": it was issued", kept.Issued(&secrets[i]), true)
		}
		equal(t, name+": the history itself is as it was", string(h), before)
	}
	equal(t, "of an empty history", len(History(nil).DropExpired(1)), 0)
}

// Append drops expired secrets. It changes neither the history nor the memory behind it.
func TestHistoryAppendCopies(t *testing.T) {
	t.Parallel()
	secrets, h := rotations(2, 10_000)
	memory := append(append(History{}, h...), make(History, 500)...)
	part := memory[:len(h)]
	next := secrets[2].Rotate()
	longer := part.Append(secrets[2], next, 71_500, 81_500)
	equal(t, "Len", longer.Len(), 2) // The first is dropped.
	got, ok := longer.Current(secrets[1], next.Digest(), 11_500)
	equal(t, "the second leads to the current one", ok && got == next, true)
	delivered := part.Append(secrets[2], next, 11_500, Undelivered).Deliver(30_000)
	equal(t, "Len of another", delivered.Len(), 3)
	equal(t, "the history", string(part), string(h))
	equal(t, "the memory behind it", string(memory[len(h):]), string(make(History, 500)))
}

// A time is invalid if adding a duration to it could overflow.
func TestHistoryWithImpossibleTimes(t *testing.T) {
	t.Parallel()
	old := NewSecret()
	next := old.Rotate()
	for name, tc := range map[string]struct {
		now, until int64
		valid      bool
	}{
		"latest times":     {MaxMillis - 1, MaxMillis, true},
		"until too late":   {1000, MaxMillis + 1, false},
		"rotated too late": {MaxMillis + 1, MaxMillis + 1, false},
	} {
		equal(t, name, History(nil).Append(old, next, tc.now, tc.until).Valid(), tc.valid)
	}
}

// The grace period of a secret begins when the one that replaced it is presented.
func TestHistoryDeliver(t *testing.T) {
	t.Parallel()
	first := NewSecret()
	second := first.Rotate()
	third := second.Rotate()
	h := History(nil).Append(first, second, 1000, 11_000).Append(second, third, 2000, Undelivered)
	current := third.Digest()
	equal(t, "Undelivered", h.Undelivered(), true)
	equal(t, "Valid", h.Valid(), true)
	for _, now := range []int64{2000, 10_999, 1 << 50} {
		_, ok := h.Current(first, current, now)
		equal(t, "the first is accepted at "+strconv.FormatInt(now, 10), ok, now < 11_000)
		got, ok := h.Current(second, current, now)
		equal(t, "the second is accepted before the delivery", ok && got == third, true)
	}
	equal(t, "Len after DropExpired", h.DropExpired(1<<50).Len(), 1)
	before := string(h)
	d := h.Deliver(50_000)
	equal(t, "the history itself", string(h), before)
	equal(t, "Undelivered after it", d.Undelivered(), false)
	equal(t, "Valid after it", d.Valid(), true)
	for secret, wanted := range map[*Secret]int64{&first: 11_000, &second: 50_000, &third: -1} {
		until, ok := d.Find(secret)
		equal(t, "Find", ok, wanted >= 0)
		if ok {
			equal(t, "end of the grace period", until, wanted)
		}
	}
	_, ok := d.Current(second, current, 49_999)
	equal(t, "the second is accepted in its grace period", ok, true)
	_, ok = d.Current(second, current, 50_000)
	equal(t, "the second is accepted after it", ok, false)
	equal(t, "a second delivery changes nothing", string(d.Deliver(90_000)), string(d))
	equal(t, "of an empty history", History(nil).Undelivered() || len(History(nil).Deliver(1)) != 0, false)
	_, ok = History(nil).Find(&first)
	equal(t, "found in an empty history", ok, false)
}

// The lines of a history name its secrets, which keep the ends of their grace periods.
func TestHistoryLines(t *testing.T) {
	t.Parallel()
	secrets, h := rotations(2, 10_000) // The grace periods end at 11 and 12 seconds.
	h = h.Append(secrets[2], secrets[2].Rotate(), 3000, Undelivered)
	lines := h.Lines()
	equal(t, "lines", len(lines), 3)
	for i, end := range []int64{11_000, 12_000, Undelivered} {
		equal(t, "kind", lines[i].Kind, Former)
		equal(t, "digest", lines[i].Digest, secrets[i].Digest())
		equal(t, "end", lines[i].Until, end)
		equal(t, "proof", lines[i].Authenticated != 0 || len(lines[i].Proof) != 0, false)
	}
	equal(t, "lines of an empty history", len(History(nil).Lines()), 0)
}
