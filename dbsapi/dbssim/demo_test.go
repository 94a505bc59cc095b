package dbssim_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"aliyun_dbs_exporter/dbsapi"
	"aliyun_dbs_exporter/dbsapi/credentials"
	"aliyun_dbs_exporter/dbsapi/dbssim"
)

// The demo has a plan whose past is long, and as short a list of open tasks as the
// others.
func TestDemoHasALongPast(t *testing.T) {
	server := httptest.NewServer(dbssim.Demo(time.Now()))
	defer server.Close()
	client, err := dbsapi.New(dbsapi.Options{Endpoint: server.URL, Credentials: credentials.NewStatic("demo", "demo-secret", "")})
	if err != nil {
		t.Fatal(err)
	}
	status := make(map[string]string)
	for page, err := range client.DownloadTasks(t.Context(), dbsapi.TaskQuery{PlanID: "dbsdemoledger01"}, dbsapi.Pace{}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range page.Items {
			status[task.ID] = task.Status
		}
	}
	finished := 0
	for _, s := range status {
		if s == "finish" {
			finished++
		}
	}
	if open := len(status) - finished; finished < 9_990 || open < 1 || open > 15 {
		t.Errorf("%d tasks have finished and %d are open, want about 10,000 and a few", finished, open)
	}
}
