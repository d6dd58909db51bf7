package core

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/record"
	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

// The tests of this file write the secrets of a session as text. Secret n is counting(n), and
// times are in seconds after testTime, or "-" if they have not begun:
//
//	3; 1@- 2@130; over 4@90, former 5@- level 1
//
// is a session with the current secret 3, the retired secrets 1 and 2, and two lines of the past.
// A line that has a proof names its level, and the time of the proof.

func sinceTestTime(until int64) string {
	if until == ticket.Undelivered {
		return "-"
	}
	return strconv.FormatFloat(float64(until-testTime)/1000, 'f', -1, 64)
}

// secretOf returns the number of the secret that has the digest, or "new".
func secretOf(d ticket.Digest) string {
	for n := range byte(20) {
		s := counting(n)
		if s.Digest() == d {
			return strconv.Itoa(int(n))
		}
	}
	return "new"
}

var kindNames = map[ticket.Kind]string{ //nolint:gochecknoglobals // A constant table.
	ticket.Over: "over", ticket.Spent: "spent", ticket.Former: "former", ticket.Twin: "twin",
	ticket.LesserTwin: "lesser",
}

// secretsOf returns the secrets of a header as text.
func secretsOf(h *record.Header) string {
	var retired, past []string
	for _, l := range h.History.Lines() {
		retired = append(retired, secretOf(l.Digest)+"@"+sinceTestTime(l.Until))
	}
	for _, l := range h.Past.Lines() {
		text := kindNames[l.Kind] + " " + secretOf(l.Digest) + "@" + sinceTestTime(l.Until)
		if len(l.Proof) != 0 || l.Authenticated != 0 {
			text += fmt.Sprintf(" level %d at %s", record.Account(l.Proof).Proof().Level(), sinceTestTime(l.Authenticated))
		}
		past = append(past, text)
	}
	return secretOf(h.Digest) + "; " + strings.Join(retired, " ") + "; " + strings.Join(past, ", ")
}

// withSecrets sets the secrets of a header to those in the text, and fails the test if it is not
// what secretsOf writes.
func withSecrets(tb testing.TB, h record.Header, text string) record.Header {
	tb.Helper()
	parts := strings.SplitN(text, "; ", 3)
	numbered := func(s string) (ticket.Secret, int64) {
		number, until, _ := strings.Cut(s, "@")
		n, err := strconv.Atoi(number)
		want(tb, err, nil)
		if until == "-" || until == "" {
			return counting(byte(n)), ticket.Undelivered
		}
		seconds, err := strconv.ParseFloat(until, 64)
		want(tb, err, nil)
		return counting(byte(n)), testTime + int64(seconds*1000)
	}
	current, _ := numbered(parts[0])
	h.Digest, h.History, h.Past = current.Digest(), nil, nil
	retired := strings.Fields(parts[1])
	for i := range retired {
		old, until := numbered(retired[i])
		next := current
		if i+1 < len(retired) {
			next, _ = numbered(retired[i+1])
		}
		h.History = h.History.Append(old, next, testTime, until)
	}
	var lines []ticket.Line
	for part := range strings.SplitSeq(parts[2], ", ") {
		var kind, secret, at string
		var level int
		n, _ := fmt.Sscanf(part, "%s %s level %d at %s", &kind, &secret, &level, &at)
		if n < 2 {
			continue
		}
		s, until := numbered(secret)
		line := ticket.Line{Until: until, Digest: s.Digest()}
		for k, name := range kindNames {
			if name == kind {
				line.Kind = k
			}
		}
		if n == 4 {
			_, line.Authenticated = numbered("0@" + at)
			line.Proof = record.NewAccount(&record.Proof{Levels: atLevel(level)}, record.Device{})
		}
		lines = append(lines, line)
	}
	h.Past = ticket.NewPast(lines)
	equal(tb, "text of the secrets", secretsOf(&h), text)
	return h
}

