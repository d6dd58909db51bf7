package sessions_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/memstore"
	sessions "github.com/cloakroom-go/sessions/fiber"
)

// preforked names the environment variable that makes TestPreforkedApplication serve.
const preforked = "CLOAKROOM_PREFORKED"

// TestPreforkedApplication is the application of TestPrefork, in the process that Fiber starts others from, and in those.
func TestPreforkedApplication(t *testing.T) {
	t.Parallel()
	if os.Getenv(preforked) == "" {
		t.Skip("runs in processes of TestPrefork")
	}
	app := fiber.New(fiber.Config{Prefork: true, DisableStartupMessage: true})
	app.Use(sessions.New(quiet(sessions.Options{})))
	fmt.Println("Listen:", app.Listen("127.0.0.1:0")) //nolint:forbidigo // for TestPrefork
}

// TestPrefork starts an application with Prefork and the memory store. Without the check it would serve until it is killed.
func TestPrefork(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, "-test.run=^TestPreforkedApplication$") //nolint:gosec // the test runs itself
	cmd.Env = append(os.Environ(), preforked+"=1", "GOMAXPROCS=2")
	cmd.WaitDelay = time.Second // for the output of the processes that it has started
	out, _ := cmd.CombinedOutput()
	for _, want := range []string{"panic: sessions: with Prefork", "set Options.Store", "Listen: exit status"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("there is no %q in the output:\n%s", want, out)
		}
	}
}

// shared is a store that could be outside of the process.
type shared struct{ core.Store }

//nolint:paralleltest // It sets an environment variable.
func TestPreforkRefusesStoresOfOneProcess(t *testing.T) {
	memory := memstore.New(memstore.Options{})
	refused := func(store core.Store) (refused bool) {
		m, err := sessions.NewManager(quiet(sessions.Options{Store: store}))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { refused = recover() != nil }()
		sessions.Middleware(m)
		return false
	}
	if refused(memory) {
		t.Error("the memory store is refused without Prefork")
	}
	t.Setenv("FIBER_PREFORK_CHILD", "1")
	if !fiber.IsChild() {
		t.Fatal("Fiber does not take this for a process of Prefork")
	}
	if !refused(nil) || !refused(memory) || !refused(struct{ *memstore.Store }{memory}) {
		t.Error("a store in the process is not refused")
	}
	if refused(shared{memory}) {
		t.Error("a store that may be shared is refused")
	}
}
