//go:build !linux

package bench

// pinApart reports false: processes cannot be pinned on this system.
func pinApart(int) (restore func(), ok bool) { return func() {}, false }
