package core

import (
	"strings"
	"testing"
	"time"
)

func TestValidateTimes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		field string
		o     Options
	}{
		{"Expiry", Options{Expiry: -2}},
		{"Expiry", Options{Expiry: -time.Hour}},
		{"Expiry", Options{Expiry: 3600}}, // The unit was forgotten.
		{"Expiry", Options{Expiry: 1}},
		{"Expiry", Options{Expiry: time.Second - 1}},
		{"Lifetime", Options{Lifetime: -1}},
		{"Lifetime", Options{Lifetime: 3600}}, // The error names Lifetime, not the default Expiry.
		{"Grace", Options{Grace: 30}},
		{"Lifetime", Options{Lifetime: -time.Hour}},
		{"Lifetime", Options{Expiry: time.Hour, Lifetime: 3600}},
		{"Lifetime", Options{Expiry: time.Hour, Lifetime: time.Hour - 1}},
		{"Lifetime", Options{Expiry: DefaultExpiry, Lifetime: time.Hour}}, // It is set, although to the default.
		{"Lifetime", Options{Expiry: Permanent, Lifetime: time.Hour}},
		{"Grace", Options{Grace: -2}},
		{"StoreTimeout", Options{StoreTimeout: -1}},
		{"StoreTimeout", Options{StoreTimeout: 5}},
		{"MaxSize", Options{MaxSize: -1}},
		{"MaxSize", Options{MaxSize: largestMaxSize + 1}},
		{"PurgeInterval", Options{PurgeInterval: 300}}, // The unit was forgotten.
		{"PurgeInterval", Options{PurgeInterval: time.Second - 1}},
	} {
		wantRefused(t, tc.o, tc.field)
	}
	for _, o := range []Options{
		{Expiry: time.Second},
		{Expiry: time.Hour, Lifetime: time.Hour},
		{Lifetime: time.Hour}, // It limits the default Expiry.
		{Expiry: Permanent},
		{Expiry: 1<<63 - 1},
		{Lifetime: 1<<63 - 1},
	} {
		if _, err := NewManager(o); err != nil {
			t.Errorf("Expiry %v, Lifetime %v: %v", o.Expiry, o.Lifetime, err)
		}
	}
}

func TestValidatePrefix(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{" ", "a b", "a\n", "\x00", "a\x7f", "é", "\t", strings.Repeat("p", 201)} {
		wantRefused(t, Options{Prefix: prefix}, "Prefix")
	}
	for _, prefix := range []string{"a", "a:b:", "*", "{tag}", strings.Repeat("p", 200)} {
		if _, err := NewManager(Options{Prefix: prefix}); err != nil {
			t.Errorf("%q: %v", prefix, err)
		}
	}
}

func TestValidateRenewalAndLimits(t *testing.T) {
	t.Parallel()
	hook := func(Event) {}
	for name, test := range map[string]struct {
		o  Options
		ok bool
	}{
		"renewed every second":    {Options{RenewEvery: time.Second, Grace: time.Second}, true},
		"without a unit":          {Options{RenewEvery: 900, Grace: time.Millisecond}, false},
		"negative renewal":        {Options{RenewEvery: -time.Hour}, false},
		"renewal as the grace":    {Options{RenewEvery: 30 * time.Second}, true},
		"renewal below the grace": {Options{RenewEvery: 29 * time.Second}, false},
		"renewal without grace":   {Options{RenewEvery: time.Second, Grace: NoGrace}, true},
		"negative limit":          {Options{MaxSessions: -1}, false},
		"limit":                   {Options{MaxSessions: 1, OnLimit: RefuseLogin}, true},
		"unknown limit":           {Options{MaxSessions: 1, OnLimit: RefuseLogin + 1}, false},
		"what to do without one":  {Options{OnLimit: RefuseLogin}, false},
		"store events":            {Options{StoreEvents: true, OnEvent: hook}, true},
		"store events for nobody": {Options{StoreEvents: true}, false},
	} {
		_, err := NewManager(test.o)
		if (err == nil) != test.ok {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}

// The error reports everything that is wrong.
func TestValidateReportsEverything(t *testing.T) {
	t.Parallel()
	_, err := NewManager(Options{Prefix: " ", Expiry: -5, Grace: -2, Cookie: Cookie{Name: ";", Domain: "x", Path: "y", SameSite: 9}})
	if err == nil {
		t.Fatal("accepted")
	}
	lines := strings.Split(err.Error(), "\n")
	equal(t, "sentences", len(lines), 7)
	for _, line := range lines {
		if !strings.HasPrefix(line, "sessions: ") {
			t.Errorf("%q does not begin in our name", line)
		}
	}
}

// The default Expiry is limited by Lifetime.
func TestDefaultExpiryIsCapped(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{Lifetime: time.Hour}))
	if got := c.request(set(t, 1)).SetCookie; !strings.Contains(got, "; Max-Age=3600;") {
		t.Errorf("Set-Cookie is %q, want an hour", got)
	}
}
