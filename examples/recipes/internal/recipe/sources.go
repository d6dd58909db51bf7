package recipe

import (
	"os"
	"testing"
)

// noteSources looks at the files of the program. The go command notes which files a test looks at,
// so a cached result does not outlive a change to one of these: the test runs what it has built
// itself, which the go command does not know.
func noteSources(tb testing.TB) {
	tb.Helper()
	files, err := os.ReadDir(".")
	if err != nil {
		tb.Fatal(err)
	}
	for _, file := range files {
		if _, err := os.Stat(file.Name()); err != nil {
			tb.Fatal(err)
		}
	}
}
