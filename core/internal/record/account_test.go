package record

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// S2: an account of any bytes is refused or can be read without a panic.
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
	equal(t, "highest level", NewAccount(&Proof{Level: MaxLevel}, d).valid(), true)
	equal(t, "level beyond it", NewAccount(&Proof{Level: MaxLevel + 1}, d).valid(), false)
	equal(t, "nothing known", len(NewAccount(&Proof{}, Device{})), 0)
}

func TestProofAdd(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		before, next Proof
		wanted       string
	}{
		"nothing before":       {Proof{}, Proof{[]string{"pwd"}, 1}, "{[pwd] 1}"},
		"nothing added":        {Proof{[]string{"pwd"}, 1}, Proof{}, "{[pwd] 1}"},
		"another method":       {Proof{[]string{"pwd"}, 1}, Proof{[]string{"otp"}, 2}, "{[pwd otp] 2}"},
		"the same method":      {Proof{[]string{"pwd", "otp"}, 1}, Proof{[]string{"pwd"}, 1}, "{[pwd otp] 1}"},
		"the level stays":      {Proof{nil, 3}, Proof{nil, 2}, "{[] 3}"},
		"a method added twice": {Proof{}, Proof{[]string{"otp", "otp"}, 0}, "{[otp] 0}"},
	} {
		before, next := fmt.Sprint(tc.before), fmt.Sprint(tc.next)
		equal(t, name, fmt.Sprint(tc.before.Add(&tc.next)), tc.wanted)
		equal(t, name+": the proof before", fmt.Sprint(tc.before), before)
		equal(t, name+": the proof added", fmt.Sprint(tc.next), next)
	}
}

// Beyond MaxMethods the earliest methods are dropped, except for those that were proved again.
func TestProofAddKeepsTheLatest(t *testing.T) {
	t.Parallel()
	var before, wanted []string
	for i := range 16 {
		before = append(before, "m"+strconv.Itoa(i))
	}
	wanted = append(append(append(wanted, "m0"), before[3:]...), "x", "y")
	p := Proof{Methods: before}
	sum := p.Add(&Proof{Methods: []string{"x", "m0", "y"}})
	equal(t, "level", sum.Level, 0)
	equal(t, "methods", strings.Join(sum.Methods, " "), strings.Join(wanted, " "))
	equal(t, "what was before stays as it was", len(p.Methods), 16)

	memory := append(slices.Clone(before), "behind", "it")
	part := Proof{Methods: memory[:15]}
	part.Add(&Proof{Methods: []string{"x", "y"}})
	equal(t, "the memory of before", strings.Join(memory, " "), strings.Join(before, " ")+" behind it")
}

// An account without methods or without a device is not empty.
func TestAccountParts(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		proof  Proof
		device Device
	}{
		"nothing": {},
		"level":   {Proof{nil, 1}, Device{}},
		"method":  {Proof{[]string{"pwd"}, 0}, Device{}},
		"IP":      {Proof{}, Device{IP: "192.0.2.7"}},
		"agent":   {Proof{}, Device{UserAgent: "browser"}},
		"all":     {Proof{[]string{"pwd", "otp"}, 2}, Device{"192.0.2.7", "browser"}},
	} {
		a := NewAccount(&tc.proof, tc.device)
		equal(t, name+": proof", fmt.Sprint(a.Proof()), fmt.Sprint(tc.proof))
		equal(t, name+": device", a.Device(), tc.device)
		equal(t, name+": is empty", len(a) == 0, name == "nothing")
	}
}
