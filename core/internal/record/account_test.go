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
	proof, d := Proof{[]string{"pwd", "otp"}, []LevelTime{{255, 7}, {1, 9}}}, Device{"192.0.2.7", "Mozilla/5.0"}
	a := NewAccount(&proof, d)
	equal(t, "valid", a.valid(), true)
	equal(t, "read back", fmt.Sprint(a.Proof()), "{[pwd otp] [{255 7} {1 9}]}")
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
				equal(t, "level within its bound", bad.Proof().Level() <= MaxLevel, true)
			}
			_ = bad.Device()
		}
	}
	equal(t, "highest level", NewAccount(&Proof{Levels: at(MaxLevel, 0)}, d).valid(), true)
	equal(t, "level beyond it", NewAccount(&Proof{Levels: at(MaxLevel+1, 0)}, d).valid(), false)
	equal(t, "nothing known", len(NewAccount(&Proof{}, Device{})), 0)
}

func at(level int, time int64) []LevelTime { return []LevelTime{{level, time}} }

// The time of a level is that of its last proof, or of a higher one's.
func TestLevelAt(t *testing.T) {
	t.Parallel()
	p := Proof{Levels: []LevelTime{{5, 10}, {3, 20}, {1, 30}}}
	equal(t, "level", p.Level(), 5)
	for level, wanted := range map[int]int64{1: 30, 2: 20, 3: 20, 4: 10, 5: 10, 6: 0} {
		got, ok := p.LevelAt(level)
		equal(t, "time of level "+strconv.Itoa(level), got, wanted)
		equal(t, "level is there "+strconv.Itoa(level), ok, level < 6)
	}
	equal(t, "level of nothing", Proof{}.Level(), 0)
}

// Beyond MaxLevels the lowest levels are forgotten.
func TestManyLevels(t *testing.T) {
	t.Parallel()
	var p Proof
	for i := range int64(20) {
		p = p.Add(&Proof{Levels: at(20-int(i), i)})
	}
	equal(t, "levels", len(p.Levels), MaxLevels)
	equal(t, "highest", p.Level(), 20)
	equal(t, "valid", NewAccount(&p, Device{}).valid(), true)
	for name, levels := range map[string][]LevelTime{
		"rising": {{1, 5}, {2, 6}}, "earlier": {{2, 6}, {1, 5}}, "zero": {{0, 1}},
		"too many": make([]LevelTime, MaxLevels+1),
	} {
		equal(t, name, NewAccount(&Proof{Levels: levels}, Device{}).valid(), false)
	}
}

func TestProofAdd(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		before, next Proof
		wanted       string
	}{
		"nothing before":       {Proof{}, Proof{[]string{"pwd"}, at(1, 5)}, "{[pwd] [{1 5}]}"},
		"nothing added":        {Proof{[]string{"pwd"}, at(1, 5)}, Proof{}, "{[pwd] [{1 5}]}"},
		"another method":       {Proof{[]string{"pwd"}, at(1, 5)}, Proof{[]string{"otp"}, at(2, 6)}, "{[pwd otp] [{2 6}]}"},
		"the same method":      {Proof{[]string{"pwd", "otp"}, at(1, 5)}, Proof{[]string{"pwd"}, at(1, 6)}, "{[pwd otp] [{1 6}]}"},
		"the level stays":      {Proof{nil, at(3, 5)}, Proof{nil, at(2, 6)}, "{[] [{3 5} {2 6}]}"},
		"an earlier time":      {Proof{nil, at(3, 5)}, Proof{nil, at(3, 4)}, "{[] [{3 5}]}"},
		"an earlier level":     {Proof{nil, at(3, 5)}, Proof{nil, at(2, 5)}, "{[] [{3 5}]}"},
		"levels in between":    {Proof{nil, []LevelTime{{3, 5}, {1, 9}}}, Proof{nil, at(2, 7)}, "{[] [{3 5} {2 7} {1 9}]}"},
		"all levels at once":   {Proof{nil, []LevelTime{{3, 5}, {1, 9}}}, Proof{nil, at(4, 9)}, "{[] [{4 9}]}"},
		"a method added twice": {Proof{}, Proof{[]string{"otp", "otp"}, nil}, "{[otp] []}"},
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
	equal(t, "level", sum.Level(), 0)
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
		"level":   {Proof{nil, at(1, 5)}, Device{}},
		"method":  {Proof{[]string{"pwd"}, nil}, Device{}},
		"IP":      {Proof{}, Device{IP: "192.0.2.7"}},
		"agent":   {Proof{}, Device{UserAgent: "browser"}},
		"all":     {Proof{[]string{"pwd", "otp"}, at(2, 5)}, Device{"192.0.2.7", "browser"}},
	} {
		a := NewAccount(&tc.proof, tc.device)
		equal(t, name+": proof", fmt.Sprint(a.Proof()), fmt.Sprint(tc.proof))
		equal(t, name+": device", a.Device(), tc.device)
		equal(t, name+": is empty", len(a) == 0, name == "nothing")
	}
}
