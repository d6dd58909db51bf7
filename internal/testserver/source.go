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

// source describes where a kind of server comes from.
type source struct {
	name       string   // used by Install and TEST_REQUIRE
	addressVar string   // environment variable with the address of an external server
	binaryVar  string   // environment variable with the binary: a path, or a name to look up
	names      []string // names to look up if binaryVar is not set
	folders    []string // folders to search besides PATH; may be patterns
	packages   []string // Debian packages
}

func redisSource() source {
	return source{
		name: "redis", addressVar: "TEST_REDIS_ADDR", binaryVar: "TEST_REDIS_BINARY",
		names: []string{"redis-server"}, packages: []string{"redis-server"},
	}
}

func valkeySource() source {
	return source{
		name: "valkey", addressVar: "TEST_VALKEY_ADDR", binaryVar: "TEST_VALKEY_BINARY",
		names: []string{"valkey-server"}, packages: []string{"valkey-server"},
	}
}

func memcachedSource() source {
	return source{
		name: "memcached", addressVar: "TEST_MEMCACHED_ADDR", binaryVar: "TEST_MEMCACHED_BINARY",
		names: []string{"memcached"}, packages: []string{"memcached"},
	}
}

func postgresSource() source {
	return source{
		name: "postgres", addressVar: "TEST_POSTGRES_URL", binaryVar: "TEST_POSTGRES_BINARY",
		names: []string{"postgres"}, packages: []string{"postgresql"},
		folders: []string{
			"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin",
		},
	}
}

// pgBouncerSource has no address: each test has one of its own in front of a PostgreSQL.
func pgBouncerSource() source {
	return source{
		name: "pgbouncer", binaryVar: "TEST_PGBOUNCER_BINARY",
		names: []string{"pgbouncer"}, packages: []string{"pgbouncer"},
	}
}

func mariadbSource() source {
	return source{
		name: "mariadb", addressVar: "TEST_MARIADB_DSN", binaryVar: "TEST_MARIADB_BINARY",
		names: []string{"mariadbd"}, packages: []string{"mariadb-server"},
		folders: []string{"/usr/libexec"},
	}
}

// mongoSource has no package, since Debian does not contain MongoDB, and FerretDB is built
// from source.
func mongoSource() source {
	return source{name: "mongo", addressVar: "TEST_MONGO_URL", binaryVar: "TEST_MONGO_BINARY"}
}

// missingError reports that a server is not available, and says how to get it. Tests are
// skipped because of it.
type missingError struct {
	source source
	reason string
}

// Error implements error.
func (e *missingError) Error() string {
	var ways []string
	if e.source.addressVar != "" {
		ways = append(ways, e.source.addressVar+" to use a running one")
	}
	if e.source.binaryVar != "" {
		ways = append(ways, e.source.binaryVar+" to name a binary")
	}
	hint := "set " + strings.Join(ways, " or ")
	if len(e.source.packages) > 0 {
		hint += ", or run: apt-get install --no-install-recommends " +
			strings.Join(e.source.packages, " ")
	}
	return fmt.Sprintf("%s: %s; %s", e.source.name, e.reason, hint)
}

// externalAddr returns the address of an external server, or "" if there is none.
func (s source) externalAddr() string {
	if s.addressVar == "" {
		return ""
	}
	return os.Getenv(s.addressVar)
}

// find returns the path of the binary, or a missingError.
func (s source) find() (string, error) {
	names := s.names
	if chosen := os.Getenv(s.binaryVar); chosen != "" {
		names = []string{chosen}
	}
	for _, name := range names {
		if path := s.lookup(name); path != "" {
			return path, nil
		}
	}
	return "", &missingError{s, fmt.Sprintf("found none of %q on this machine", names)}
}

// lookup returns the path of a binary in PATH, in the folders of system programs and servers,
// or in the cache, or "".
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
		if path := newestExecutable(filepath.Join(folder, name)); path != "" {
			return path
		}
	}
	return ""
}

// newestExecutable returns the executable that matches the pattern. If there are several, it
// returns the one with the highest version in its path.
func newestExecutable(pattern string) string {
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return ""
	}
	slices.SortFunc(paths, func(a, b string) int {
		return cmp.Compare(versionIn(b), versionIn(a))
	})
	for _, path := range paths {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	return ""
}

// versionIn returns the number of the last folder in a path that is a number or ends in one,
// such as 15 for /usr/lib/postgresql/15/bin. It returns 0 if there is none.
func versionIn(path string) int {
	last := 0
	for folder := range strings.SplitSeq(path, string(filepath.Separator)) {
		if n, err := strconv.Atoi(folder[strings.LastIndexByte(folder, '-')+1:]); err == nil {
			last = n
		}
	}
	return last
}

// programBeside returns the path of a program that was installed together with the one at
// path.
func programBeside(path, name string) (string, error) {
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	for _, folder := range []string{".", "../bin", "../scripts"} {
		found, err := exec.LookPath(filepath.Join(filepath.Dir(resolved), folder, name))
		if err == nil {
			return found, nil
		}
	}
	return exec.LookPath(name)
}

// required reports whether a missing server is a failure: in CI, or if TEST_REQUIRE lists it.
func required(name string) bool {
	if ci, err := strconv.ParseBool(os.Getenv("CI")); err == nil && ci {
		return true
	}
	return slices.Contains(strings.Split(os.Getenv("TEST_REQUIRE"), ","), name)
}

// cacheDir returns the folder for servers that Install unpacks or builds, and for locks.
func cacheDir() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(base, "cloakroom-testserver")
	return dir, os.MkdirAll(dir, 0o750)
}
