// Package promql compares what queries ask for with what the exporter has.
package promql

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"aliyun_dbs_exporter/collector"
	"aliyun_dbs_exporter/collector/download"
	"aliyun_dbs_exporter/collector/poll"
	"aliyun_dbs_exporter/dbsapi"
)

// Labels that Prometheus gives to every series it scrapes, and to the series about alerts.
var (
	targetLabels = []string{"job", "instance"}
	alertLabels  = []string{"alertname", "alertstate", "severity", "account", "region_id", "plan_id", "plan_name", "task_id"}
)

// Values that labels of a known set can have.
var values = map[string][]string{
	"status": slices.Concat(labelValues(download.NumStatuses), dbsapi.PlanStatuses, gatewayStatuses),
	"reason": slices.Concat(failures(), labelValues(download.NumInvalidReasons), []string{"age", "limit"}), // why a task is hidden
}

// gatewayStatuses are those of a backup gateway.
var gatewayStatuses = []string{
	string(poll.GatewayOnline), string(poll.GatewayOffline), string(poll.GatewayStopped), string(poll.GatewayUpgrading),
	string(poll.GatewayUnknown),
}

// labelValues returns the label values of constants that count up from 0, by the number of them.
func labelValues[T interface {
	~uint8
	fmt.Stringer
}](number T) (list []string) {
	for value := range number {
		list = append(list, value.String())
	}
	return list
}

// failures returns the reasons of failed API calls.
func failures() (list []string) {
	for _, reason := range dbsapi.Reasons {
		list = append(list, string(reason))
	}
	return list
}

// Metrics returns the labels of every series name that can be queried: those of the exporter, and what the libraries
// that it is built with and Prometheus itself add.
func Metrics() map[string][]string {
	names := map[string][]string{
		"aliyun_dbs_exporter_build_info": {"version", "revision", "branch", "goversion", "goos", "goarch", "tags"},
		"ALERTS":                         alertLabels,
	}
	for _, name := range []string{
		"up", "scrape_duration_seconds", "scrape_samples_scraped", "process_resident_memory_bytes", "process_cpu_seconds_total",
		"process_start_time_seconds", "go_goroutines",
	} {
		names[name] = nil
	}
	for _, f := range collector.Families() {
		names[f.Name] = f.Labels
		if f.Type == "histogram" {
			names[f.Name+"_bucket"] = append(slices.Clone(f.Labels), "le")
			names[f.Name+"_sum"], names[f.Name+"_count"] = f.Labels, f.Labels
		}
	}
	for name := range names {
		names[name] = slices.Concat(names[name], targetLabels)
	}
	return names
}

// Parse parses a query.
func Parse(query string) (parser.Expr, error) {
	return parser.NewParser(parser.Options{}).ParseExpr(query)
}

// Check returns what a query asks for that no series has: metrics, labels, and values of labels whose values are known.
func Check(query string) (problems []string) {
	expr, err := Parse(query)
	if err != nil {
		return []string{err.Error()}
	}
	metrics, known := Metrics(), make(map[string]bool)
	var grouped []string
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			has, ok := metrics[n.Name]
			if !ok {
				problems = append(problems, fmt.Sprintf("there is no metric %q", n.Name))
			}
			for _, label := range has {
				known[label] = true
			}
			for _, m := range n.LabelMatchers {
				problems = append(problems, checkMatcher(n.Name, has, m)...)
			}
		case *parser.AggregateExpr:
			grouped = append(grouped, n.Grouping...)
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				grouped = append(grouped, n.VectorMatching.MatchingLabels...)
				grouped = append(grouped, n.VectorMatching.Include...)
			}
		}
		return nil
	})
	for _, label := range grouped {
		if !known[label] {
			problems = append(problems, fmt.Sprintf("no metric of it has a label %q to group or match by", label))
		}
	}
	return problems
}

func checkMatcher(metric string, has []string, m *labels.Matcher) (problems []string) {
	if m.Name == model.MetricNameLabel {
		return nil
	}
	if !slices.Contains(has, m.Name) {
		problems = append(problems, fmt.Sprintf("%s has no label %q", metric, m.Name))
	}
	set, closed := values[m.Name]
	if !closed {
		return problems
	}
	wanted := []string{m.Value}
	if m.Type == labels.MatchRegexp || m.Type == labels.MatchNotRegexp {
		wanted = strings.Split(m.Value, "|")
	}
	for _, value := range wanted {
		if !slices.Contains(set, value) {
			problems = append(problems, fmt.Sprintf("no %s is %q", m.Name, value))
		}
	}
	return problems
}
