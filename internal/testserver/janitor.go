package testserver

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
)

// janitorScript waits until the test process is gone, however it ended, and clears away what it left: processes
// that the kernel did not end with it, the shared memory segment of a killed PostgreSQL, and the folder of everything.
const janitorScript = `
cat >/dev/null
sleep 0.1
for f in "$1"/*/server.pid; do
	[ -e "$f" ] && kill -9 $(cat "$f")
done
for f in "$1"/*/data/postmaster.pid; do
	[ -e "$f" ] && ipcrm -m "$(awk 'NR==7 {print $2}' "$f")"
done
for i in 1 2 3 4 5; do
	rm -rf "$1" && break
	sleep 0.2
done
`

// workspace returns the folder of everything this process starts, and has it cleared away when the process ends.
var workspace = sync.OnceValues(func() (string, error) { //nolint:gochecknoglobals // One per process is the point.
	dir, err := os.MkdirTemp("", "testserver-")
	if err != nil {
		return "", err
	}
	// Servers that refuse to run as root must be able to reach what is theirs in it.
	if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // Listing it stays ours.
		return "", err
	}
	return dir, watch(dir)
})

// watch starts the janitor. It holds the reading end of a pipe whose writing end closes with our process.
func watch(dir string) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	cmd := exec.CommandContext(context.Background(), "sh", "-c", janitorScript, "janitor", dir) //nolint:gosec // Our own folder.
	cmd.Stdin, cmd.SysProcAttr = r, detached()
	if err := cmd.Start(); err != nil {
		return err
	}
	// The writing end stays open for as long as we live; the collector must not close it.
	keep(w)
	return nil
}

// kept holds what must live as long as the process.
var kept struct { //nolint:gochecknoglobals // The point of it.
	sync.Mutex
	files []*os.File
}

func keep(f *os.File) {
	kept.Lock()
	defer kept.Unlock()
	kept.files = append(kept.files, f)
}

// removeSegment removes the shared memory segment that a killed PostgreSQL left behind. There may be none.
func removeSegment(pidfile string) {
	text, err := os.ReadFile(pidfile) //nolint:gosec // In a folder that we made.
	lines := strings.Split(string(text), "\n")
	if err != nil || len(lines) < 7 {
		return
	}
	fields := strings.Fields(lines[6])
	if len(fields) == 2 {
		_ = exec.CommandContext(context.Background(), "ipcrm", "-m", fields[1]).Run() //nolint:gosec // A number.
	}
}
