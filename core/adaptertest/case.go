package adaptertest

// testCase checks one rule.
type testCase struct {
	name string
	rule string
	run  func(e *env)
}
