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
	logName     = "server.log"
	pidName     = "server.pid" // read by the janitor
	maxLogShown = 16 << 10     // bytes at the end of a log
	killTimeout = 10 * time.Second
)

// errPortTaken reports that a process ended because another one listens on its port.
var errPortTaken = errors.New("port is taken")

// command describes a process.
type command struct {
	path string
	args []string
	dir  string // working directory; it also contains the log
	user *account
}

// account is the user that a process runs as. A nil account is the user of this process.
type account struct{ uid, gid int }

// process is a running server.
type process struct {
	cmd  *exec.Cmd
	dir  string
	done chan struct{} // closed when the process has ended
}

// startQueue returns a channel of functions that start processes. One goroutine calls them on
// a thread that never ends. The kernel kills a child when the thread that started it ends, and
// threads may end before the process does.
//
//nolint:gochecknoglobals // there is one thread for each process
var startQueue = sync.OnceValue(func() chan<- func() {
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
	const flags = os.O_CREATE | os.O_APPEND | os.O_WRONLY
	out, err := os.OpenFile(filepath.Join(c.dir, logName), flags, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()
	//nolint:gosec // tests say what to run
	cmd := exec.CommandContext(context.Background(), c.path, c.args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, out, out
	cmd.SysProcAttr = childAttributes(c.user)
	// Servers must not depend on the machine's locale or find settings of clients.
	cmd.Env = []string{
		"LC_ALL=C", "TZ=UTC", "PATH=" + os.Getenv("PATH"), "HOME=" + c.dir, "TMPDIR=" + c.dir,
	}
	started := make(chan error)
	startQueue() <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, dir: c.dir, done: make(chan struct{})}
	if err := p.writePIDs([]int{p.pid()}); err != nil {
		return nil, errors.Join(err, cmd.Process.Kill(), cmd.Wait())
	}
	go p.reap()
	return p, nil
}

// writePIDs writes the ids of processes for the janitor.
func (p *process) writePIDs(pids []int) error {
	text := strings.Trim(fmt.Sprint(pids), "[]")
	return os.WriteFile(filepath.Join(p.dir, pidName), []byte(text), 0o600)
}

// run runs the command until it ends.
func (c command) run(ctx context.Context) error {
	p, err := c.start() //nolint:contextcheck // run kills the process if ctx is done
	if err != nil {
		return err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		return errors.Join(context.Cause(ctx), p.kill()) //nolint:contextcheck // ctx is done
	}
	if !p.cmd.ProcessState.Success() {
		return p.exitError()
	}
	return nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// reap waits until the process ends. It ignores how the process ended: see exitError.
func (p *process) reap() {
	_ = p.cmd.Wait()
	// Otherwise the janitor could kill an unrelated process with the same id.
	_ = os.Remove(filepath.Join(p.dir, pidName))
	close(p.done)
}

// waitReady pings the server until it is ready or its process ends.
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

// exitError returns an error with the state of the ended process and the end of its log.
func (p *process) exitError() error {
	text := readLog(p.dir)
	err := fmt.Errorf("%s: %v\n%s", filepath.Base(p.cmd.Path), p.cmd.ProcessState, text)
	text = strings.ToLower(text)
	if strings.Contains(text, "already in use") || strings.Contains(text, "bind:") {
		return fmt.Errorf("%w: %w", errPortTaken, err)
	}
	return err
}

// signalAndWait asks the process to end, and kills it if it has not ended when ctx is done.
func (p *process) signalAndWait(ctx context.Context, sig syscall.Signal) error {
	// A paused process would not receive the signal.
	_ = p.resume()
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		name := filepath.Base(p.cmd.Path)
		err := fmt.Errorf("%s did not stop: %w", name, context.Cause(ctx))
		return errors.Join(err, p.kill()) //nolint:contextcheck // ctx is done
	}
}

// kill kills the process and waits until it and all its descendants are gone.
func (p *process) kill() error {
	tree := processTree(p.pid())
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.done
	ctx, cancel := context.WithTimeout(context.Background(), killTimeout)
	defer cancel()
	return poll(ctx, func() error { return killRemaining(tree) })
}

// readLog returns the end of the log in dir.
func readLog(dir string) string {
	text, err := os.ReadFile(filepath.Join(dir, logName)) //nolint:gosec // our own
	if err != nil {
		return err.Error()
	}
	if len(text) > maxLogShown {
		text = append([]byte("...\n"), text[len(text)-maxLogShown:]...)
	}
	return string(text)
}
