package record

import (
	"fmt"
	"strconv"
	"testing"
)

// S2: an account that did not come from NewAccount is refused or read without harm, whatever its bytes.
func TestS2AccountBytes(t *testing.T) {
	t.Parallel()
	proof, d := Proof{Methods: []string{"pwd", "otp"}, Level: 255}, Device{"192.0.2.7", "Mozilla/5.0"}
	a := NewAccount(&proof, d)
	equal(t, "valid", a.valid(), true)
	equal(t, "read back", fmt.Sprint(a.Proof()), "{[pwd otp] 255}")
	equal(t, "device", a.Device(), d)
	for n := range a {
		cut := a[:n]
		// At these lengths it ends with a whole field.
		whole := n == len(a)-4 || n == len(a)-8
		equal(t, "valid when cut to "+strconv.Itoa(n), cut.valid(), whole)
		_, _ = cut.Proof(), cut.Device()
	}
	for i := range a {
		for bit := range 8 {
			bad := append(Account{}, a...)
			bad[i] ^= 1 << bit
			if bad.valid() {
				equal(t, "level within its bound", bad.Proof().Level <= MaxLevel, true)
			}
			_ = bad.Device()
		}
	}
	equal(t, "nothing known", len(NewAccount(&Proof{}, Device{})), 0)
}
