package testserver

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
)

// janitorScript waits until the test process is gone, even if it was killed, and removes what
// it left behind: processes that the kernel did not kill with it, the shared memory segment of
// a killed PostgreSQL, and the workspace.
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

// workspace returns the folder that holds all servers of this process. The janitor removes it
// when the process ends.
//
//nolint:gochecknoglobals // there is one for each process
var workspace = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "testserver-")
	if err != nil {
		return "", err
	}
	// Servers that run as another user must be able to reach their folders in it.
	if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // others cannot list it
		return "", err
	}
	return dir, startJanitor(dir)
})

// startJanitor starts the janitor. It reads from a pipe whose writing end closes when this
// process ends.
func startJanitor(dir string) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	args := []string{"-c", janitorScript, "janitor", dir}
	cmd := exec.CommandContext(context.Background(), "sh", args...) //nolint:gosec // our own
	cmd.Stdin, cmd.SysProcAttr = r, detachedAttributes()
	if err := cmd.Start(); err != nil {
		return err
	}
	// The garbage collector must not close the writing end.
	keepOpen(w)
	return nil
}

// openFiles holds files that stay open as long as the process runs.
//
//nolint:gochecknoglobals // they live as long as the process
var openFiles struct {
	sync.Mutex
	files []*os.File
}

func keepOpen(f *os.File) {
	openFiles.Lock()
	defer openFiles.Unlock()
	openFiles.files = append(openFiles.files, f)
}

// removeSegment removes the shared memory segment of a killed PostgreSQL, if there is one.
func removeSegment(pidfile string) {
	text, err := os.ReadFile(pidfile) //nolint:gosec // in our own folder
	lines := strings.Split(string(text), "\n")
	if err != nil || len(lines) < 7 {
		return
	}
	if fields := strings.Fields(lines[6]); len(fields) == 2 {
		//nolint:gosec // the segment's id
		_ = exec.CommandContext(context.Background(), "ipcrm", "-m", fields[1]).Run()
	}
}
