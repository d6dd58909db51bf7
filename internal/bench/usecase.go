package bench

// useCase is an action in a request with or without the cookie of a session.
type useCase struct {
	name, text string
	action     action
	cookie     bool
}

// useCases returns the use cases in which libraries are compared.
func useCases() []useCase {
	return []useCase{
		{"a", "existing session, read one key", actionRead, true},
		{"b", "existing session, increment a counter", actionChange, true},
		{"c", "no cookie, write one key", actionCreate, false},
		{"d", "no cookie, session never touched", actionIdle, false},
		{"e", "existing cookie, session never touched", actionIdle, true},
	}
}
