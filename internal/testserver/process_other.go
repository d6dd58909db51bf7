//go:build !linux

package testserver

import (
	"context"
	"errors"
	"syscall"
)

var errNeedsLinux = errors.New("pausing a server needs Linux")

// childAttributes returns nil. If this process is killed, the janitor kills its children.
func childAttributes(*account) *syscall.SysProcAttr { return nil }

func detachedAttributes() *syscall.SysProcAttr { return nil }

// processTree returns the process alone, since its descendants are not known on this system.
func processTree(root int) []int { return []int{root} }

func killRemaining([]int) error { return nil }

func (p *process) pause(context.Context) error { return errNeedsLinux }

func (p *process) resume() error { return errNeedsLinux }
