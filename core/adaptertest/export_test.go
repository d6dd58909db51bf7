package adaptertest

// WithIdle returns s with a function that reports that no request is being served. The suite then
// stops waiting for what only a request could still do.
func WithIdle(s Server, idle func() bool) Server {
	s.idle = idle
	return s
}
