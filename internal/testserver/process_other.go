//go:build !linux

package testserver

import (
	"context"
	"errors"
	"syscall"
)

var errNeedsLinux = errors.New("pausing a server needs Linux")

// attributes has nothing to offer here; the janitor looks after what a dead test process leaves.
func attributes(*account) *syscall.SysProcAttr { return nil }

func detached() *syscall.SysProcAttr { return nil }

// tree knows no processes but the first.
func tree(root int) []int { return []int{root} }

func killLeft([]int) error { return nil }

func (p *process) pause(context.Context) error { return errNeedsLinux }

func (p *process) resume() error { return errNeedsLinux }
