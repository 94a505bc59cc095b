package dbsapi_test

import (
	"fmt"
	"iter"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/dbsapi"
	"aliyun_dbs_exporter/dbsapi/credentials"
	"aliyun_dbs_exporter/dbsapi/dbssim"
)

// all reads a listing to its end.
func all[T any](pages iter.Seq2[dbsapi.Page[T], error]) (rows []T, err error) {
	for page, err := range pages {
		if err != nil {
			return rows, err
		}
		rows = append(rows, page.Items...)
	}
	return rows, nil
}

func gatewaysOf(t *testing.T, c *dbsapi.Client, region string) ([]dbsapi.BackupGateway, error) {
	t.Helper()
	return all(c.BackupGateways(t.Context(), dbsapi.GatewayQuery{Region: region}, dbsapi.Pace{}))
}

// answering returns a client whose requests all get the same answer.
func answering(t *testing.T, body string) *dbsapi.Client {
	t.Helper()
	return inMemoryClient(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }), dbsapi.Options{})
}

// Gateways of all states are listed, those of the region only, over several pages.
func TestBackupGateways(t *testing.T) {
	heartbeat := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	sim := newSimulator(0)
	for i := range 120 {
		sim.SetGateway(dbssim.Gateway{ID: int64(1000 + i), Region: "cn-shanghai"})
	}
	for i, status := range []string{"ONLINE", "OFFLINE", "STOPPED", "UPGRADING", "DRAINING"} {
		sim.SetGateway(dbssim.Gateway{ID: int64(i + 1), Name: "idc " + status, Region: "cn-hangzhou", Status: status, Heartbeat: heartbeat})
	}
	c := serve(t, sim, dbsapi.Options{})
	here, err := gatewaysOf(t, c, "cn-hangzhou")
	if err != nil {
		t.Fatal(err)
	}
	want := []dbsapi.BackupGateway{
		{ID: "1", Name: "idc ONLINE", Status: dbsapi.GatewayOnline, LastHeartbeat: heartbeat},
		{ID: "2", Name: "idc OFFLINE", Status: dbsapi.GatewayOffline, LastHeartbeat: heartbeat},
		{ID: "3", Name: "idc STOPPED", Status: dbsapi.GatewayStopped, LastHeartbeat: heartbeat},
		{ID: "4", Name: "idc UPGRADING", Status: dbsapi.GatewayUpgrading, LastHeartbeat: heartbeat},
		{ID: "5", Name: "idc DRAINING", Status: "DRAINING", LastHeartbeat: heartbeat},
	}
	if diff := cmp.Diff(want, here); diff != "" {
		t.Error(diff)
	}
	there, err := gatewaysOf(t, c, "cn-shanghai")
	if err != nil || len(there) != 120 || there[119] != (dbsapi.BackupGateway{ID: "1119", Status: dbsapi.GatewayOnline}) {
		t.Errorf("got %d gateways of the other region and %v, the last %+v", len(there), err, there[len(there)-1])
	}
	for _, mark := range []string{dbssim.HostName, dbssim.HostAddress} {
		if text := shown(here, there); strings.Contains(text, mark) {
			t.Errorf("%s is shown", mark)
		}
	}
	_, err = gatewaysOf(t, c, "")
	if err == nil || !strings.HasPrefix(err.Error(), "DescribeBackupGatewayList: invalid_request (HTTP 400, code MissingRegion") {
		t.Errorf("without a region the error is %v", err)
	}
}

