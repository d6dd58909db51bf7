package main

// names says what applications get. A type brings its constants along, and every exported error
// of core is included, so only types, constants of other types, and functions are listed. A function
// must not be generic.
type names struct {
	types, constants, functions []string
	// own are names that each adapter declares by hand. Links to them stay within the adapter.
	own []string
}

// published returns the names that every adapter publishes, in the order of the generated file.
func published() names {
	return names{
		types: []string{
			"Options", "Cookie", "FormerCookie", "SameSite", "Manager", "Session", "Key", "Store", "Auth",
			"SignIn", "Lease", "Info", "Stats", "Policy", "LimitPolicy", "Preset", "Codec", "Event", "EventKind",
			"Reason", "Requirement", "Flash", "FlashKind",
		},
		constants: []string{"Permanent", "NoGrace", "ReturnParam", "CSRFHeader", "CSRFField"},
		functions: []string{"Once", "LocalPath", "StatusCode"},
		own:       []string{"NewManager", "FromContext"},
	}
}
