package main

// names says what applications get. A type brings its constants along, and every exported error
// of core is included, so only types and constants of other types are listed.
type names struct {
	types, constants []string
	// own are names that each adapter declares by hand. Links to them stay within the adapter.
	own []string
}

// published returns the names that every adapter publishes, in the order of the generated file.
func published() names {
	return names{
		types: []string{
			"Options", "Cookie", "SameSite", "Manager", "Session", "Key", "Store", "Auth", "Info", "Stats",
			"LimitPolicy", "Preset", "Codec", "Event", "EventKind", "Reason",
		},
		constants: []string{"Permanent", "NoGrace"},
		own:       []string{"NewManager", "FromContext"},
	}
}
