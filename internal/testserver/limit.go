package testserver

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"testing"
)

// LimitFiles limits the size of each file of the server to the given number of bytes, until
// the next start. Writes beyond it fail, as on a full disk. A size of 0 removes the limit. The
// write-ahead log must fit: 16 MiB for PostgreSQL, 32 MiB for MariaDB. LimitFiles needs Linux,
// but no privileges.
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
		for _, pid := range processTree(s.proc.pid()) {
			// The colon keeps the hard limit, which only root could raise again.
			args := []string{"--pid", strconv.Itoa(pid), "--fsize=" + limit + ":"}
			cmd := exec.CommandContext(ctx, "prlimit", args...) //nolint:gosec // numbers
			// On some systems, not even root may limit another user's process.
			cmd.SysProcAttr = childAttributes(s.program.user)
			out, err := cmd.CombinedOutput()
			if err != nil && slices.Contains(processTree(s.proc.pid()), pid) {
				return fmt.Errorf("prlimit: %w: %s", err, out)
			}
		}
		return nil
	})
}