func rotateComposer(grace time.Duration) *composer { return newComposer(policy{grace: grace}) }

const (
	rotateGrace = 30 * time.Second
	rotateNow   = testTime + 100_000
)

// The first request with a secret that the last change has issued begins the time of the others.
func TestDeliver(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		before    string
		presented byte
		after     string
		noGrace   bool
	}{
		"never rotated":              {"1; ; ", 1, "1; ; ", false},
		"after a renewal":            {"2; 1@-; ", 2, "2; 1@130; ", false},
		"after a renewal, again":     {"2; 1@130; ", 2, "2; 1@130; ", false},
		"after several renewals":     {"3; 1@120 2@-; ", 3, "3; 1@120 2@130; ", false},
		"after a step-up":            {"2; ; former 1@- level 1 at 0", 2, "2; ; spent 1@130", false},
		"after a login":              {"2; ; over 1@90", 2, "2; ; over 1@90", false},
		"step-up after a login":      {"3; ; over 1@90, former 2@- level 1 at 0", 3, "3; ; over 1@90, spent 2@130", false},
		"former ones by a former":    {"2; ; former 1@- level 1 at 0", 1, "2; ; former 1@- level 1 at 0", false},
		"a renewal, then a step-up":  {"3; ; former 1@110 level 1 at 0, former 2@- level 1 at 0", 3, "3; ; spent 1@130, spent 2@130", false},
		"a former that has ended":    {"3; ; former 1@90 level 1 at 0, former 2@- level 1 at 0", 3, "3; ; former 1@90 level 1 at 0, spent 2@130", false},
		"a former without a step-up": {"3; ; former 1@110 level 1 at 0, twin 2@-", 3, "3; ; former 1@110 level 1 at 0, twin 2@130", false},
		"of twins, by the current":   {"3; ; former 1@- level 1 at 0, twin 2@-", 3, "3; ; spent 1@130, twin 2@130", false},
		"of twins, by the other":     {"3; ; former 1@- level 1 at 0, twin 2@-", 2, "2; ; spent 1@130, twin 3@130", false},
		"of three, by the middle":    {"3; ; twin 1@-, twin 2@-", 2, "2; ; twin 1@130, twin 3@130", false},
		"a twin after the other":     {"3; ; twin 2@130", 2, "3; ; twin 2@-", false},
		"a twin once more":           {"3; ; spent 1@120, twin 2@-", 2, "2; ; spent 1@120, twin 3@130", false},
		"the current once more":      {"3; ; twin 2@-", 3, "3; ; twin 2@130", false},
		"a lesser twin, by itself":   {"3; ; lesser 2@- level 1 at 0", 2, "3; ; lesser 2@- level 1 at 0", false},
		"a lesser twin, by another":  {"3; ; lesser 2@- level 1 at 0", 3, "3; ; lesser 2@130 level 1 at 0", false},
		"a lesser twin, later":       {"3; ; lesser 2@130 level 1 at 0", 2, "3; ; lesser 2@- level 1 at 0", false},
		"a twin of a renewed one":    {"4; 3@-; twin 2@130", 2, "4; 3@-; twin 2@-", false},
		"it takes over a renewed":    {"4; 3@-; twin 2@-", 2, "2; ; former 3@130 level 1 at 0, twin 4@130", false},
		"it keeps what ended":        {"4; 3@90; twin 2@-", 2, "2; ; former 3@90 level 1 at 0, twin 4@130", false},
		"without a grace":            {"2; 1@-; ", 2, "2; 1@100; ", true},
		"a step-up, no grace":        {"2; ; former 1@- level 1 at 0", 2, "2; ; spent 1@100", true},
	} {
		h := withSecrets(t, signedIn(counting(1)), tc.before)
		base := storedBase(counting(tc.presented), &h)
		c := rotateComposer(rotateGrace)
		if tc.noGrace {
			c = rotateComposer(0)
		}
		base.standing = base.standingAt(rotateNow, c.grace)
		before := string(base.snap.Record.Data)
		out := &composed{standing: base.standing}
		head := base.snap.Header()
		c.deliver(&head, base, rotateNow, out)
		equal(t, name, secretsOf(&head), tc.after)
		equal(t, name+": the record itself", string(base.snap.Record.Data), before)
		after := storedBase(counting(tc.presented), &head)
		current := strings.HasPrefix(tc.after, strconv.Itoa(int(tc.presented))+";")
		equal(t, name+": the presented one is current", after.standingAt(rotateNow, c.grace) == standingCurrent, current)
		equal(t, name+": the presented one opens it", after.standingAt(rotateNow, c.grace).opens(), true)
		if tc.after == tc.before {
			continue
		}
		after.standing = out.standing
		equal(t, name+": another delivery by the same request", after.undelivered(), false)
	}
}

