//go:build unix

package memcachedstore

import (
	"errors"
	"net"
	"syscall"
)

// isAlive reports whether an idle connection is open and has no data to read. A server that
// was restarted has closed its connections. Writing to one would still succeed, and it would
// be unknown whether the request was carried out.
func isAlive(socket net.Conn) bool {
	sc, ok := socket.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	var noData bool
	err = raw.Read(func(fd uintptr) bool {
		var b [1]byte
		_, err := syscall.Read(int(fd), b[:])
		noData = errors.Is(err, syscall.EAGAIN)
		return true
	})
	return err == nil && noData
}
