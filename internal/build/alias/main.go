// Command alias generates the file in which an adapter gives package core's names to applications.
//
//	go run ./alias [-C dir] [-check] adapters
//
// It writes alias.go into the folder of each adapter. Every name has the comment that it has in
// core. With -check the command writes nothing, and fails if a file is not what it would write.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

// fileName is what the generated file is called in each adapter's folder.
const fileName = "alias.go"

func main() {
	dir := flag.String("C", "../..", "root of the repository")
	check := flag.Bool("check", false, "compare the files instead of writing them")
	flag.Parse()
	if err := run(*dir, *check, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "alias:", err)
		os.Exit(1)
	}
}

// run writes or compares the file of each adapter. All adapters get the same file.
func run(root string, check bool, adapters []string) error {
	want, err := generate(filepath.Join(root, "core"), published())
	if err != nil {
		return err
	}
	for _, adapter := range adapters {
		path := filepath.Join(root, adapter, fileName)
		if !check {
			if err := os.WriteFile(path, want, 0o644); err != nil { //nolint:gosec // Source is for everybody.
				return err
			}
			continue
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) { //nolint:gosec // The path is ours.
			return fmt.Errorf("%s/%s differs from core's documentation; run make generate", adapter, fileName)
		}
	}
	return nil
}
