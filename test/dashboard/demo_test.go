//go:build suites

package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	kit "test/internal/exporter"
)

// inDemo puts in what Grafana would with everything chosen, and with a scrape every five seconds.
var inDemo = strings.NewReplacer(
	"$__rate_interval", "15s", // three polls
	"$job", "dbs",
	"$account", "demo",
	"$region_id", "(cn-hangzhou|cn-shanghai)",
	"$plan", ".+",
)

// Every panel, annotation and variable has data of the demo after a while: as much as it takes for each status to come
// by and for tasks to end. None may stay empty.
func TestDemo(t *testing.T) {
	demo := kit.Start(t, kit.Options{Args: []string{"--demo"}})
	demo.Ready()
	prometheus := startPrometheus(t, demo.URL)

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for pending := expressions(t); len(pending) > 0; {
		var problems []error
		pending = slices.DeleteFunc(pending, func(e expression) bool {
			err := prometheus.shows(e)
			if err != nil {
				problems = append(problems, fmt.Errorf("%s: %w", e.name, err))
			}
			return err == nil
		})
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal(errors.Join(problems...))
		}
	}
	t.Run("variables", func(t *testing.T) { variablesHaveValues(t, prometheus) })
	t.Run("one plan", func(t *testing.T) { onePlanIsShown(t, prometheus) })
}

// shows fails unless an expression has data, with all labels that the panel shows.
func (s *server) shows(e expression) error {
	result, err := s.Query(inDemo.Replace(e.text), e.now)
	if err != nil {
		return err
	}
	if len(result) == 0 {
		return fmt.Errorf("no data from %s", inDemo.Replace(e.text))
	}
	present := map[string]bool{}
	for _, one := range result {
		if !one.Number() {
			return fmt.Errorf("no number in %v from %s", one.Metric, inDemo.Replace(e.text))
		}
		for label, value := range one.Metric {
			present[label] = present[label] || value != ""
		}
	}
	for _, label := range e.labels {
		if !present[label] {
			return fmt.Errorf("no series has a label %s", label)
		}
	}
	return nil
}

// variablesHaveValues asks for the values of each variable as Grafana does.
func variablesHaveValues(t *testing.T, prometheus *server) {
	want := map[string][]string{
		"job":       {"dbs"},
		"account":   {"demo"},
		"region_id": {"cn-hangzhou", "cn-shanghai"},
		"plan": {
			"dbsdemobilling1 billing-mysql", "dbsdemodeleted1 deleted-upstream", "dbsdemoempty001 archive-oracle",
			"dbsdemoledger01 ledger-mysql", "dbsdemoorders01 orders-mysql", "dbsdemoreport01 reports-postgresql", "dbsdemousers001 users-mongodb",
		},
	}
	got := map[string][]string{}
	labelValues := regexp.MustCompile(`^label_values\((.*), (\w+)\)$`)
	queryResult := regexp.MustCompile(`^query_result\((.*)\)$`)
	for _, v := range load(t).Templating.List[1:] {
		text := inDemo.Replace(v.Definition)
		if m := labelValues.FindStringSubmatch(text); m != nil {
			var values []string
			if err := prometheus.Get("/api/v1/label/"+m[2]+"/values?"+url.Values{"match[]": {m[1]}}.Encode(), nil, &values); err != nil {
				t.Fatal(err)
			}
			got[v.Name] = values
			continue
		}
		result, err := prometheus.Query(queryResult.FindStringSubmatch(text)[1], true)
		if err != nil {
			t.Fatal(err)
		}
		groups := regexp.MustCompile(strings.Trim(v.Regex, "/"))
		for _, one := range result {
			m := groups.FindStringSubmatch(inGrafana(one))
			got[v.Name] = append(got[v.Name], m[groups.SubexpIndex("value")]+" "+m[groups.SubexpIndex("text")])
		}
	}
	if diff := cmp.Diff(want, got, sortedStrings); diff != "" {
		t.Errorf("values of variables (-want +got):\n%s", diff)
	}
}

// onePlanIsShown chooses one plan; nothing that has the label of a plan may be of another.
func onePlanIsShown(t *testing.T, prometheus *server) {
	choose := strings.NewReplacer("$plan", "dbsdemousers001")
	seen := 0
	for _, e := range expressions(t) {
		result, err := prometheus.Query(inDemo.Replace(choose.Replace(e.text)), e.now)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range result {
			switch one.Metric["plan_id"] {
			case "":
			case "dbsdemousers001":
				seen++
			default:
				t.Errorf("%s shows the plan %s", e.name, one.Metric["plan_id"])
			}
		}
	}
	if seen == 0 {
		t.Error("the plan that was chosen is not shown")
	}
}
