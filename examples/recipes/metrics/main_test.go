package main

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/cloakroom-go/sessions/core/sessiontest"
	"github.com/cloakroom-go/sessions/examples/recipes/internal/recipe"
	sessions "github.com/cloakroom-go/sessions/gin"
)

// series are the metrics of an export by name, each with the names of its labels.
type series map[string][]string

// TestQueriesAreOfMetricsThatThereAre uses the real program until it has exported everything but lost events, loses events
// in the same application, and looks for each metric, label and value that the dashboard and the alerts name.
func TestQueriesAreOfMetricsThatThereAre(t *testing.T) {
	t.Parallel()
	exported := exportOfProgram(t)
	maps.Copy(exported, exportOfSlowHook(t))
	page := readFile(t, "../../../docs/observability.md")
	queries := append(dashboard(t), alerts(t)...)
	if len(queries) < 20 {
		t.Fatalf("the dashboard and the alerts have %d queries", len(queries))
	}
	for _, query := range queries {
		for _, selector := range selectors(t, query) {
			exported.has(t, query, selector)
			valuesAreOnPage(t, page, query, selector)
		}
	}
}

// exportOfProgram starts the program, sends requests at the same time until two of them collide, and signs in and out.
func exportOfProgram(t *testing.T) series {
	t.Helper()
	p := recipe.Start(t, recipe.Build(t), "-addr", "127.0.0.1:0", "-metrics-addr", "127.0.0.1:0")
	_, rest, _ := strings.Cut(p.WaitForLog("metrics on "), "metrics on ")
	inside, _, _ := strings.Cut(rest, "\n")
	_, visitor := send(t, http.MethodGet, p.URL, nil)
	if len(visitor) != 1 {
		t.Fatalf("the first visit sets %d cookies", len(visitor))
	}
	var exported series
	recipe.Eventually(t, "two requests collide", func() bool {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() { send(t, http.MethodGet, p.URL, visitor[0]) })
		}
		wg.Wait()
		exported = read(t, "http://"+inside)
		_, collided := exported["session_store_conflicts_total"]
		return collided
	})
	status, user := send(t, http.MethodPost, p.URL+"/login?user=ada", visitor[0])
	if status != http.StatusOK || len(user) != 1 {
		t.Fatalf("login: %d with %d cookies", status, len(user))
	}
	send(t, http.MethodPost, p.URL+"/logout", user[0])
	p.Signal(syscall.SIGTERM)
	p.Wait()
	return exported
}

func send(t *testing.T, method, address string, cookie *http.Cookie) (status int, cookies []*http.Cookie) {
	t.Helper()
	address, query, _ := strings.Cut(address, "?")
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(query))
	if err != nil {
		t.Error(err)
		return 0, nil
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if cookie != nil {
		r.AddCookie(cookie)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Error(err)
		return 0, nil
	}
	_ = res.Body.Close()
	return res.StatusCode, res.Cookies()
}

// read returns what an exporter answers.
func read(t *testing.T, address string) series {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	return parse(t, res.Body)
}

// parse reads Prometheus' format of text.
func parse(t *testing.T, text io.Reader) series {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(text)
	if err != nil {
		t.Fatal(err)
	}
	out := series{}
	for name, family := range families {
		var labels []string
		for _, m := range family.GetMetric() {
			for _, label := range m.GetLabel() {
				labels = append(labels, label.GetName())
			}
		}
		if family.GetMetric()[0].GetHistogram() == nil {
			out[name] = labels
			continue
		}
		out[name+"_bucket"], out[name+"_count"], out[name+"_sum"] = append(labels, "le"), labels, labels
	}
	return out
}

// exportOfSlowHook blocks OnEvent until events have been dropped.
func exportOfSlowHook(t *testing.T) series {
	t.Helper()
	release := make(chan struct{})
	p, err := newProgram(sessions.Options{OnEvent: func(sessions.Event) { <-release }})
	if err != nil {
		t.Fatal(err)
	}
	cookie := sessiontest.Cookie(t, p.sessions, func(s *sessions.Session) error { return visits.Set(s, 1) })
	for range 1200 {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		r.AddCookie(cookie)
		p.app.ServeHTTP(httptest.NewRecorder(), r)
	}
	close(release)
	sessiontest.Cookie(t, p.sessions, func(s *sessions.Session) error { return visits.Set(s, 1) }) // tells how many there were
	if err := p.sessions.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	p.metrics.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
	return parse(t, w.Body)
}

// TestPageShowsAlerts holds docs/recipes/metrics.md to alerts.yml.
func TestPageShowsAlerts(t *testing.T) {
	t.Parallel()
	rules := readFile(t, "alerts.yml")
	blocks := strings.Split(readFile(t, "../../../docs/recipes/metrics.md"), "```yaml\n")[1:]
	if len(blocks) == 0 {
		t.Error("the page shows no alert")
	}
	for _, block := range blocks {
		if block, _, _ = strings.Cut(block, "```"); !strings.Contains(rules, block) {
			t.Errorf("alerts.yml does not have\n%s", block)
		}
	}
	page := readFile(t, "../../../docs/recipes/metrics.md")
	for _, name := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(rules, -1) {
		if !strings.Contains(page, "`"+name[1]+"`") {
			t.Errorf("the page does not name the alert %s", name[1])
		}
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name) //nolint:gosec // the names are the test's own
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
