package testserver

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"testing"
)

// LimitFiles lets no file of the server grow beyond that many bytes, from now on until the next start: what it writes there
// fails, as on a disk that is full, and no privilege is needed for it. 0 ends it. Logs that the server writes ahead have to
// fit: 16 MiB for PostgreSQL, 32 MiB for MariaDB. It needs Linux.
func (s *Server) LimitFiles(tb testing.TB, size int) {
	tb.Helper()
	s.fault(tb, func(ctx context.Context) error {
		if s.proc == nil {
			return errNotRunning
		}
		limit := "unlimited"
		if size > 0 {
			limit = strconv.Itoa(size)
		}
		for _, pid := range tree(s.proc.pid()) {
			// The colon leaves the hard limit as it is, above which nobody but root could lift the other again.
			cmd := exec.CommandContext(ctx, "prlimit", "--pid", strconv.Itoa(pid), "--fsize="+limit+":") //nolint:gosec // Numbers.
			// Not even root may do it to another user's process everywhere.
			cmd.SysProcAttr = attributes(s.program.user)
			if out, err := cmd.CombinedOutput(); err != nil && slices.Contains(tree(s.proc.pid()), pid) {
				return fmt.Errorf("prlimit: %w: %s", err, out)
			}
		}
		return nil
	})
}