// A gateway has the same ID in its list, in a plan and in a task, in whatever form each of them writes it.
func TestGatewayIDs(t *testing.T) {
	tests := map[string]string{
		`"2321313123"`:                       "2321313123",
		`2321313123`:                         "2321313123",
		`2.321313123E9`:                      "2321313123",
		`" 0002321313123 "`:                  "2321313123",
		`9223372036854775807`:                "9223372036854775807",
		`"9223372036854775808"`:              "9223372036854775808",
		`"gw-7"`:                             "gw-7",
		`0`:                                  "",
		`"0"`:                                "",
		`""`:                                 "",
		`null`:                               "",
		`"无"`:                                "",
		`{"Id":7}`:                           "",
		`"` + strings.Repeat("7", 300) + `"`: "",
	}
	for id, want := range tests {
		answer := func(list, member string) string {
			return `{"Success":true,"TotalElements":1,"Items":{"` + list + `":[{"` + member + `":` + id + `}]}}`
		}
		gateways, err := gatewaysOf(t, answering(t, answer("BackupGateway", "BackupGatewayId")), "cn-hangzhou")
		if err != nil || gateways[0].ID != want {
			t.Errorf("%s in the list of gateways is %+v, %v, want %q", id, gateways, err, want)
		}
		c := answering(t, answer("BackupPlanDetail", "BackupSetDownloadGatewayId"))
		plans, err := all(c.BackupPlans(t.Context(), dbsapi.PlanQuery{}, dbsapi.Pace{}))
		if err != nil || plans[0].DownloadGatewayID != want {
			t.Errorf("%s of a plan is %+v, %v, want %q", id, plans, err, want)
		}
		tasks, _, err := decode(t, answer("BackupSetDownloadTaskDetail", "BackupGatewayId"))
		if err != nil || tasks[0].GatewayID != want {
			t.Errorf("%s of a task is %+v, %v, want %q", id, tasks, err, want)
		}
	}
}

// An account without gateways has an empty list, in every shape that the API's
// documents print. An empty list that does not say so is a failure.
func TestEmptyGatewayLists(t *testing.T) {
	for _, items := range []string{`{"BackupGateway":[]}`, `{"BackupGateway":null}`, `{}`, `[]`, `""`, `null`} {
		for _, totals := range []string{`"TotalElements":0,"TotalPages":0`, `"TotalElements":"0"`} {
			gateways, err := gatewaysOf(t, answering(t, `{"Success":true,`+totals+`,"Items":`+items+`}`), "cn-hangzhou")
			if err != nil || len(gateways) != 0 {
				t.Errorf("%s with %s: got %v, %v", items, totals, gateways, err)
			}
		}
		_, err := gatewaysOf(t, answering(t, `{"Success":true,"Items":`+items+`}`), "cn-hangzhou")
		if want := "DescribeBackupGatewayList: decode: the first page is empty and does not say that the list is (HTTP 200)"; err == nil || err.Error() != want {
			t.Errorf("%s without a total: error is %v", items, err)
		}
	}
}

// The documented sample counts no element beside the one that it lists.
func TestGatewayListWithTotalOfZero(t *testing.T) {
	sim := newSimulator(0)
	sim.SetGateway(dbssim.Gateway{ID: 7, Region: "cn-hangzhou"})
	sim.SetFault(dbsapi.ActionBackupGateways, dbssim.WrongTotals(0, 0))
	gateways, err := gatewaysOf(t, serve(t, sim, dbsapi.Options{}), "cn-hangzhou")
	if err != nil || len(gateways) != 1 || gateways[0].ID != "7" {
		t.Errorf("got %v, %v", gateways, err)
	}
}

// Only a plausible number of milliseconds is a heartbeat.
func TestGatewayHeartbeats(t *testing.T) {
	at := time.Date(2022, 1, 13, 3, 20, 1, 0, time.UTC)
	for value, want := range map[string]time.Time{
		`1642044001000`: at, `"1642044001000"`: at, `1.642044001E12`: at,
		`0`: {}, `null`: {}, `-1`: {}, `1642044001`: {}, `"2022-01-13"`: {},
	} {
		body := `{"Success":true,"TotalElements":1,"Items":[{"BackupGatewayId":"7","LastHeartbeatTime":` + value + `}]}`
		gateways, err := gatewaysOf(t, answering(t, body), "cn-hangzhou")
		if err != nil || !gateways[0].LastHeartbeat.Equal(want) {
			t.Errorf("%s is %v, %v, want %v", value, gateways, err, want)
		}
	}
}