// What may be done with the secrets from before depends on who signs in, and with which ticket.
func TestReplaceByLogin(t *testing.T) {
	t.Parallel()
	ann, eve := &login{subject: "ann", at: rotateNow}, &login{subject: "eve", at: rotateNow}
	better := &login{subject: "ann", at: rotateNow, proof: record.Proof{Levels: atLevel(2), Methods: []string{"pwd", "otp"}}}
	stepUp := &login{subject: "ann", at: rotateNow, stepUp: true}
	for name, tc := range map[string]struct {
		before  string
		subject string
		by      standing
		login   *login
		after   string // without the current one
	}{
		"a visitor signs in":            {"1; ; ", "", standingCurrent, ann, "; over 1@130"},
		"after a renewal":               {"2; 1@-; ", "", standingCurrent, ann, "; over 1@130, over 2@130"},
		"another subject":               {"1; ; ", "ann", standingCurrent, eve, "; over 1@130"},
		"another subject, retired":      {"2; 1@-; ", "ann", standingRetired, eve, "; over 1@130, over 2@130"},
		"another subject, former":       {"2; ; former 1@- level 1 at 0", "ann", standingFormer, eve, "; over 1@130, over 2@130"},
		"another subject, twins":        {"3; ; twin 2@110, spent 1@80", "ann", standingTwin, eve, "; over 2@130, over 1@80, over 3@130"},
		"another subject, lesser twin":  {"3; ; lesser 2@- level 1 at 0", "ann", standingCurrent, eve, "; over 2@130, over 3@130"},
		"the same subject":              {"1; ; ", "ann", standingCurrent, ann, "; former 1@- level 1 at 0"},
		"step-up":                       {"1; ; ", "ann", standingCurrent, stepUp, "; former 1@- level 1 at 0"},
		"step-up, after a renewal":      {"2; 1@-; ", "ann", standingCurrent, stepUp, "; former 1@- level 1 at 0, former 2@- level 1 at 0"},
		"step-up, in the grace":         {"2; 1@110; ", "ann", standingRetired, stepUp, "; former 1@110 level 1 at 0, former 2@- level 1 at 0"},
		"step-up, after the grace":      {"2; 1@90; ", "ann", standingCurrent, stepUp, "; former 1@90 level 1 at 0, former 2@- level 1 at 0"},
		"step-up after a step-up":       {"2; ; former 1@- level 0 at -50", "ann", standingHeld, stepUp, "; former 1@- level 0 at -50, former 2@- level 1 at 0"},
		"step-up after a delivery":      {"2; ; spent 1@130", "ann", standingCurrent, stepUp, "; spent 1@130, former 2@- level 1 at 0"},
		"step-up after a login":         {"2; ; over 1@130", "ann", standingCurrent, stepUp, "; over 1@130, former 2@- level 1 at 0"},
		"step-up of twins":              {"3; ; twin 2@-", "ann", standingCurrent, stepUp, "; former 2@- level 1 at 0, former 3@- level 1 at 0"},
		"step-up of a lesser twin":      {"3; ; lesser 2@110 level 0 at 0", "ann", standingCurrent, stepUp, "; former 2@- level 0 at 0, former 3@- level 1 at 0"},
		"step-up, a twin in its grace":  {"3; ; twin 2@110", "ann", standingCurrent, stepUp, "; former 2@- level 1 at 0, former 3@- level 1 at 0"},
		"step-up, an ended twin":        {"3; ; twin 2@90", "ann", standingCurrent, stepUp, "; twin 2@90, former 3@- level 1 at 0"},
		"step-up, a former that ends":   {"3; ; former 2@110 level 0 at 0", "ann", standingCurrent, stepUp, "; former 2@110 level 0 at 0, former 3@- level 1 at 0"},
		"joins from a former":           {"2; ; former 1@- level 0 at -50", "ann", standingFormer, stepUp, "; former 1@- level 0 at -50, twin 2@-"},
		"joins, overtaken":              {"2; ; over 1@130", "ann", standingOver, ann, "; over 1@130, twin 2@-"},
		"joins, spent":                  {"2; ; spent 1@130", "ann", standingSpent, ann, "; spent 1@130, twin 2@-"},
		"joins with a better proof":     {"2; ; over 1@130", "ann", standingOver, better, "; over 1@130, lesser 2@- level 1 at 0"},
		"a third joins":                 {"3; ; over 1@130, twin 2@-", "ann", standingOver, ann, "; over 1@130, twin 2@-, twin 3@-"},
		"a third joins with a better":   {"3; ; over 1@130, twin 2@-", "ann", standingOver, better, "; over 1@130, lesser 2@- level 1 at 0, lesser 3@- level 1 at 0"},
		"joins a renewed one":           {"3; 2@-; over 1@130", "ann", standingOver, ann, "; over 1@130, former 2@- level 1 at 0, twin 3@-"},
		"joins one with an ended grace": {"3; 2@90; over 1@130", "ann", standingOver, ann, "; over 1@130, former 2@90 level 1 at 0, twin 3@-"},
	} {
		h := signedIn(counting(1))
		if tc.subject == "" {
			h = headerOf(counting(1))
		}
		h = withSecrets(t, h, tc.before)
		past, history := string(h.Past), string(h.History)
		keptPast, keptHistory := h.Past, h.History
		rotateComposer(rotateGrace).replaceByLogin(&h, tc.by, tc.login, rotateNow)
		equal(t, name, secretsOf(&h), tc.before[:1]+"; "+tc.after)
		equal(t, name+": the history of the record", string(keptHistory), history)
		equal(t, name+": the past of the record", string(keptPast), past)
		equal(t, name+": valid", h.Past.Valid(), true)
	}
}

