//go:build suites

package main

import (
	"fmt"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/dbsapi/dbssim"

	kit "test/internal/exporter"
)

func ended(id, status string, age time.Duration) dbssim.Task {
	at := time.Now().Add(-age)
	return dbssim.Task{ID: id, Status: status, Bytes: 7200, Created: at.Add(-time.Hour), Finished: at}
}

func open(id, status string, age time.Duration) dbssim.Task {
	return dbssim.Task{ID: id, Status: status, Bytes: 1000, Created: time.Now().Add(-age)}
}

// situations has a plan in each state, and one with tasks that wait for all there is to wait for.
func situations(t *testing.T) *kit.Process {
	t.Helper()
	const day = 24 * time.Hour
	plan := func(name string, tasks ...dbssim.Task) dbssim.Plan {
		return dbssim.Plan{ID: "dbs" + name, Region: "cn-hangzhou", Tasks: dbssim.Fixed(tasks...)}
	}
	account := dbssim.Account{AccessKeyID: "key", AccessKeySecret: "secret", Plans: []dbssim.Plan{
		plan("failed", ended("f2", "stop", time.Hour), ended("f1", "finish", day+time.Hour)),
		plan("neverdone", ended("n1", "stop", 2*time.Hour)),
		plan("precheck", open("p1", "init", time.Minute)),
		plan("overdue", ended("o1", "finish", day+3*time.Hour)),
		plan("recovered", ended("r2", "finish", time.Hour), ended("r1", "stop", day+2*time.Hour)),
		plan("empty"),
		plan("waiting", open("w7", "checking", 5*time.Minute), open("w6", "schedule", 10*time.Minute), open("w5", "check_pass", 50*time.Minute),
			open("w4", "running", 40*time.Minute), open("w3", "running", 30*time.Minute), open("w2", "pause", 5*time.Hour), ended("w1", "finish", 6*time.Hour)),
	}}
	for i, status := range []string{"ONLINE", "OFFLINE", "STOPPED", "UPGRADING", "DRAINING"} {
		account.Gateways = append(account.Gateways, dbssim.Gateway{
			ID: int64(i + 1), Name: "idc", Region: "cn-hangzhou", Status: status, Heartbeat: time.Now().Add(-time.Duration(i) * time.Hour),
		})
	}
	account.Plans[0].AutoDownload, account.Plans[0].DownloadGatewayID = true, 1
	account.Plans[1].AutoDownload, account.Plans[1].DownloadGatewayID = true, 2
	account.Plans[2].AutoDownload, account.Plans[2].DownloadGatewayID = true, 2
	account.Plans[3].DownloadGatewayID = 2 // downloaded by hand
	api := httptest.NewServer(dbssim.New(nil, account))
	t.Cleanup(api.Close)
	p := kit.Start(t, kit.Options{Config: `
task_series: {completed_within: 90m}
targets:
  - account: demo
    region_id: cn-hangzhou
    endpoint: ` + api.URL + `
    credentials: {type: access_key, access_key_id: key, access_key_secret: secret}
    discovery: {enabled: true}
    gateways: {enabled: true}
    plans:
      - {id: dbsfailed, name: orders}
      - {id: dbsneverdone}
      - {id: dbsprecheck}
      - {id: dbsoverdue, max_success_age: 26h}
      - {id: dbsrecovered, max_success_age: 26h}
      - {id: dbsempty}
      - {id: dbswaiting}
      - {id: dbsgone}
`})
	p.Ready()
	return p
}

