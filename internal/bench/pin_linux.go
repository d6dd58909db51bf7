package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// apart gives this process one processor and that of a server another, until restore is called. It reports false, and does
// nothing, where it cannot. Left alone the kernel moves the two together or apart from one moment to the next, which makes
// a round trip take two or three times as long or half as long.
func apart(server int) (restore func(), ok bool) {
	var all unix.CPUSet
	if unix.SchedGetaffinity(0, &all) != nil || all.Count() < 2 || pin(server, &all) != nil {
		return func() {}, false
	}
	own, others := all, all
	for i, found := 0, 0; found < all.Count(); i++ {
		if !all.IsSet(i) {
			continue
		}
		if found++; found == 1 {
			others.Clear(i)
		} else {
			own.Clear(i)
		}
	}
	before := runtime.GOMAXPROCS(1)
	restore = func() {
		_, _ = pin(os.Getpid(), &all), pin(server, &all)
		runtime.GOMAXPROCS(before)
	}
	if pin(server, &others) != nil || pin(os.Getpid(), &own) != nil {
		restore()
		return func() {}, false
	}
	return restore, true
}

// pin keeps all threads of a process on some processors; those it starts later inherit that.
func pin(process int, on *unix.CPUSet) error {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", process))
	if err != nil || len(threads) == 0 {
		return os.ErrProcessDone
	}
	for _, path := range threads {
		thread, err := strconv.Atoi(filepath.Base(path))
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(thread, on); err != nil {
			return err
		}
	}
	return nil
}