// Without a grace period a step-up leaves the secrets from before nothing but the logout.
func TestReplaceByLoginWithoutGrace(t *testing.T) {
	t.Parallel()
	h := withSecrets(t, signedIn(counting(1)), "3; 2@-; twin 1@-, over 4@90")
	stepUp := &login{subject: "ann", at: rotateNow, stepUp: true}
	rotateComposer(0).replaceByLogin(&h, standingCurrent, stepUp, rotateNow)
	equal(t, "step-up", secretsOf(&h), "3; ; spent 1@100, over 4@90, spent 2@100, spent 3@100")
	h = withSecrets(t, signedIn(counting(1)), "2; 1@-; ")
	rotateComposer(0).replaceByLogin(&h, standingCurrent, &login{subject: "eve"}, rotateNow)
	equal(t, "another subject", secretsOf(&h), "2; ; over 1@100, over 2@100")
}

// The past keeps its newest lines.
func TestReplaceByLoginBeyondTheLimit(t *testing.T) {
	t.Parallel()
	h := withSecrets(t, signedIn(counting(1)),
		"9; ; over 1@120, over 2@120, over 3@120, over 4@120, over 5@120, over 6@120, over 7@120, over 8@120")
	rotateComposer(rotateGrace).replaceByLogin(&h, standingCurrent, &login{subject: "ann", stepUp: true}, rotateNow)
	equal(t, "past", secretsOf(&h),
		"9; ; over 2@120, over 3@120, over 4@120, over 5@120, over 6@120, over 7@120, over 8@120, former 9@- level 1 at 0")
}

