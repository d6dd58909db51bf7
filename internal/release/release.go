package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

// repository is the path of what all modules are in.
const repository = "github.com/cloakroom-go/sessions"

// release is a version of the modules in the repository at root.
type release struct{ root, version string }

// module is a module of the repository.
type module struct {
	folder string // below the root, such as core/redisstore
	file   *modfile.File
}

func (m *module) path() string { return m.file.Module.Mod.Path }

// released reports whether users get the module. The others are for tests, or examples.
func (m *module) released() bool {
	return !strings.HasPrefix(m.folder, "internal/") && m.folder != "examples" &&
		path.Base(m.folder) != "tests"
}

// tag returns the tag under which the go command finds the module.
func (m *module) tag(version string) string { return m.folder + "/" + version }

// check returns an error if there can be no release with this version.
func (r *release) check(ctx context.Context) error {
	if !semver.IsValid(r.version) || semver.Canonical(r.version) != r.version ||
		semver.Build(r.version) != "" {
		return fmt.Errorf("%q is no version; use VERSION=v0.1.0, for instance", r.version)
	}
	if major := semver.Major(r.version); major != "v0" && major != "v1" {
		return fmt.Errorf("the paths of the modules are not those of a %s", major)
	}
	changes, err := r.git(ctx, "status", "--porcelain")
	if err != nil {
		return err
	}
	if changes != "" {
		return errors.New("there are changes that are not committed:\n" + changes)
	}
	if err := r.checkChangelog(); err != nil {
		return err
	}
	return r.checkTags(ctx)
}

// checkChangelog returns an error unless CHANGELOG.md has a section for the version that says
// something, with the day.
func (r *release) checkChangelog() error {
	text, err := os.ReadFile(filepath.Join(r.root, "CHANGELOG.md"))
	if err != nil {
		return err
	}
	number := strings.TrimPrefix(r.version, "v")
	section := regexp.MustCompile(`(?ms)^## \[` + regexp.QuoteMeta(number) +
		`\] - \d{4}-\d\d-\d\d\n(.*?)(?:^## |\z)`)
	found := section.FindSubmatch(text)
	if found == nil {
		return fmt.Errorf("CHANGELOG.md has no section \"## [%s] - 2026-01-31\" with today's date; "+
			"rename Unreleased, and begin a new one above it", number)
	}
	if len(bytes.TrimSpace(found[1])) == 0 {
		return fmt.Errorf("the section of %s in CHANGELOG.md is empty", r.version)
	}
	return nil
}

func (r *release) checkTags(ctx context.Context) error {
	modules, err := r.modules(ctx)
	if err != nil {
		return err
	}
	tags, err := r.git(ctx, "tag", "--list")
	if err != nil {
		return err
	}
	for i := range modules {
		if tag := modules[i].tag(r.version); slices.Contains(strings.Fields(tags), tag) {
			return fmt.Errorf("there is a tag %s already", tag)
		}
	}
	return nil
}

// inCopy returns the same release in a copy of the repository, made in the folder.
func (r *release) inCopy(ctx context.Context, folder string) (release, error) {
	_, err := r.git(ctx, "clone", "--quiet", "--no-hardlinks", r.root, folder)
	return release{root: folder, version: r.version}, err
}

// tag writes the version into every go.mod, commits that, and tags each released module.
func (r *release) tag(ctx context.Context) (tags []string, err error) {
	modules, err := r.modules(ctx)
	if err != nil {
		return nil, err
	}
	for i := range modules {
		if err := r.require(&modules[i]); err != nil {
			return nil, err
		}
	}
	if err := r.commit(ctx); err != nil {
		return nil, err
	}
	for i := range modules {
		m := &modules[i]
		if !m.released() {
			continue
		}
		tag := m.tag(r.version)
		if _, err := r.git(ctx, "tag", "--annotate", "--message", m.path()+" "+r.version, tag); err != nil {
			return nil, err
		}
		tags = append(tags, tag)
	}
	return tags, nil
}

// require makes the module require this version of the others. The replace lines stay: they are for
// who works in the repository, and the go command ignores them elsewhere.
func (r *release) require(m *module) error {
	for _, required := range m.file.Require {
		if strings.HasPrefix(required.Mod.Path, repository+"/") {
			if err := m.file.AddRequire(required.Mod.Path, r.version); err != nil {
				return err
			}
		}
	}
	text, err := m.file.Format()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.root, m.folder, "go.mod"), text, 0o600)
}

func (r *release) commit(ctx context.Context) error {
	changes, err := r.git(ctx, "status", "--porcelain")
	if err != nil || changes == "" {
		return err // Nothing has changed since a release that was not published.
	}
	_, err = r.git(ctx, "commit", "--quiet", "--all", "--message", "Release "+r.version)
	return err
}

// modules returns the modules of the workspace.
func (r *release) modules(ctx context.Context) (modules []module, err error) {
	cmd := exec.CommandContext(ctx, "go", "work", "edit", "-json", "go.work")
	cmd.Dir = r.root
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go work edit: %w", err)
	}
	var work struct{ Use []struct{ DiskPath string } }
	if err := json.Unmarshal(text, &work); err != nil {
		return nil, err
	}
	for _, use := range work.Use {
		m := module{folder: path.Clean(use.DiskPath)}
		name := filepath.Join(r.root, m.folder, "go.mod")
		text, err := os.ReadFile(name) //nolint:gosec // It is a file of the repository.
		if err != nil {
			return nil, err
		}
		if m.file, err = modfile.Parse(name, text, nil); err != nil {
			return nil, err
		}
		modules = append(modules, m)
	}
	return modules, nil
}

func (r *release) git(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...) //nolint:gosec // The arguments are our own.
	cmd.Dir = r.root
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("git %s: %w\n%s", args[0], err, out)
	}
	return strings.TrimSpace(string(out)), nil
}
