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

// attributes ties the life of a child to ours, keeps the terminal's interrupt from it, and gives it its user.
func attributes(user *account) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if user != nil {
		a.Credential = &syscall.Credential{Uid: uint32(user.uid), Gid: uint32(user.gid)} //nolint:gosec // Ids fit.
	}
	return a
}

// detached only keeps the terminal's interrupt from a child: it is to outlive us.
func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// tree returns a process and all below it. Groups will not do: each process of PostgreSQL is one of its own.
func tree(root int) []int {
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

// readStat returns the state and the parent from a stat file. The command's name before them may hold anything.
func readStat(path string) (state byte, parent int, err error) {
	text, err := os.ReadFile(path) //nolint:gosec // Below /proc.
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

// gone reports whether a process has ended, reaped or not.
func gone(pid int) bool {
	state, _, err := readStat(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || state == 'Z' || state == 'X'
}

// stopped reports whether every thread of a process stands still.
func stopped(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, path := range threads {
		if state, _, err := readStat(path); err == nil && state != 'T' && state != 'Z' && state != 'X' {
			return false
		}
	}
	return true
}

// killLeft kills those of a dead server's processes that did not notice, and fails until all are gone.
func killLeft(pids []int) error {
	var left error
	for _, pid := range pids {
		if !gone(pid) {
			_ = syscall.Kill(pid, syscall.SIGKILL) // It may just have ended.
			left = fmt.Errorf("process %d still runs", pid)
		}
	}
	return left
}

// stopTree stops the whole tree and waits until it stands: the signal is asynchronous, and until the last process has
// seen it, more may be started.
func (p *process) stopTree(ctx context.Context) error {
	return poll(ctx, func() error {
		var running error
		for _, pid := range tree(p.pid()) {
			if !stopped(pid) {
				_ = syscall.Kill(pid, syscall.SIGSTOP) // It may just have ended.
				running = fmt.Errorf("process %d still runs", pid)
			}
		}
		return running
	})
}

// pause stops the whole tree and tells the janitor of every process: when the first one is killed with us, those below it
// stand still and do not notice.
func (p *process) pause(ctx context.Context) error {
	err := p.stopTree(ctx)
	return errors.Join(err, p.record(tree(p.pid())))
}

// resume lets the whole tree go on, the lowest first: a parent may look after its children at once.
func (p *process) resume() error {
	var errs []error
	all := tree(p.pid())
	for i := range all {
		err := syscall.Kill(all[len(all)-1-i], syscall.SIGCONT)
		if err != nil && !errors.Is(err, syscall.ESRCH) {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, p.record(all[:1]))...)
}
