package core

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

// shown is a type that applications log or return as JSON.
type shown struct {
	full    slog.LogValuer // every field is set
	golden  string
	zero    slog.LogValuer
	nothing string            // the JSON of the zero value
	names   map[string]string // of fields whose name does not follow from that in Go; "" for none
	noWay   string            // the error of reading it back, "" if that works
}

// shownTypes returns all such types.
func shownTypes() map[string]shown {
	at := time.Date(2026, 1, 31, 12, 30, 0, 500e6, time.UTC)
	auth := Auth{
		Methods: []string{"pwd", "otp"}, Level: 2, At: at, Start: ProofStart{[]byte("x")}, ProviderSession: "sid-1", Actor: "support",
	}
	const authGolden = `{"methods":["pwd","otp"],"level":2,"at":"2026-01-31T12:30:00.5Z","provider_session":"sid-1","actor":"support"}`
	return map[string]shown{
		"Info": {
			full: Info{
				ID: "0190", Subject: "ann", Created: at, LastSeen: at.Add(time.Hour), Expires: at.Add(2 * time.Hour), AuthenticatedAt: at,
				Auth: auth, IP: "192.0.2.1", UserAgent: "curl/8", Persistent: true,
			},
			golden: `{"id":"0190","subject":"ann","created":"2026-01-31T12:30:00.5Z","last_seen":"2026-01-31T13:30:00.5Z",` +
				`"expires":"2026-01-31T14:30:00.5Z","authenticated_at":"2026-01-31T12:30:00.5Z","auth":` + authGolden +
				`,"ip":"192.0.2.1","user_agent":"curl/8","persistent":true}`,
			zero: Info{}, nothing: `{"persistent":false}`,
		},
		"Auth": {full: auth, golden: authGolden, zero: Auth{}, nothing: `{}`, names: map[string]string{"Start": ""}},
		"Stats": {
			full: Stats{
				Created: 1, Loaded: 2, Committed: 3, Merged: 4, Touched: 5, Renewed: 6, Logins: 7, Destroyed: 8, Revoked: 9, Gone: 10,
				Expired: 11, Refused: 12, Reused: 13, LimitsReached: 14, Undecodable: 15, StoreFailures: 16, EventsDropped: 17,
			},
			golden: `{"created":1,"loaded":2,"committed":3,"merged":4,"touched":5,"renewed":6,"logins":7,"destroyed":8,"revoked":9,` +
				`"gone":10,"expired":11,"refused":12,"reused":13,"limits_reached":14,"undecodable":15,"store_failures":16,"events_dropped":17}`,
			zero: Stats{}, nothing: `{"created":0,"loaded":0,"committed":0,"merged":0,"touched":0,"renewed":0,"logins":0,"destroyed":0,` +
				`"revoked":0,"gone":0,"expired":0,"refused":0,"reused":0,"limits_reached":0,"undecodable":0,"store_failures":0,"events_dropped":0}`,
		},
		"Policy": {
			full: Policy{
				Preset: PresetASVS2, IdleTimeout: time.Hour, MaxIdleTimeout: 2 * time.Hour, AbsoluteTimeout: 24 * time.Hour,
				RenewEvery: 15 * time.Minute, Grace: 30500 * time.Millisecond, RevokeOnReuse: true, MaxSessions: 5, OnLimit: EvictIdle,
				Cookie: "session; Path=/", Persistent: true, NoStoreSignedIn: true, NoDevice: true,
			},
			golden: `{"preset":"asvs2","idle_timeout_seconds":3600,"max_idle_timeout_seconds":7200,"absolute_timeout_seconds":86400,` +
				`"renew_every_seconds":900,"grace_seconds":30.5,"revoke_on_reuse":true,"max_sessions":5,"on_limit":"evict_idle",` +
				`"cookie":"session; Path=/","persistent":true,"no_store_signed_in":true,"no_device":true}`,
			zero: Policy{}, nothing: `{"preset":"none","idle_timeout_seconds":0,"max_idle_timeout_seconds":0,"absolute_timeout_seconds":0,` +
				`"renew_every_seconds":0,"grace_seconds":0,"revoke_on_reuse":false,"max_sessions":0,"on_limit":"evict_oldest",` +
				`"cookie":"","persistent":false,"no_store_signed_in":false,"no_device":false}`,
			noWay: "Options configure a manager",
		},
		"Event": {
			full: Event{
				Kind: EventReused, Time: at, SessionID: "0190", Subject: "ann", Actor: "support", Key: `a"b`, Reason: ReasonReuse,
				Err: errors.New("down"), Dropped: 3, Operation: "list subject", Took: 1500 * time.Microsecond, Context: context.Background(),
			},
			golden: `{"kind":"secret_reused","time":"2026-01-31T12:30:00.5Z","session":"0190","subject":"ann","actor":"support",` +
				`"key":"a\"b","reason":"secret_reused","error":"down","dropped":3,"operation":"list_subject","took_seconds":0.0015}`,
			zero: Event{}, nothing: `{"kind":"unknown"}`,
			names: map[string]string{"SessionID": "session", "Err": "error", "Context": ""},
			noWay: "an Event is written to JSON",
		},
	}
}

func TestJSONOfShownTypes(t *testing.T) {
	t.Parallel()
	for name, s := range shownTypes() {
		equal(t, name, asJSON(t, s.full), s.golden)
		equal(t, "zero "+name, asJSON(t, s.zero), s.nothing)
	}
}