func TestRemembered(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ before, after string }{
		"nothing":          {"1; ; ", "1; ; "},
		"within the time":  {"2; ; over 1@101", "2; ; over 1@101"},
		"within a minute":  {"2; ; over 1@40.001", "2; ; over 1@40.001"},
		"after it":         {"2; ; over 1@40", "2; ; "},
		"not begun":        {"2; ; twin 1@-", "2; ; twin 1@-"},
		"some of them":     {"4; ; twin 1@30, spent 2@90, over 3@20", "4; ; spent 2@90"},
		"the order stays":  {"4; ; spent 3@90, over 2@30, former 1@- level 1 at 0", "4; ; spent 3@90, former 1@- level 1 at 0"},
		"retired are kept": {"2; 1@30; ", "2; 1@30; "},
	} {
		h := withSecrets(t, signedIn(counting(1)), tc.before)
		before := string(h.Past)
		kept := h.Past
		h.Past = remembered(h.Past, rotateNow)
		equal(t, name, secretsOf(&h), tc.after)
		equal(t, name+": the past of the record", string(kept), before)
	}
}

// The grace period of a replaced secret begins with the delivery, if there is one.
func TestUndeliveredUntil(t *testing.T) {
	t.Parallel()
	equal(t, "with a grace", (&policy{grace: rotateGrace}).undelivered(rotateNow), ticket.Undelivered)
	equal(t, "without", (&policy{}).undelivered(rotateNow), rotateNow)
}

// A secret from before a step-up opens the session with the proof that there was.
func TestFormerProof(t *testing.T) {
	t.Parallel()
	secret := counting(1)
	h := signedIn(secret)
	stepUp := &login{subject: "ann", at: rotateNow, proof: record.Proof{Levels: atLevel(3)}, stepUp: true}
	rotateComposer(rotateGrace).replaceByLogin(&h, standingCurrent, stepUp, rotateNow)
	h.Digest, h.Authenticated = ticket.Digest{9}, rotateNow
	v := storedBase(secret, &h)
	equal(t, "standing", v.standingAt(rotateNow, rotateGrace), standingFormer)
	at, proof := v.formerProof()
	equal(t, "time", at, testTime)
	equal(t, "proof", fmt.Sprint(proof), "{[pwd] [{1 1767225600000}]}")
}

// A proof is as good as another if it has its level and its methods.
func TestProves(t *testing.T) {
	t.Parallel()
	h := signedIn(counting(1)) // pwd at level 1
	for name, tc := range map[string]struct {
		proof  record.Proof
		stepUp bool
		wanted bool
	}{
		"the same":            {record.Proof{Levels: atLevel(1), Methods: []string{"pwd"}}, false, true},
		"nothing":             {record.Proof{}, false, true},
		"lower":               {record.Proof{Methods: []string{"pwd"}}, false, true},
		"higher":              {record.Proof{Levels: atLevel(2), Methods: []string{"pwd"}}, false, false},
		"another method":      {record.Proof{Levels: atLevel(1), Methods: []string{"otp"}}, false, false},
		"one method more":     {record.Proof{Levels: atLevel(1), Methods: []string{"pwd", "otp"}}, false, false},
		"step-up, nothing":    {record.Proof{}, true, true},
		"step-up, the same":   {record.Proof{Levels: atLevel(1), Methods: []string{"pwd"}}, true, true},
		"step-up, new method": {record.Proof{Methods: []string{"otp"}}, true, false},
		"step-up, higher":     {record.Proof{Levels: atLevel(2)}, true, false},
	} {
		equal(t, name, proves(&h, &login{proof: tc.proof, stepUp: tc.stepUp}), tc.wanted)
	}
}

