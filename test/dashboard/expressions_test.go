//go:build suites

package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	kit "test/internal/exporter"
)

// expression is a query of the dashboard with all that is needed to judge its result.
type expression struct {
	name   string
	text   string
	now    bool
	labels []string // that the panel shows
}

var legendLabel = regexp.MustCompile(`\{\{(\w+)}}`)

// expressions are those of panels and annotations, with Grafana's variables in them.
func expressions(t *testing.T) []expression {
	t.Helper()
	var all []expression
	d := load(t)
	for _, p := range d.Panels {
		for i, q := range p.Targets {
			e := expression{fmt.Sprintf("%d %s %s", p.ID, p.Title, q.RefID), q.Expr, q.Instant, nil}
			for _, m := range legendLabel.FindAllStringSubmatch(q.LegendFormat, -1) {
				e.labels = append(e.labels, m[1])
			}
			if p.Type == "table" && i == 0 {
				for field := range p.Transformations[len(p.Transformations)-1].Options["renameByName"].(object) {
					if !strings.HasPrefix(field, "Value") {
						e.labels = append(e.labels, field)
					}
				}
			}
			all = append(all, e)
		}
	}
	for _, a := range d.Annotations.List {
		if a.BuiltIn == 0 {
			e := expression{name: a.Name, text: a.Expr}
			for _, m := range legendLabel.FindAllStringSubmatch(a.TextFormat, -1) {
				e.labels = append(e.labels, m[1])
			}
			all = append(all, e)
		}
	}
	return all
}

// metric is a row of the tables in docs/metrics.md.
type metric struct {
	kind   string
	labels []string
}

// documented are the metrics that the exporter says it has.
func documented(t *testing.T) map[string]metric {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(kit.Root(t), "docs", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	metrics := map[string]metric{"aliyun_dbs_exporter_build_info": {kind: "gauge"}}
	row := regexp.MustCompile("(?m)^\\| `(aliyun_dbs_\\w+)` \\| (\\w+) \\| (.*?) \\|")
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		found := metric{kind: m[2]}
		for label := range strings.SplitSeq(m[3], ", ") {
			found.labels = append(found.labels, strings.Trim(label, "`–"))
		}
		metrics[m[1]] = found
		if found.kind == "histogram" {
			found.labels = append(found.labels, "le")
			metrics[m[1]+"_bucket"] = found
		}
	}
	if len(metrics) < 40 {
		t.Fatalf("only %d metrics are documented", len(metrics))
	}
	return metrics
}

// node is a node of a parsed expression, as Prometheus describes it.
type node = map[string]any

// walk visits a node and all below it.
func walk(value any, visit func(node)) {
	switch v := value.(type) {
	case node:
		if v["type"] != nil {
			visit(v)
		}
		for _, child := range v {
			walk(child, visit)
		}
	case []any:
		for _, child := range v {
			walk(child, visit)
		}
	}
}

// Every expression parses, asks for metrics and labels that exist, through all variables that the metric has a label
// for, and takes the growth of nothing but counters.
func TestExpressions(t *testing.T) {
	prometheus := startPrometheus(t)
	metrics := documented(t)
	variables := map[string]string{"job": "$job", "account": "$account", "region_id": "$region_id", "plan_id": "$plan"}
	for _, e := range expressions(t) {
		t.Run(e.name, func(t *testing.T) {
			var tree node
			text := strings.ReplaceAll(e.text, "$__rate_interval", "5m")
			if err := prometheus.Get("/api/v1/parse_query", url.Values{"query": {text}}, &tree); err != nil {
				t.Fatal(err)
			}
			walk(tree, func(n node) {
				switch n["type"] {
				case "vectorSelector", "matrixSelector":
					name := n["name"].(string)
					m, known := metrics[name]
					if strings.HasPrefix(name, "aliyun_dbs_") && !known {
						t.Errorf("%s is not documented", name)
					}
					if name == "ALERTS" {
						return // has the labels of the rules
					}
					matched := map[string]string{}
					for _, one := range n["matchers"].([]any) {
						label := one.(node)["name"].(string)
						matched[label] = one.(node)["value"].(string)
						if label != "__name__" && label != "job" && !slices.Contains(m.labels, label) {
							t.Errorf("%s has no label %s", name, label)
						}
					}
					for label, variable := range variables {
						if (label == "job" || slices.Contains(m.labels, label)) && matched[label] != variable {
							t.Errorf("%s is not narrowed down by %s", name, variable)
						}
					}
				case "call":
					function := n["func"].(node)["name"].(string)
					if !slices.Contains([]string{"rate", "increase", "irate"}, function) {
						return
					}
					name := n["args"].([]any)[0].(node)["name"].(string)
					if kind := metrics[name].kind; kind != "counter" && kind != "histogram" {
						t.Errorf("%s of %s, which is a %s", function, name, kind)
					}
				}
			})
		})
	}
}
