package readme

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// imports are the packages that a snippet may use, by the name by which it does. The adapter is sessions.
func imports() map[string]string {
	const ours = "github.com/cloakroom-go/sessions/"
	all := map[string]string{
		"core": ours + "core", "store": ours + "core/store", "adaptertest": ours + "core/adaptertest",
		"storetest": ours + "core/storetest", "sessiontest": ours + "core/sessiontest", "cborcodec": ours + "core/cborcodec",
		"otelsessions": ours + "core/otelsessions",
		"gin":          "github.com/gin-gonic/gin", "chi": "github.com/go-chi/chi/v5", "redis": "github.com/redis/go-redis/v9",
		"mongo": "go.mongodb.org/mongo-driver/v2/mongo", "options": "go.mongodb.org/mongo-driver/v2/mongo/options",
		"sql": "database/sql", "http": "net/http", "slog": "log/slog", "rand": "crypto/rand",
	}
	for _, name := range []string{"memstore", "redisstore", "sqlstore", "mongostore", "memcachedstore"} {
		all[name] = ours + "core/" + name
	}
	for _, name := range []string{"bufio", "context", "errors", "fmt", "log", "os", "strings", "testing", "time"} {
		all[name] = name
	}
	return all
}

// importsWith are those that depend on the adapter.
func importsWith(adapter string) map[string]string {
	all := map[string]string{"sessions": "github.com/cloakroom-go/sessions/" + adapter}
	switch adapter {
	case "echo":
		all["echo"] = "github.com/labstack/echo/v4"
	case "echov5":
		all["echo"] = "github.com/labstack/echo/v5"
	case "fiber":
		all["fiber"] = "github.com/gofiber/fiber/v2"
		all["cache"] = "github.com/gofiber/fiber/v2/middleware/cache"
	case "fiberv3":
		all["fiber"] = "github.com/gofiber/fiber/v3"
	}
	if strings.HasPrefix(adapter, "fiber") {
		all["websocket"] = "github.com/fasthttp/websocket"
	} else {
		all["websocket"] = "github.com/coder/websocket"
	}
	return all
}

// given are what a snippet may use without a comment that says so.
func given(adapter string) []string {
	handler := map[string]string{
		"gin": "c *gin.Context, r *gin.Engine", "echo": "c echo.Context, e *echo.Echo", "echov5": "c *echo.Context, e *echo.Echo",
		"fiber": "c *fiber.Ctx, app *fiber.App", "fiberv3": "c fiber.Ctx, app *fiber.App",
		"nethttp": "w http.ResponseWriter, r *http.Request, mux *http.ServeMux",
	}
	return []string{
		handler[adapter], "ctx context.Context", "m *sessions.Manager", "s *sessions.Session", "store store.Store",
		"visits sessions.Key[int]",
	}
}

// shapes are the functions around the statements of a snippet, which tell what it may return.
func shapes() []string { return []string{"", "error", "(*sessions.Manager, error)", "bool"} }

// checker compiles snippets, as far as types go. Variables and imports that are not used are no fault in an excerpt.
type checker struct {
	fset     *token.FileSet
	packages types.Importer
}

