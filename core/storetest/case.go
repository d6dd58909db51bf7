package storetest

import (
	"testing"
	"testing/synctest"
)

// testCase checks one rule.
type testCase struct {
	name  string
	rule  string // what must hold, and what goes wrong for users if it does not
	waits bool   // whether the case waits for records to expire
	run   func(e *env)
}

// execute runs the case on a new store. It passes the case to within as a function of the test
// that it reports to; the suite's own tests use that to record failures.
func (c *testCase) execute(
	t *testing.T, config Config, within func(tb testing.TB, run func(testing.TB)),
) {
	t.Helper()
	run := func(tb testing.TB) {
		tb.Helper()
		c.run(newEnv(tb, c.rule, &config))
	}
	if !c.waits || !config.InProcess {
		within(t, run)
		return
	}
	synctest.Test(t, func(t *testing.T) { within(t, run) })
}