// A renewal by a twin, whose partner has been presented first, takes nothing from the partner:
// only the browser knows which of them it keeps.
func TestRenewalByATwin(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store})
		a, b := twins(t, m)
		deliver(b)
		renewed := a.clone()
		reply := renewed.request(renew)
		equal(t, "the twin gets a cookie", reply.SetCookie != "", true)
		for name, c := range map[string]*client{"renewed": renewed, "twin": a, "partner": b} {
			equal(t, name+": subject", c.load().Subject(), "ann")
		}
		deliver(b)
		deliver(b)
		time.Sleep(30 * time.Second)
		equal(t, "the partner, if it is kept", b.load().Subject(), "ann")
		wantTicketOvertaken(t, "the renewed one then", renewed, ReasonReplaced)
	})
}

// twins returns two clients of one session in which both have signed in at the same time: the
// second has the current secret. Each is ready to send another request.
func twins(t *testing.T, m *Manager) (first, second *client) {
	t.Helper()
	first = newClient(t, m)
	first.request(set(t, 1))
	second = first.clone()
	underWay := second.load()
	first.request(signInAs(t, "ann"))
	want(t, underWay.Login("ann"), nil)
	second.respond(underWay)
	return first, second
}

// A request shows once which cookie the browser keeps, however often it commits.
func TestOneRequestCountsOnce(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		other, kept := twins(t, newTestManager(t, Options{Store: store}))
		deliver(kept)
		late := other.load()
		for n := range 3 {
			want(t, late.Set("a", n), nil)
			want(t, late.Save(t.Context()), nil)
		}
		other.respond(late)
		time.Sleep(31 * time.Second)
		equal(t, "subject", kept.load().Subject(), "ann")
	})
}

// A request that began before another secret was issued shows nothing about its cookie.
func TestRequestFromBeforeALogin(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]func(s *Session){"write": set(t, 2), "touch": read} {
		eachStoreInBubble(t, func(t *testing.T, store Store) {
			t.Helper()
			m := newTestManager(t, Options{Store: store, Expiry: 5 * time.Minute})
			first := newClient(t, m)
			first.request(set(t, 1))
			second := first.clone()
			underWay := second.load()
			first.request(signInAs(t, "ann"))
			slow := first.load()
			time.Sleep(40 * time.Second) // A touch is due.
			want(t, underWay.Login("ann"), nil)
			second.respond(underWay)
			handler(slow)
			first.respond(slow)
			time.Sleep(31 * time.Second)
			equal(t, name+": subject", second.load().Subject(), "ann")
		})
	}
}

// A secret that was renewed before another login has joined the session is older than those of
// both, so a slow request with it does not begin their time. If the browser got neither of them,
// it still opens the session.
func TestRenewedBeforeAJoin(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store})
		renewed := newClient(t, m)
		renewed.request(set(t, 1))
		joining := renewed.clone()
		underWay := joining.load()
		renewed.request(signInAs(t, "ann"))
		old := renewed.clone()
		renewed.request(renew)
		want(t, underWay.Login("ann"), nil)
		joining.respond(underWay)
		for range 2 {
			equal(t, "cookie", old.request(set(t, 2)).SetCookie, "")
			time.Sleep(time.Hour)
		}
		for name, c := range map[string]*client{"old": old, "renewed": renewed, "joining": joining} {
			equal(t, name+": subject", c.load().Subject(), "ann")
		}
		deliver(joining)
		wantTicketOvertaken(t, "the old one then", old, ReasonReplaced)
		time.Sleep(31 * time.Second)
		wantTicketOvertaken(t, "the renewed one then", renewed, ReasonReplaced)
		equal(t, "the joining one then", joining.load().Subject(), "ann")
	})
}