// The panels show the right values: an expression that has data can still be wrong.
func TestValues(t *testing.T) {
	prometheus := startPrometheus(t, situations(t).URL)
	const hour = 3600.0
	tests := []struct {
		panel  int
		query  string
		labels []string // that tell the series apart
		want   map[string]float64
		within float64 // of ages, which grow
	}{
		{101, "A", nil, map[string]float64{"": 8}, 0},
		{101, "B", nil, map[string]float64{"": 1}, 0},
		{102, "A", nil, map[string]float64{"": 2}, 0}, // one has series, one is known by its plan
		{103, "A", nil, map[string]float64{"": 1}, 0},
		{104, "A", nil, map[string]float64{"": 2}, 0},
		{105, "A", nil, map[string]float64{"": 1}, 0},
		{106, "A", nil, map[string]float64{"": 2}, 0},
		{107, "A", nil, map[string]float64{"": 0}, 60},
		{108, "A", nil, map[string]float64{"": 2}, 0}, // the plan that is gone, as either replica has it
		{202, "A", []string{"plan_id", "plan_name"}, map[string]float64{
			"dbsgone ": 1, "dbsfailed orders": 3, "dbsneverdone ": 3, "dbsprecheck ": 3, "dbsoverdue ": 5,
			"dbsrecovered ": 6, "dbsempty ": 6, "dbswaiting ": 6,
		}, 0},
		{203, "A", []string{"status"}, map[string]float64{
			"checking": 1, "init": 1, "check_pass": 1, "schedule": 1, "running": 2, "pause": 1, "stop": 3, "finish": 4, "unknown": 0,
		}, 0},
		{204, "A", []string{"gateway_id", "gateway_name"}, map[string]float64{"1 idc": 5, "2 idc": 1, "3 idc": 2, "4 idc": 4, "5 idc": 3}, 0},
		{205, "A", []string{"gateway_id"}, map[string]float64{"1": 5, "2": 1, "3": 2, "4": 4, "5": 3}, 0},
		{205, "B", []string{"gateway_id"}, map[string]float64{"1": 0, "2": hour, "3": 2 * hour, "4": 3 * hour, "5": 4 * hour}, 60},
		{205, "C", []string{"gateway_id"}, map[string]float64{"1": 1, "2": 2}, 0},
		{301, "A", []string{"plan_id"}, map[string]float64{"dbswaiting": hour / 12}, 60},
		{302, "A", []string{"plan_id"}, map[string]float64{"dbswaiting": hour * 5 / 6}, 60},
		{303, "A", []string{"plan_id"}, map[string]float64{"dbswaiting": 5 * hour}, 60},
		{304, "A", []string{"plan_id"}, map[string]float64{"dbswaiting": hour * 2 / 3}, 60},
		{305, "A", []string{"task_id"}, map[string]float64{"p1": 2, "w7": 8, "w6": 6, "w5": 7, "w4": 5, "w3": 5, "w2": 3}, 0},
		{305, "B", []string{"task_id"}, map[string]float64{
			"p1": 60, "w7": hour / 12, "w6": hour / 6, "w5": hour * 5 / 6, "w4": hour * 2 / 3, "w3": hour / 2, "w2": 5 * hour,
		}, 60},
		{401, "A", []string{"task_id"}, map[string]float64{
			"f2": 1, "p1": 2, "r2": 9, "w7": 8, "w6": 6, "w5": 7, "w4": 5, "w3": 5, "w2": 3,
		}, 0},
		{501, "A", []string{"plan_id"}, map[string]float64{"dbsfailed": hour, "dbsoverdue": hour, "dbsrecovered": hour, "dbswaiting": hour}, 0},
		{505, "A", []string{"plan_id"}, map[string]float64{"dbsfailed": 2, "dbsoverdue": 2, "dbsrecovered": 2, "dbswaiting": 2}, 0},
		{502, "A", nil, map[string]float64{}, 0}, // nothing has finished since the start
		{506, "A", nil, map[string]float64{"": 0}, 0},
	}
	texts := map[string]string{}
	for _, p := range load(t).Panels {
		for _, q := range p.Targets {
			texts[fmt.Sprint(p.ID, q.RefID)] = inDemo.Replace(q.Expr)
		}
	}
	for _, test := range tests {
		name := fmt.Sprint(test.panel, test.query)
		t.Run(name, func(t *testing.T) {
			kit.Eventually(t, func() error {
				result, err := prometheus.Query(texts[name], true)
				if err != nil {
					return err
				}
				got := map[string]float64{}
				for _, one := range result {
					var key []string
					for _, label := range test.labels {
						key = append(key, one.Metric[label])
					}
					value, _ := strconv.ParseFloat(one.Value[1].(string), 64)
					series := strings.Join(key, " ")
					if want := test.want[series]; value >= want && value <= want+test.within {
						value = want
					}
					got[series] = value
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					return fmt.Errorf("(-want +got):\n%s", diff)
				}
				return nil
			})
		})
	}
}
