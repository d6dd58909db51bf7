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

// installScript runs as root. Services must not start. Unless the machine has a policy for
// that, the script installs one that forbids it during the installation.
const installScript = `
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	trap 'rm -f $policy' EXIT
	printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy
fi
install() {
	DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 \
		install -y --no-install-recommends "$@"
}
install "$@" || { apt-get -qq -o DPkg::Lock::Timeout=300 update && install "$@"; }
`

// Install installs the named servers on a Debian machine: redis, valkey, memcached, postgres,
// pgbouncer, mariadb and mongo. Without names, it installs all of them. It skips servers that are already
// there and starts no system service. Several processes may call it concurrently. It writes
// its output to w.
func Install(ctx context.Context, w io.Writer, names ...string) error {
	unlock, err := lockCache(ctx, "install.lock")
	if err != nil {
		return err
	}
	defer unlock()
	in := installer{ctx: ctx, out: w}
	return in.install(names)
}

// installer holds what every step of an installation needs.
type installer struct {
	ctx context.Context //nolint:containedctx // lives as long as one call of Install
	out io.Writer
}

func (in installer) install(names []string) error {
	sources := []source{
		redisSource(), memcachedSource(), postgresSource(), mariadbSource(), valkeySource(),
		mongoSource(), pgBouncerSource(),
	}
	var packages []string
	var later []func() error
	for _, s := range sources {
		if len(names) > 0 && !slices.Contains(names, s.name) || in.available(s) {
			continue
		}
		switch s.name {
		case "valkey":
			// Valkey needs the same libraries as Redis, which is in Debian itself.
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

// available reports whether a server need not be installed.
func (in installer) available(s source) bool {
	if s.externalAddr() != "" {
		return true
	}
	_, err := s.find()
	return err == nil
}

// apt installs Debian packages. It uses sudo unless it runs as root.
func (in installer) apt(packages []string) error {
	if len(packages) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		const format = "no apt-get here; install by other means: %s"
		return fmt.Errorf(format, strings.Join(packages, " "))
	}
	args := append([]string{"sh", "-c", installScript, "install"}, packages...)
	if os.Getuid() != 0 {
		args = append([]string{"sudo", "-n"}, args...)
	}
	return in.run("", args...)
}

// valkey unpacks Valkey from Debian's backports into the cache. It does not enable backports
// on the machine.
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
	apt := append([]string{"apt-get", "-qq"}, options...)
	if err := in.run(work, append(slices.Clip(apt), "update")...); err != nil {
		return err
	}
	download := append(slices.Clip(apt), "download", "valkey-server", "valkey-tools")
	if err := in.run(work, download...); err != nil {
		return err
	}
	return in.unpack(work, filepath.Join(cache, valkeySource().name))
}

// backports returns options with which apt uses only the backports of this Debian release and
// writes only to dir.
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
	file := filepath.Join(dir, "sources.list")
	//nolint:gosec // in our own folder
	if err := os.WriteFile(file, []byte(list), 0o600); err != nil {
		return nil, err
	}
	for _, sub := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o750); err != nil {
			return nil, err
		}
	}
	return []string{
		"-o", "Dir::Etc::SourceList=" + file,
		"-o", "Dir::Etc::SourceParts=-",
		"-o", "Dir::State::Lists=" + filepath.Join(dir, "lists"),
		"-o", "Dir::Cache=" + filepath.Join(dir, "cache"),
		"-o", "APT::Sandbox::User=", // apt's own user cannot read the folder
	}, nil
}

// unpack extracts every package in dir and moves the result to target in one step, so that
// other processes never see half of it.
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

// ferretdb builds FerretDB before the tests need it.
func (in installer) ferretdb() error {
	_, err := buildFerretDB(in.ctx)
	return err
}

// run runs a command in dir and shows its output.
func (in installer) run(dir string, args ...string) error {
	cmd := exec.CommandContext(in.ctx, args[0], args[1:]...) //nolint:gosec // fixed commands
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, in.out, in.out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(args[0]), err)
	}
	return nil
}
