package testserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// childAttributes returns attributes with which a child is killed when this process ends, does
// not receive the terminal's interrupt, and runs as a user.
func childAttributes(user *account) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if user != nil {
		//nolint:gosec // ids fit
		a.Credential = &syscall.Credential{Uid: uint32(user.uid), Gid: uint32(user.gid)}
	}
	return a
}

// detachedAttributes returns attributes with which a child outlives this process and does not
// receive the terminal's interrupt.
func detachedAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// processTree returns a process and all its descendants. They need not share a process group:
// each process of PostgreSQL has its own.
func processTree(root int) []int {
	children := map[int][]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		if _, parent, err := readStat(path); err == nil {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			children[parent] = append(children[parent], pid)
		}
	}
	all := []int{root}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

// readStat returns the state and the parent of a process from its stat file. The name of the
// command before them may contain any character.
func readStat(path string) (state byte, parent int, err error) {
	text, err := os.ReadFile(path) //nolint:gosec // in /proc
	if err != nil {
		return 0, 0, err
	}
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 2 {
		return 0, 0, errors.New(path + ": too short")
	}
	parent, err = strconv.Atoi(string(fields[1]))
	return fields[0][0], parent, err
}

// hasEnded reports whether a process has ended, even if it has not been reaped.
func hasEnded(pid int) bool {
	state, _, err := readStat(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || state == 'Z' || state == 'X'
}

// isStopped reports whether every thread of a process is stopped or has ended.
func isStopped(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, path := range threads {
		state, _, err := readStat(path)
		if err == nil && state != 'T' && state != 'Z' && state != 'X' {
			return false
		}
	}
	return true
}

// killRemaining kills the processes of a dead server that still run. It returns an error until
// all are gone.
func killRemaining(pids []int) error {
	var left error
	for _, pid := range pids {
		if !hasEnded(pid) {
			_ = syscall.Kill(pid, syscall.SIGKILL) // fails if the process has just ended
			left = fmt.Errorf("process %d still runs", pid)
		}
	}
	return left
}

// stopTree stops the process tree and waits until it has stopped. The signal is asynchronous,
// and new processes may start until the last one has received it.
func (p *process) stopTree(ctx context.Context) error {
	return poll(ctx, func() error {
		var running error
		for _, pid := range processTree(p.pid()) {
			if !isStopped(pid) {
				_ = syscall.Kill(pid, syscall.SIGSTOP) // fails if the process has just ended
				running = fmt.Errorf("process %d still runs", pid)
			}
		}
		return running
	})
}

// pause stops the process tree and writes the ids of all its processes for the janitor. If
// this process ends, the kernel kills only the first of them, and the stopped ones do not
// notice that.
func (p *process) pause(ctx context.Context) error {
	err := p.stopTree(ctx)
	return errors.Join(err, p.writePIDs(processTree(p.pid())))
}

// resume resumes the process tree, descendants first, since a parent may look at its children
// at once.
func (p *process) resume() error {
	var errs []error
	all := processTree(p.pid())
	for i := range all {
		err := syscall.Kill(all[len(all)-1-i], syscall.SIGCONT)
		if err != nil && !errors.Is(err, syscall.ESRCH) {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, p.writePIDs(all[:1]))...)
}
