package readme

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// program is one of the programs, built to listen on listen.
type program struct {
	binary, listen string
	stop           func() // ends its process; nil before the first run
}

// build compiles the program of a framework with its addresses replaced. An overlay gives the compiler the changed source in
// place of the file, so that nothing is written into the repository.
func build(t *testing.T, framework, redisAddr string) *program {
	t.Helper()
	file, err := filepath.Abs(filepath.Join(framework, "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	source, listen := readFile(t, file), freeAddress(t)
	for old, replacement := range map[string]string{address: listen, redisAddress: redisAddr} {
		if strings.Count(source, `"`+old+`"`) != 1 {
			t.Fatalf("%s does not have the address %s", file, old)
		}
		source = strings.Replace(source, old, replacement, 1)
	}
	dir := t.TempDir()
	changed := filepath.Join(dir, "main.go")
	writeFile(t, changed, source)
	overlay := filepath.Join(dir, "overlay.json")
	writeFile(t, overlay, `{"Replace":{"`+file+`":"`+changed+`"}}`)
	binary := filepath.Join(dir, framework)
	//nolint:gosec // the arguments are ours
	out, err := exec.CommandContext(t.Context(), "go", "build", "-overlay", overlay, "-o", binary, "./"+framework).CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return &program{binary: binary, listen: listen}
}

// run starts the program, in place of the process that ran it before, and returns its origin.
func (p *program) run(t *testing.T) (origin string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, p.binary) //nolint:gosec // built just now
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	cmd.WaitDelay = 10 * time.Second
	if p.stop != nil {
		p.stop()
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.stop = sync.OnceFunc(func() {
		stop()
		_ = cmd.Wait()
	})
	t.Cleanup(p.stop)
	await(t, p.listen)
	return "http://" + p.listen
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // it only held the port
	return l.Addr().String()
}

// await waits until the program answers.
func await(t *testing.T, listen string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", listen)
		if err == nil {
			_ = conn.Close()
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("nothing listens on %s: %v", listen, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
