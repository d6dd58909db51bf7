package testserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// installScript runs as root. Services must not start, so unless the machine has a policy about that, it gets one
// that forbids it for the time of the installation.
const installScript = `
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	trap 'rm -f $policy' EXIT
	printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy
fi
install() {
	DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@"
}
install "$@" || { apt-get -qq -o DPkg::Lock::Timeout=300 update && install "$@"; }
`

// Install makes the named servers available on a Debian machine: redis, valkey, memcached, postgres, mariadb and
// mongo; without names, all of them. What is there already is left alone, and no system service is started. Several
// processes may call it at once. Its output goes to w.
func Install(ctx context.Context, w io.Writer, names ...string) error {
	unlock, err := lockCache(ctx, "install.lock")
	if err != nil {
		return err
	}
	defer unlock()
	in := installer{ctx: ctx, out: w}
	return in.install(names)
}

// installer carries what every step of an installation needs.
type installer struct {
	ctx context.Context //nolint:containedctx // It lives as long as one call of Install.
	out io.Writer
}

func (in installer) install(names []string) error {
	sources := []source{redisSource(), memcachedSource(), postgresSource(), mariadbSource(), valkeySource(), mongoSource()}
	var packages []string
	var later []func() error
	for _, s := range sources {
		if len(names) > 0 && !slices.Contains(names, s.name) || in.present(s) {
			continue
		}
		switch s.name {
		case "valkey":
			// Its libraries are those of Redis, which Debian has in its main part.
			packages = append(packages, "redis-tools")
			later = append(later, in.valkey)
		case "mongo":
			later = append(later, in.ferretdb)
		default:
			packages = append(packages, s.packages...)
		}
	}
	err := in.apt(packages)
	for _, step := range later {
		err = errors.Join(err, step())
	}
	return err
}

// present reports whether a source needs nothing more.
func (in installer) present(s source) bool {
	if s.external() != "" {
		return true
	}
	_, err := s.find()
	return err == nil
}

// apt installs Debian packages, with sudo where we are not root.
func (in installer) apt(packages []string) error {
	if len(packages) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("no apt-get here; install by other means: %s", strings.Join(packages, " "))
	}
	args := append([]string{"sh", "-c", installScript, "install"}, packages...)
	if os.Getuid() != 0 {
		args = append([]string{"sudo", "-n"}, args...)
	}
	return in.run("", args...)
}

// valkey unpacks Valkey from Debian's backports into the cache, without enabling backports on the machine.
func (in installer) valkey() error {
	cache, err := cacheDir()
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp(cache, "valkey-unpack-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	options, err := backports(work)
	if err != nil {
		return err
	}
	if err := in.run(work, append(append([]string{"apt-get", "-qq"}, options...), "update")...); err != nil {
		return err
	}
	download := append(append([]string{"apt-get", "-qq"}, options...), "download", "valkey-server", "valkey-tools")
	if err := in.run(work, download...); err != nil {
		return err
	}
	return in.unpack(work, filepath.Join(cache, valkeySource().name))
}

// backports returns options for apt that know nothing but the backports of this Debian release and write to dir alone.
func backports(dir string) ([]string, error) {
	release, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return nil, err
	}
	_, codename, ok := strings.Cut("\n"+string(release), "\nVERSION_CODENAME=")
	if !ok {
		return nil, errors.New("valkey: /etc/os-release names no release; set TEST_VALKEY_BINARY")
	}
	codename, _, _ = strings.Cut(codename, "\n")
	list := fmt.Sprintf("deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] "+
		"http://deb.debian.org/debian %s-backports main\n", strings.Trim(codename, `"`))
	if err := os.WriteFile(filepath.Join(dir, "sources.list"), []byte(list), 0o600); err != nil { //nolint:gosec // Our own folder.
		return nil, err
	}
	for _, sub := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o750); err != nil {
			return nil, err
		}
	}
	return []string{
		"-o", "Dir::Etc::SourceList=" + filepath.Join(dir, "sources.list"),
		"-o", "Dir::Etc::SourceParts=-",
		"-o", "Dir::State::Lists=" + filepath.Join(dir, "lists"),
		"-o", "Dir::Cache=" + filepath.Join(dir, "cache"),
		"-o", "APT::Sandbox::User=", // The folder is closed to apt's own user.
	}, nil
}

// unpack extracts every package in dir and moves the result to target in one step, so that nobody sees half of it.
func (in installer) unpack(dir, target string) error {
	packages, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil {
		return err
	}
	tree := filepath.Join(dir, "tree")
	for _, pkg := range packages {
		if err := in.run(dir, "dpkg-deb", "-x", pkg, tree); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(target); err != nil {
		return err
	}
	return os.Rename(tree, target)
}

// ferretdb builds the stand-in for MongoDB ahead of the tests that need it.
func (in installer) ferretdb() error {
	_, err := buildFerretDB(in.ctx)
	return err
}

// run runs a command in dir and shows what it says.
func (in installer) run(dir string, args ...string) error {
	cmd := exec.CommandContext(in.ctx, args[0], args[1:]...) //nolint:gosec // The commands are written above.
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, in.out, in.out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(args[0]), err)
	}
	return nil
}