func asJSON(tb testing.TB, v any) string {
	tb.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// Every field has a name in JSON, which follows from that in Go, and a value that the golden texts show.
func TestEveryFieldHasAName(t *testing.T) {
	t.Parallel()
	for name, s := range shownTypes() {
		full, want := reflect.ValueOf(s.full), []string{}
		for i := range full.NumField() {
			field := full.Type().Field(i)
			if full.Field(i).IsZero() {
				t.Errorf("%s.%s is not set, so the test does not see whether it is shown", name, field.Name)
			}
			shown, ok := s.names[field.Name]
			if !ok {
				shown = nameInJSON(field)
			}
			if shown != "" {
				want = append(want, shown)
			}
		}
		equal(t, name, namesIn(t, asJSON(t, s.full)), strings.Join(want, " "))
	}
}

// nameInJSON returns the name by the rule: words in lower case with underscores, and the unit of a duration.
func nameInJSON(f reflect.StructField) string {
	name := strings.ToLower(regexp.MustCompile(`([a-z])([A-Z])`).ReplaceAllString(f.Name, "${1}_$2"))
	if f.Type == reflect.TypeFor[time.Duration]() {
		name += "_seconds"
	}
	return name
}

// namesIn returns the names of a JSON object in their order.
func namesIn(tb testing.TB, object string) string {
	tb.Helper()
	d, names := json.NewDecoder(strings.NewReader(object)), []string{}
	_, err := d.Token()
	for err == nil && d.More() {
		var name json.Token
		if name, err = d.Token(); err == nil {
			names = append(names, name.(string))
			err = d.Decode(new(json.RawMessage))
		}
	}
	if err != nil {
		tb.Fatalf("%s: %v", object, err)
	}
	return strings.Join(names, " ")
}

// A log line has the names and values of the JSON, in the same order.
func TestLogValueIsTheJSON(t *testing.T) {
	t.Parallel()
	for name, s := range shownTypes() {
		for _, v := range []slog.LogValuer{s.full, s.zero} {
			var out bytes.Buffer
			slog.New(slog.NewJSONHandler(&out, nil)).Info("", "it", v)
			var line struct{ It json.RawMessage }
			if err := json.Unmarshal(out.Bytes(), &line); err != nil {
				t.Fatal(err)
			}
			want := asJSON(t, v)
			if want == "{}" {
				want = "" // slog leaves an empty group out.
			}
			equal(t, name, string(line.It), want)
		}
	}
}

// What is written is read back, or the type refuses to be read.
func TestShownTypesComeBack(t *testing.T) {
	t.Parallel()
	for name, s := range shownTypes() {
		back := reflect.New(reflect.TypeOf(s.full))
		err := json.Unmarshal([]byte(asJSON(t, s.full)), back.Interface())
		if s.noWay != "" {
			if err == nil || !strings.Contains(err.Error(), s.noWay) || !back.Elem().IsZero() {
				t.Errorf("%s: %v, want an error with %q", name, err, s.noWay)
			}
			continue
		}
		want := s.full
		switch full := s.full.(type) { // Start is never shown.
		case Auth:
			full.Start = ProofStart{}
			want = full
		case Info:
			full.Auth.Start = ProofStart{}
			want = full
		}
		if err != nil || !reflect.DeepEqual(back.Elem().Interface(), any(want)) {
			t.Errorf("%s: %+v, %v, want %+v", name, back.Elem(), err, want)
		}
	}
}

// The texts of kinds, limit policies and presets are read back, and no others are.
func TestTextsComeBack(t *testing.T) {
	t.Parallel()
	comeBack[EventKind](t, eventKinds)
	comeBack(t, RefuseLogin+1)
	comeBack(t, PresetASVS3+1)
	equal(t, "limit", asJSON(t, []LimitPolicy{EvictOldest, EvictIdle, RefuseLogin, 9}), `["evict_oldest","evict_idle","refuse_login","unknown"]`)
	equal(t, "presets", asJSON(t, []Preset{0, PresetAAL3, PresetASVS1, 9}), `["none","aal3","asvs1","unknown"]`)
	equal(t, "kinds", asJSON(t, []EventKind{EventBadValue, EventCrossSite, 0}), `["bad_value","cross-site","unknown"]`)
}

func comeBack[T ~uint8](t *testing.T, limit T) {
	t.Helper()
	for v := range limit {
		var back T
		if err := json.Unmarshal([]byte(asJSON(t, v)), &back); err != nil || back != v {
			t.Errorf("%s comes back as %d, %v, want %d", asJSON(t, v), back, err, v)
		}
	}
	var back T
	if err := json.Unmarshal([]byte(`"nonsense"`), &back); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("%T: %v, want an error that quotes the text", limit, err)
	}
}

// What a manager returns is shown with what it knows, and without the ticket.
func TestListAsJSON(t *testing.T) {
	t.Parallel()
	var events recorder
	m := newTestManager(t, Options{OnEvent: events.add})
	c := newSignedIn(t, m, "ann")
	ctx := t.Context()
	list, err := m.List(ctx, "ann")
	want(t, err, nil)
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	log.Info("shown", "list", list[0], "stats", m.Stats(), "policy", m.Policy())
	for _, e := range events.closeAndList(t, m) {
		out.WriteString(asJSON(t, e))
		log.Info("shown", "event", e)
	}
	out.WriteString(asJSON(t, list) + asJSON(t, m.Stats()) + asJSON(t, m.Policy()))
	text := out.String()
	for _, shown := range []string{
		"list.id=" + c.id(), "stats.logins=1", "policy.idle_timeout_seconds=2592000", `"session":"` + c.id(), `"kind":"login"`, "event.kind=login",
	} {
		if !strings.Contains(text, shown) {
			t.Errorf("%q is missing in\n%s", shown, text)
		}
	}
	ticket := strings.TrimPrefix(c.cookie, "session=")
	if secret := ticket[22:]; strings.Contains(text, secret) {
		t.Error("the secret is shown")
	}
}
