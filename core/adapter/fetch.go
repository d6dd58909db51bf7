package adapter

// FetchOf returns why the browser sends a request, given its method and its header in the form of
// http.Header.
func FetchOf(method string, header map[string][]string) Fetch {
	return Fetch{
		Method: method, Site: first(header["Sec-Fetch-Site"]),
		Mode: first(header["Sec-Fetch-Mode"]), Dest: first(header["Sec-Fetch-Dest"]),
	}
}

// WithoutLax reports whether browsers send the request without cookies whose SameSite attribute is
// Lax: another site has caused it, and it does not lead the user to a page.
func (f *Fetch) WithoutLax() bool {
	//nolint:usestdlibvars // Core knows no net/http.
	safe := f.Method == "GET" || f.Method == "HEAD"
	return f.Site == "cross-site" &&
		(!safe || f.Mode != "navigate" || f.Dest != "document" && f.Dest != "")
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// FetchValue returns the value of a Fetch Metadata field as a string that does not share its
// memory. It allocates for values only that no browser is known to send. Adapters use it if their
// framework reuses the memory of its strings.
func FetchValue(value []byte) string {
	for _, known := range [...]string{
		"", "same-origin", "same-site", "cross-site", "none",
		"navigate", "cors", "no-cors", "websocket",
		"document", "empty", "image", "script", "style", "font", "iframe",
	} {
		if string(value) == known {
			return known
		}
	}
	return string(value)
}