// A plan that was bought for a time says when it ends. The time of a plan that is paid
// for by use means nothing.
func TestPlanFacts(t *testing.T) {
	expires := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	sim := newSimulator(0)
	sim.SetPlan(dbssim.Plan{
		ID: testPlan, Region: "cn-hangzhou", AutoDownload: true, DownloadGatewayID: 160813, ResourceGroupID: "rg-a", Expires: expires,
	})
	plans, err := all(serve(t, sim, dbsapi.Options{}).BackupPlans(t.Context(), dbsapi.PlanQuery{Region: "cn-hangzhou"}, dbsapi.Pace{}))
	want := []dbsapi.BackupPlan{{
		ID: testPlan, Status: "running", AutoDownload: true, AutoDownloadKnown: true,
		DownloadGatewayID: "160813", ResourceGroupID: "rg-a", ChargeType: "PREPAY", Expires: expires,
	}}
	if diff := cmp.Diff(want, plans); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	for _, tt := range []struct {
		plan    dbsapi.BackupPlan
		prepaid bool
	}{
		{dbsapi.BackupPlan{}, false},
		{dbsapi.BackupPlan{Expires: expires}, true},
		{dbsapi.BackupPlan{ChargeType: "PrePay"}, true},
		{dbsapi.BackupPlan{ChargeType: "PREPAY", Expires: expires}, true},
		{dbsapi.BackupPlan{ChargeType: "POSTPAY", Expires: expires}, false},
	} {
		if got := tt.plan.Prepaid(); got != tt.prepaid {
			t.Errorf("%+v is prepaid: %t", tt.plan, got)
		}
	}
}

// In the demo a gateway goes offline and comes back, and its downloads queue
// meanwhile.
func TestDemoGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := inMemoryClient(t, dbssim.Demo(time.Now()), dbsapi.Options{Credentials: credentials.NewStatic("demo", "demo-secret", "")})
		var before demoState
		for _, moment := range []struct {
			wait           time.Duration
			status         string
			fewest, most   int // downloads that are queued
			nothingStarted bool
		}{
			{time.Minute, dbsapi.GatewayOnline, 0, 1, false},
			{90 * time.Second, dbsapi.GatewayOffline, 0, 1, false},
			{13 * time.Minute, dbsapi.GatewayOffline, 7, 10, true},
			{5 * time.Minute, dbsapi.GatewayOnline, 0, 1, false},
		} {
			time.Sleep(moment.wait)
			now := demoStateOf(t, c)
			if now.status != moment.status || now.queued < moment.fewest || now.queued > moment.most {
				t.Errorf("%v later it is %+v", moment.wait, now)
			}
			if moment.nothingStarted && (now.finished != before.finished || now.running != before.running) {
				t.Errorf("while it is offline, %+v became %+v", before, now)
			}
			before = now
		}
	})
}

// demoState is what the demo's gateway and the downloads through it do.
type demoState struct {
	status          string
	queued, running int
	finished        time.Time // the last one
}

func demoStateOf(t *testing.T, c *dbsapi.Client) (s demoState) {
	t.Helper()
	gateways, err := gatewaysOf(t, c, "cn-shanghai")
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range gateways {
		if g.ID == "160815" {
			s.status = g.Status
		}
	}
	tasks, err := all(c.DownloadTasks(t.Context(), dbsapi.TaskQuery{PlanID: "dbsdemobilling1"}, dbsapi.Pace{}))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		switch task.Status {
		case dbsapi.StatusSchedule:
			s.queued++
		case dbsapi.StatusRunning:
			s.running++
		}
		if task.Finished.After(s.finished) {
			s.finished = task.Finished
		}
	}
	return s
}
