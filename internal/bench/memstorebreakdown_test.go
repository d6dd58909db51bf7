package bench

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// productFunctions returns the names of the functions of core and of the adapters, as profiles have them.
func productFunctions(t *testing.T) []string {
	t.Helper()
	const root = "../.."
	var names []string
	for _, module := range []string{"core", "gin", "echo", "echov5", "fiber", "fiberv3", "nethttp"} {
		err := filepath.WalkDir(filepath.Join(root, module), func(file string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") {
				return err
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			folder, err := filepath.Rel(root, filepath.Dir(file))
			for _, d := range parsed.Decls {
				if f, ok := d.(*ast.FuncDecl); ok {
					names = append(names, path.Join(modulePath, filepath.ToSlash(folder))+"."+receiver(f)+f.Name.Name)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return names
}

// receiver returns the receiver of a method with a dot, or "" if the function has none.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	name := types.ExprString(f.Recv.List[0].Type)
	if strings.HasPrefix(name, "*") {
		name = "(" + name + ")"
	}
	return name + "."
}

// TestPurposesOfFunctionsThatExist notices when a function of ours that has a purpose is renamed.
func TestPurposesOfFunctionsThatExist(t *testing.T) {
	t.Parallel()
	all := productFunctions(t)
	exists := func(part string) bool {
		return slices.ContainsFunc(all, func(name string) bool { return strings.Contains(name, part) })
	}
	for _, f := range functionPurposes() {
		if strings.HasPrefix(f.part, modulePath) && !exists(f.part) {
			t.Errorf("no function's name contains %q", f.part)
		}
	}
	for _, method := range throughMethods() {
		if !slices.ContainsFunc(all, func(name string) bool {
			return strings.HasSuffix(name, "."+method) && purposeOf(name) == cpuAdapter
		}) {
			t.Errorf("no function of an adapter is named %q", method)
		}
	}
}

func TestMemstorePurpose(t *testing.T) {
	t.Parallel()
	all := productFunctions(t)
	const core, gin = modulePath + "core.(*Scope).Open", modulePath + "gin.(*request).serve"
	for _, c := range []struct {
		stack []string
		want  string
	}{
		{[]string{"time.runtimeNow", "time.Now", modulePath + "core/memstore.(*Store).Load", core}, cpuClock},
		{[]string{"runtime.mallocgc", "runtime.newobject", core, gin}, cpuAllocation},
		{[]string{"runtime.memmove", modulePath + "core/internal/record.(*Snapshot).Decode", core}, cpuRecord},
		{[]string{"hash/crc32.update", modulePath + "core/internal/record.checksum", core}, cpuRecord},
		{[]string{modulePath + "core/internal/cookie.(*Tickets).add", core}, cpuTicket},
		{[]string{modulePath + "core.(*Session).commitUnchanged", core}, cpuCore},
		{[]string{modulePath + "core/memstore.(*shard).load", core}, cpuMemstore},
		{[]string{"internal/syscall/unix.GetRandom", modulePath + "core/internal/ticket.NewSecret"}, cpuRandom},
		{[]string{"net/http.(*Request).WithContext", gin}, cpuFramework},
		{[]string{"github.com/gin-gonic/gin.(*responseWriter).Write", gin}, cpuBareFramework},
		{[]string{"net/http.(*ServeMux).ServeHTTP", modulePath + "nethttp.(*request).serve"}, cpuBareFramework},
		{[]string{"github.com/valyala/fasthttp.(*RequestCtx).SetUserValue", modulePath + "fiberv3.(*request).publish"}, cpuFramework},
		{[]string{modulePath + "core/adapter/httpwriter.(*Writer).Commit", modulePath + "echov5.(*request).end"}, cpuAdapter},
		{[]string{"github.com/gin-gonic/gin.(*Engine).ServeHTTP", modulePath + "internal/bench.(*benchmark).send"}, cpuBareFramework},
		{[]string{"runtime.gcDrain", "runtime.gcBgMarkWorker"}, cpuAllocation},
		{[]string{"runtime.mallocgc", modulePath + "internal/bench.(*benchmark).send"}, cpuBareFramework},
	} {
		if got := memstorePurpose(c.stack); got != c.want {
			t.Errorf("%v is %q, want %q", c.stack, got, c.want)
		}
		for _, name := range c.stack {
			if isCloakroomFunction(name) && !slices.Contains(all, name) {
				t.Errorf("there is no function %s", name)
			}
		}
	}
}

// TestMemstoreBreakdownTable has a request whose parts are known. The column adds up without the bare
// framework's share.
func TestMemstoreBreakdownTable(t *testing.T) {
	t.Parallel()
	of := func(library, store string, cpu float64) *result {
		return &result{subject: &subject{framework: "Gin", library: library, store: store}, use: "a", net: sample{cpu: cpu}}
	}
	r := &report{
		memory: results{of(bareName, "", 70), of("peer", inMemory, 4000)},
		memstoreBreakdowns: []cpuBreakdown{
			{"Gin", "a", map[string]float64{cpuClock: 100, cpuAllocation: 20, cpuCore: 220, cpuRecord: 80, cpuBareFramework: 90}},
			{"Gin", "d", map[string]float64{cpuAllocation: 150}},
		},
	}
	text := r.memstoreBreakdownTable().String()
	for _, row := range []string{
		"| **own code** | 300 | 0 |", "| what our code calls | 120 | 150 |", "| the framework's, longer than alone | 20 | 0 |",
		"| **floor: these two** | 140 | 150 |", "| **in all** | 440 | 150 |", "| **wanted in all** | 200 | 200 |",
	} {
		if !strings.Contains(text, row) {
			t.Errorf("no row %q in\n%s", row, text)
		}
	}
	const short = missed + ": the floor is 140 of 200 ns; ticket, record and store take 80"
	if v := r.withFloor(missed, "Gin", "a"); v != short {
		t.Errorf("a target that is missed is %q, want %q", v, short)
	}
	if v := r.withFloor(met, "Gin", "a"); v != met {
		t.Errorf("a target that is met is %q", v)
	}
}

// TestUntouchedVerdict has a middleware without sessions in the same case.
func TestUntouchedVerdict(t *testing.T) {
	t.Parallel()
	of := func(framework, library, use string, nanos float64) *result {
		return &result{subject: &subject{framework: framework, library: library}, use: use, net: sample{nanos: nanos}}
	}
	r := &report{memory: results{of("Gin", baselineName, "d", 150), of("Gin", baselineName, "e", 160), of("Echo", baselineName, "e", 170), of("Gin", "peer", "e", 180)}}
	const want = missed + "; part of that is [a context with the cookie](#memory-stores-on-gin): 160 ns by the clock"
	if v := r.withBaseline(missed, of("Gin", cloakroomLazyName, "e", 210)); v != want {
		t.Errorf("a target that is missed is %q, want %q", v, want)
	}
	if v := r.withBaseline(met, of("Gin", cloakroomLazyName, "e", 190)); v != met {
		t.Errorf("a target that is met is %q", v)
	}
}
