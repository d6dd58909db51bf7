package adaptertest_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/cloakroom-go/sessions/core/adaptertest"
)

// TestTinyAdapter shows that the suite serves frameworks that it does not know: bare net/http passes all of it.
func TestTinyAdapter(t *testing.T) {
	t.Parallel()
	adaptertest.Run(t, tiny(faults{}))
}

// broken is a fault with the case that must name it.
type broken struct {
	faults faults
	caught string
}

func brokenAdapters() map[string]broken {
	return map[string]broken{
		"CommitsLate":           {faults{commitsLate: true}, "H2/BeforeFirstByte"},
		"LosesTheCookieOnFlush": {faults{losesOnFlush: true}, "H2/PathFlushFirst"},
		"SendsTheBody":          {faults{sendsBody: true}, "A7/PathBody"},
		"CommitsOnPanic":        {faults{commitsOnPanic: true}, "H2/Panic"},
		"AnonymousOutage":       {faults{anonymousOutage: true}, "O1/LoadFails"},
		"ForgetsCaches":         {faults{forgetsCaches: true}, "H1/AccessorKey"},
		"TwoCookies":            {faults{twoCookies: true}, "C5/OncePerResponse"},
		"DropsOnHangUp":         {faults{dropsOnHangUp: true}, "O4/ClientDisconnects"},
		"QueryToken":            {faults{queryToken: true}, "F4/TokenElsewhere"},
		"FirstLineOnly":         {faults{firstLineOnly: true}, "C6/Duplicates"},
		"KeepsFields":           {faults{keepsFields: true}, "A7/PathBody"},
		"SessionsTwice":         {faults{committedTwice: true}, "A6/Twice"},
		"TakesAnyManager":       {faults{anyManager: true}, "A6/NoManager"},
		"ForgetsLateChanges":    {faults{forgetsLate: true}, "H2/LateChange"},
		"RemovesOvertaken":      {faults{removesOvertaken: true}, "R2/OvertakenWrite"},
		"RemovesEndedToken":     {faults{removesOvertaken: true}, "F6/DestroyedToken"},
		"RefusesOvertaken":      {faults{refusesOvertaken: true}, "R2/DoubleLogin"},
		"SkipsOvertaken":        {faults{skipsOvertaken: true}, "R2/LogoutAfterStepUp"},
		"SendsATokenOnce":       {faults{sendsOnce: true}, "X3/LostAnswer"},
		"FirstTokenOnly":        {faults{firstTokenOnly: true}, "C6/SeveralTickets"},
		"ForgetsFetchMetadata":  {faults{forgetsFetch: true}, "C11/CrossSite"},
		"ParsesLeniently":       {faults{parsesLeniently: true}, "C10/ParserTricksAfterARead"},
		"ForgetsTheMethod":      {faults{forgetsMethod: true}, "C11/CrossSite"},
		"ForgetsFormerCookies":  {faults{forgetsFormer: true}, "C12/FormerCookies"},
		"OneCookieOfTheName":    {faults{oneOfTheName: true}, "C12/OtherDomainAndPath"},
		"OneCookieAtOnce":       {faults{oneOfTheName: true}, "C12/AllAtOnce"},
		"SendsARefusedLogin":    {faults{sendsBody: true}, "R1/RevokedMeanwhile"},
		"ForgetsPanics":         {faults{forgetsPanic: true}, "H1/Panic"},
		"ForgetsLateReads":      {faults{forgetsLateReads: true}, "H1/LateRead"},
		"ForgetsStreams":        {faults{forgetsLateReads: true}, "H1/StreamRead"},
		"ReturnsAnywhere":       {faults{returnsAnywhere: true}, "G1/ThereAndBack"},
		"OutageSignsIn":         {faults{outageSignsIn: true}, "G1/Outage"},
		"Circles":               {faults{circles: true}, "G1/Circle"},
		"ForgetsOrigins":        {faults{forgetsOrigin: true}, "G2/CrossOrigin"},
		"ForgetsTokens":         {faults{forgetsToken: true}, "G3/Token"},
		"TokenInURL":            {faults{tokenInURL: true}, "G3/Others"},
		"GetSignsOut":           {faults{getSignsOut: true}, "G4/OtherMethods"},
		"SavesAgain":            {faults{savesAgain: true}, "A7/OwnPage"},
	}
}

// underTest names the environment variable that makes this test binary run the suite on a broken adapter.
const underTest = "CLOAKROOM_BROKEN_ADAPTER"

// TestBrokenAdapter is the other side of TestBrokenAdapters: it fails, in a process of its own.
func TestBrokenAdapter(t *testing.T) {
	t.Parallel()
	name := os.Getenv(underTest)
	if name == "" {
		t.Skip("runs in a process of TestBrokenAdapters")
	}
	adaptertest.Run(t, tinyThatTells(brokenAdapters()[name].faults))
}

// TestBrokenAdapters shows that each fault is caught by the case that names it, and that the case says which rule is
// broken. Without the fault the case passes.
func TestBrokenAdapters(t *testing.T) {
	t.Parallel()
	for name, b := range brokenAdapters() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, failed := runBroken(t, name, b.caught)
			if !failed || !strings.Contains(out, "--- FAIL: TestBrokenAdapter/"+b.caught) || !strings.Contains(out, "rule: ") {
				t.Errorf("the suite does not catch this fault with %s:\n%s", b.caught, out)
			}
			if out, failed := runBroken(t, "none", b.caught); failed || !strings.Contains(out, "PASS") {
				t.Errorf("%s fails without a fault:\n%s", b.caught, out)
			}
		})
	}
}

// runBroken runs one case of the suite on a broken adapter, and reports whether it failed. A name that no broken adapter
// has stands for the one without a fault.
func runBroken(t *testing.T, name, testCase string) (out string, failed bool) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split("TestBrokenAdapter/"+testCase, "/")
	for i := range parts {
		parts[i] = "^" + parts[i] + "$"
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, self, "-test.run="+strings.Join(parts, "/")) //nolint:gosec // the test runs itself
	cmd.Env = append(os.Environ(), underTest+"="+name)
	text, err := cmd.CombinedOutput()
	return string(text), err != nil
}
