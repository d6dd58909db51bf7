package testserver

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// source says where one kind of server comes from.
type source struct {
	name     string   // The name that Install and TEST_REQUIRE use.
	address  string   // Environment variable with the address of an external server.
	binary   string   // Environment variable that names the binary: a path, or a name to look up.
	names    []string // Names to look up when that variable is empty.
	folders  []string // Where to look besides PATH; patterns are allowed.
	packages []string // What apt-get installs it from.
}

func redisSource() source {
	return source{
		name: "redis", address: "TEST_REDIS_ADDR", binary: "TEST_REDIS_BINARY",
		names: []string{"redis-server"}, packages: []string{"redis-server"},
	}
}

func valkeySource() source {
	return source{
		name: "valkey", address: "TEST_VALKEY_ADDR", binary: "TEST_VALKEY_BINARY",
		names: []string{"valkey-server"}, packages: []string{"valkey-server"},
	}
}

func memcachedSource() source {
	return source{
		name: "memcached", address: "TEST_MEMCACHED_ADDR", binary: "TEST_MEMCACHED_BINARY",
		names: []string{"memcached"}, packages: []string{"memcached"},
	}
}

func postgresSource() source {
	return source{
		name: "postgres", address: "TEST_POSTGRES_URL", binary: "TEST_POSTGRES_BINARY",
		names: []string{"postgres"}, packages: []string{"postgresql"},
		folders: []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin"},
	}
}

func mariadbSource() source {
	return source{
		name: "mariadb", address: "TEST_MARIADB_DSN", binary: "TEST_MARIADB_BINARY",
		names: []string{"mariadbd"}, packages: []string{"mariadb-server"},
		folders: []string{"/usr/libexec"},
	}
}

// mongoSource has no package: no MongoDB is in Debian, and FerretDB is built from source.
func mongoSource() source {
	return source{name: "mongo", address: "TEST_MONGO_URL", binary: "TEST_MONGO_BINARY"}
}

// missingError says that a server cannot be had here, and what would help. Tests skip on it.
type missingError struct {
	source source
	reason string
}

// Error implements error.
func (e *missingError) Error() string {
	hint := "set " + e.source.address + " to use a running one"
	if e.source.binary != "" {
		hint += " or " + e.source.binary + " to name a binary"
	}
	if len(e.source.packages) > 0 {
		hint += ", or run: apt-get install --no-install-recommends " + strings.Join(e.source.packages, " ")
	}
	return fmt.Sprintf("%s: %s; %s", e.source.name, e.reason, hint)
}

// external returns the address of a server that somebody else runs, or "".
func (s source) external() string { return os.Getenv(s.address) }

// find returns the path of the binary.
func (s source) find() (string, error) {
	names := s.names
	if chosen := os.Getenv(s.binary); chosen != "" {
		names = []string{chosen}
	}
	for _, name := range names {
		if path := s.lookup(name); path != "" {
			return path, nil
		}
	}
	return "", &missingError{s, fmt.Sprintf("found none of %q on this machine", names)}
}

// lookup finds name in PATH, in the folders of system programs and servers, and in what Install unpacked.
func (s source) lookup(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	if strings.ContainsRune(name, filepath.Separator) {
		return ""
	}
	folders := append([]string{"/usr/sbin", "/usr/local/sbin"}, s.folders...)
	if cache, err := cacheDir(); err == nil {
		folders = append(folders, filepath.Join(cache, s.name, "usr", "bin"))
	}
	for _, folder := range folders {
		if path := newest(filepath.Join(folder, name)); path != "" {
			return path
		}
	}
	return ""
}

// newest returns the executable that matches the pattern, of several the one with the highest version in its path.
func newest(pattern string) string {
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return ""
	}
	slices.SortFunc(paths, func(a, b string) int { return cmp.Compare(version(b), version(a)) })
	for _, path := range paths {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	return ""
}

// version returns the last folder of a path that is or ends in a number, 0 without one: of /usr/lib/postgresql/15/bin, 15.
func version(path string) int {
	last := 0
	for folder := range strings.SplitSeq(path, string(filepath.Separator)) {
		if n, err := strconv.Atoi(folder[strings.LastIndexByte(folder, '-')+1:]); err == nil {
			last = n
		}
	}
	return last
}

// sibling returns a program that was installed together with the one at path.
func sibling(path, name string) (string, error) {
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	for _, folder := range []string{".", "../bin", "../scripts"} {
		if found, err := exec.LookPath(filepath.Join(filepath.Dir(resolved), folder, name)); err == nil {
			return found, nil
		}
	}
	return exec.LookPath(name)
}

// required reports whether a missing server is a failure: always in CI, or when TEST_REQUIRE lists it.
func required(name string) bool {
	if ci, err := strconv.ParseBool(os.Getenv("CI")); err == nil && ci {
		return true
	}
	return slices.Contains(strings.Split(os.Getenv("TEST_REQUIRE"), ","), name)
}

// cacheDir is where Install puts what does not belong into the system.
func cacheDir() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(base, "cloakroom-testserver")
	return dir, os.MkdirAll(dir, 0o750)
}
