package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func demo() names {
	return names{
		types:     []string{"Options", "Manager", "Key", "Store", "Limit"},
		constants: []string{"Never"},
		functions: []string{"Wait", "Stop"},
		own:       []string{"NewManager"},
	}
}

func TestGenerate(t *testing.T) {
	t.Parallel()
	got, err := generate("testdata/core", demo())
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/want.txt")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("generated file is not testdata/want.txt:\n%s", got)
	}
}

func TestNamesThatCoreDoesNotHave(t *testing.T) {
	t.Parallel()
	_, err := generate("testdata/core", names{
		types: []string{"Session"}, constants: []string{"Always"}, functions: []string{"Twice"},
	})
	want := "package core has no type Session\npackage core has no constant Always\npackage core has no function Twice"
	if err == nil || err.Error() != want {
		t.Errorf("err = %v, want all names", err)
	}
}

func TestUndocumentedName(t *testing.T) {
	t.Parallel()
	_, err := generate("testdata/undocumented", names{types: []string{"Options"}})
	if err == nil || err.Error() != "core.Options has no comment" {
		t.Errorf("err = %v, want one that names the type", err)
	}
}

func TestLinesAreShort(t *testing.T) {
	t.Parallel()
	got, err := generate("../../../core", published())
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(got)) {
		if n := len(strings.ReplaceAll(line, "\t", "    ")); n > 100 {
			t.Errorf("line of %d columns: %s", n-1, line)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	core, err := filepath.Abs("../../../core")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(core, filepath.Join(root, "core")); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(root, "gin", fileName)
	if err := os.Mkdir(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	adapters := []string{"gin"}
	if err := run(root, true, adapters); err == nil {
		t.Error("want an error where the file is missing")
	}
	if err := run(root, false, adapters); err != nil {
		t.Error(err)
	}
	if err := run(root, true, adapters); err != nil {
		t.Errorf("the file that was just written is refused: %v", err)
	}
	if err := os.WriteFile(file, []byte("package sessions\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(root, true, adapters); err == nil || !strings.Contains(err.Error(), "gin/alias.go") {
		t.Errorf("err = %v, want one that names the changed file", err)
	}
}
