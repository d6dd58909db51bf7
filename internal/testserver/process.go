package testserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	logName  = "server.log"
	pidName  = "server.pid" // Read by the janitor.
	logShown = 16 << 10     // How much of a log is shown.
	killWait = 10 * time.Second
)

// errPortTaken says that a process ended because somebody else listens on its port.
var errPortTaken = errors.New("port is taken")

// command is a process to be.
type command struct {
	path string
	args []string
	dir  string // Also takes the log.
	user *account
}

// account is the user that a process runs as; nil is our own.
type account struct{ uid, gid int }

// process is a running server.
type process struct {
	cmd  *exec.Cmd
	dir  string
	done chan struct{} // Closed when the process has ended.
}

// launches takes the starts of all processes to one goroutine that keeps its thread for ever: the kernel kills our
// children when the thread that started them ends, and threads may end before the process does.
var launches = sync.OnceValue(func() chan<- func() { //nolint:gochecknoglobals // One thread per process is the point.
	starts := make(chan func())
	go func() {
		runtime.LockOSThread()
		for start := range starts {
			start()
		}
	}()
	return starts
})

// start starts the process. Its output is appended to the log in its folder.
func (c command) start() (*process, error) {
	out, err := os.OpenFile(filepath.Join(c.dir, logName), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()
	cmd := exec.CommandContext(context.Background(), c.path, c.args...) //nolint:gosec // Tests say what to run.
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, out, out
	cmd.SysProcAttr = attributes(c.user)
	// Servers must not depend on the language of the machine, nor find a client's settings.
	cmd.Env = []string{"LC_ALL=C", "TZ=UTC", "PATH=" + os.Getenv("PATH"), "HOME=" + c.dir, "TMPDIR=" + c.dir}
	started := make(chan error)
	launches() <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, dir: c.dir, done: make(chan struct{})}
	if err := p.record([]int{p.pid()}); err != nil {
		return nil, errors.Join(err, cmd.Process.Kill(), cmd.Wait())
	}
	go p.reap()
	return p, nil
}

// record leaves the ids of processes to the janitor.
func (p *process) record(pids []int) error {
	text := strings.Trim(fmt.Sprint(pids), "[]")
	return os.WriteFile(filepath.Join(p.dir, pidName), []byte(text), 0o600)
}

// run runs the command to its end.
func (c command) run(ctx context.Context) error {
	p, err := c.start() //nolint:contextcheck // A server outlives the call that starts it.
	if err != nil {
		return err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		return errors.Join(context.Cause(ctx), p.kill()) //nolint:contextcheck // What is to end must end, whatever became of the test.
	}
	if !p.cmd.ProcessState.Success() {
		return p.exitError()
	}
	return nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// reap waits for the end. A process that was killed is no error here; whoever waits for it to live finds out.
func (p *process) reap() {
	_ = p.cmd.Wait()
	// What is left in the file would tell the janitor to kill a stranger.
	_ = os.Remove(filepath.Join(p.dir, pidName))
	close(p.done)
}

// waitReady pings until the server answers or its process ends.
func (p *process) waitReady(ctx context.Context, ping func(context.Context) error) error {
	err := poll(ctx, func() error {
		select {
		case <-p.done:
			return nil
		default:
		}
		attempt, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		return ping(attempt)
	})
	select {
	case <-p.done:
		return p.exitError()
	default:
		return err
	}
}

// exitError says how the process ended, in its own words.
func (p *process) exitError() error {
	text := readLog(p.dir)
	err := fmt.Errorf("%s: %v\n%s", filepath.Base(p.cmd.Path), p.cmd.ProcessState, text)
	if lower := strings.ToLower(text); strings.Contains(lower, "already in use") || strings.Contains(lower, "bind:") {
		return fmt.Errorf("%w: %w", errPortTaken, err)
	}
	return err
}

// signalAndWait asks the process to end, and kills it when it does not.
func (p *process) signalAndWait(ctx context.Context, sig syscall.Signal) error {
	// It may be paused, and would not hear the signal.
	_ = p.resume()
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("%s did not stop: %w", filepath.Base(p.cmd.Path), context.Cause(ctx)), p.kill()) //nolint:contextcheck // What is to end must end, whatever became of the test.
	}
}

// kill ends the process at once and waits until it and all processes below it are gone.
func (p *process) kill() error {
	below := tree(p.pid())
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.done
	ctx, cancel := context.WithTimeout(context.Background(), killWait)
	defer cancel()
	return poll(ctx, func() error { return killLeft(below) })
}

// readLog returns the end of the log in dir.
func readLog(dir string) string {
	text, err := os.ReadFile(filepath.Join(dir, logName)) //nolint:gosec // A folder that we made.
	if err != nil {
		return err.Error()
	}
	if len(text) > logShown {
		text = append([]byte("...\n"), text[len(text)-logShown:]...)
	}
	return string(text)
}
