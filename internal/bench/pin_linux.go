package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// pinApart pins a server process to all processors but the first and this process to the
// first, until restore is called. If it cannot, it reports false and changes nothing. Without
// pinning, the kernel keeps moving the two processes together and apart, which changes the
// duration of a round trip by a factor of two or three.
func pinApart(server int) (restore func(), ok bool) {
	var all unix.CPUSet
	if unix.SchedGetaffinity(0, &all) != nil || all.Count() < 2 ||
		pinProcess(server, &all) != nil {
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
		_, _ = pinProcess(os.Getpid(), &all), pinProcess(server, &all)
		runtime.GOMAXPROCS(before)
	}
	if pinProcess(server, &others) != nil || pinProcess(os.Getpid(), &own) != nil {
		restore()
		return func() {}, false
	}
	return restore, true
}

// pinProcess pins all threads of a process to a set of processors. Threads that these start
// later inherit the set.
func pinProcess(process int, set *unix.CPUSet) error {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", process))
	if err != nil || len(threads) == 0 {
		return os.ErrProcessDone
	}
	for _, path := range threads {
		thread, err := strconv.Atoi(filepath.Base(path))
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(thread, set); err != nil {
			return err
		}
	}
	return nil
}
