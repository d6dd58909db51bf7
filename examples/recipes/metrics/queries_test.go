package main

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/VictoriaMetrics/metricsql"
	"github.com/goccy/go-yaml"
)

// dashboard returns the queries of the dashboard.
func dashboard(t *testing.T) (queries []string) {
	t.Helper()
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(readFile(t, "dashboard.json")), &board); err != nil {
		t.Fatal(err)
	}
	for _, panel := range board.Panels {
		for _, target := range panel.Targets {
			queries = append(queries, target.Expr)
		}
	}
	return queries
}

// alerts returns the queries of the alerts. Each has an urgency and says what to do.
func alerts(t *testing.T) (queries []string) {
	t.Helper()
	var rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	err := yaml.UnmarshalWithOptions([]byte(readFile(t, "alerts.yml")), &rules, yaml.Strict())
	if err != nil || len(rules.Groups) != 1 {
		t.Fatalf("%d groups of alerts, error %v", len(rules.Groups), err)
	}
	for _, rule := range rules.Groups[0].Rules {
		queries = append(queries, rule.Expr)
		urgent := rule.Labels["severity"]
		if urgent != "page" && urgent != "ticket" || rule.Annotations["summary"] == "" || rule.Annotations["action"] == "" {
			t.Errorf("%s: severity %q, annotations %v", rule.Alert, urgent, rule.Annotations)
		}
	}
	return queries
}

// selectors returns what a query selects: filters of labels, among which __name__ is the metric's name.
func selectors(t *testing.T, query string) (all [][]metricsql.LabelFilter) {
	t.Helper()
	// What Grafana puts in is of no interest here.
	plain := strings.NewReplacer("$__rate_interval", "5m", "$job", ".*").Replace(query)
	parsed, err := metricsql.Parse(plain)
	if err != nil {
		t.Errorf("%s\n%v", query, err)
		return nil
	}
	metricsql.VisitAll(parsed, func(e metricsql.Expr) {
		if selector, ok := e.(*metricsql.MetricExpr); ok {
			all = append(all, selector.LabelFilterss...)
		}
	})
	if len(all) == 0 {
		t.Errorf("%s selects nothing", query)
	}
	return all
}

// grouping is what follows by in a query.
var grouping = regexp.MustCompile(`by \(([a-z_, ]+)\)`)

// has reports a metric, or a label, that a query names and that is not exported. Prometheus itself adds the job.
func (s series) has(t *testing.T, query string, selector []metricsql.LabelFilter) {
	t.Helper()
	var names []string
	name := ""
	for _, filter := range selector {
		if filter.Label == "__name__" {
			name = filter.Value
			continue
		}
		names = append(names, filter.Label)
	}
	for _, by := range grouping.FindAllStringSubmatch(query, -1) {
		names = append(names, strings.Split(by[1], ", ")...)
	}
	labels, ok := s[name]
	if !ok {
		t.Errorf("%s\nthere is no metric %s, but %v", query, name, slices.Sorted(maps.Keys(s)))
	}
	for _, label := range names {
		// Only an ending from outside has a reason.
		if !slices.Contains(append(labels, "job", "session_reason"), label) {
			t.Errorf("%s\n%s has no label %s, but %v", query, name, label, labels)
		}
	}
}

// valuesAreOnPage reports values of labels that docs/observability.md does not name; a test of otelsessions holds that page
// to what there is.
func valuesAreOnPage(t *testing.T, page, query string, selector []metricsql.LabelFilter) {
	t.Helper()
	for _, filter := range selector {
		if !strings.HasPrefix(filter.Label, "session_") {
			continue
		}
		for value := range strings.SplitSeq(filter.Value, "|") {
			if !strings.Contains(page, "`"+value+"`") {
				t.Errorf("%s\n%s has no value %s", query, filter.Label, value)
			}
		}
	}
}