// newChecker has the go command compile the packages that snippets use.
func newChecker(t *testing.T) *checker {
	t.Helper()
	wanted := slices.Collect(maps.Values(imports()))
	for _, framework := range frameworks() {
		wanted = slices.AppendSeq(wanted, maps.Values(importsWith(framework)))
		wanted = append(wanted, "github.com/cloakroom-go/sessions/examples/readme/"+framework) // for what it imports
	}
	slices.Sort(wanted)
	list := append([]string{"list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}"}, slices.Compact(wanted)...)
	cmd := exec.CommandContext(t.Context(), "go", list...) //nolint:gosec // the arguments are ours
	workspace, err := filepath.Abs(filepath.Join(root, "go.work"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(os.Environ(), "GOWORK="+workspace)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	files := make(map[string]string)
	for line := range strings.Lines(string(out)) {
		name, file, _ := strings.Cut(strings.TrimSpace(line), "\t")
		files[name] = file
	}
	c := &checker{fset: token.NewFileSet()}
	c.packages = importer.ForCompiler(c.fset, "gc", func(name string) (io.ReadCloser, error) { return os.Open(files[name]) })
	return c
}

// check returns nil if the snippet compiles: as a file, as declarations, as statements, or as an expression or fields of Options.
func (c *checker) check(s snippet) error {
	if strings.HasPrefix(s.code, "package ") || strings.Contains(s.code, "\npackage ") {
		return c.compile(s.code)
	}
	head := c.head(s)
	var errs []error
	for _, body := range bodies(s) {
		err := c.compile(head + body)
		if err == nil {
			return nil
		}
		if !errors.As(err, new(syntaxError)) {
			errs = append(errs, err)
		}
	}
	if len(errs) == 0 {
		return errors.New("it is neither declarations, nor statements, nor an expression")
	}
	return slices.MinFunc(errs, func(a, b error) int { return len(a.Error()) - len(b.Error()) })
}

// bodies returns the ways in which the snippet may be meant.
func bodies(s snippet) (all []string) {
	parameters := strings.Join(given(s.adapter), ", ")
	for _, result := range shapes() {
		all = append(all, fmt.Sprintf("func _(%s) %s {\n{\n%s\n}\n%s}\n", parameters, result, s.code, end(result)))
	}
	for _, format := range []string{"_ = %s", "_ = sessions.Options{\n%s,\n}"} {
		expression := fmt.Sprintf(format, strings.TrimSpace(s.code))
		all = append(all, fmt.Sprintf("func _(%s) {\n%s\n}\n", parameters, expression))
	}
	return append(all, s.code)
}

// end ends a function whose last statement need not be the one that returns.
func end(result string) string {
	if result == "" {
		return ""
	}
	return "panic(0)\n"
}

// head returns the package clause, the imports, and what the comment before the snippet names.
func (c *checker) head(s snippet) string {
	all := imports()
	maps.Copy(all, importsWith(s.adapter))
	var b strings.Builder
	b.WriteString("package snippet\n")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, "import %s %q\n", name, all[name])
	}
	for _, name := range s.names {
		fmt.Fprintf(&b, "var %s\n", name)
	}
	return b.String()
}

// syntaxError says that the source is not Go, perhaps because it is meant in another way.
type syntaxError struct{ error }

// compile checks the types of a file.
func (c *checker) compile(source string) error {
	file, err := parser.ParseFile(c.fset, "snippet.go", source, parser.SkipObjectResolution)
	if err != nil {
		return syntaxError{err}
	}
	var errs []error
	config := types.Config{Importer: c.packages, Error: func(err error) {
		if fault := (types.Error{}); !errors.As(err, &fault) || !fault.Soft {
			errs = append(errs, err)
		}
	}}
	_, _ = config.Check("snippet", c.fset, []*ast.File{file}, nil) // Its errors are those of the hook.
	return errors.Join(errs...)
}

// TestCheckerFindsFaults gives the checker snippets that do not compile, and some that do.
func TestCheckerFindsFaults(t *testing.T) {
	t.Parallel()
	c := newChecker(t)
	for code, good := range map[string]bool{
		"sessions.Get(c).Destroy()":                  true,
		"s := sessions.Get(c)\nreturn s.Save(ctx)":   true,
		"sessions.Get(c).Destroi()":                  false,
		"s.Login(7)":                                 false,
		"var x int = `text`":                         false,
		"sessions.Options{Expiry: time.Hour}":        true,
		"sessions.Options{Expire: time.Hour}":        false,
		"Cookie: sessions.Cookie{Name: \"id\"}":      true,
		"Cookie: sessions.Cookie{Nam: \"id\"}":       false,
		"func f() int { return visits }":             false,
		"type cart struct{ Items []string }":         true,
		"if err := sessions.Commit(c); err != nil {": false,
		"package main\n\nfunc main() { x() }":        false,
		"package main\n\nfunc main() {}":             true,
		"return 3":                                   false,
	} {
		if err := c.check(snippet{code: code, adapter: "gin"}); (err == nil) != good {
			t.Errorf("%q: %v", code, err)
		}
	}
}
