package poll_test

import (
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/dbsapi"
	"aliyun_dbs_exporter/dbsapi/dbssim"
)

// planRows returns the rows of an answer with a list of plans.
func planRows(answer map[string]any) []map[string]any {
	return answer["Items"].(map[string]any)["BackupPlanDetail"].([]map[string]any)
}

// listFailure says why the last list of plans failed.
func (f *fixture) listFailure() string {
	if failure := f.target().PlanList.Failure; failure != nil {
		return failure.Text
	}
	return ""
}

// A list whose rows lost members in the place of plans takes no plan away.
func TestDegradedRowsKeepPlans(t *testing.T) {
	const withoutID = "plan list is incomplete: 2 of its rows have no ID"
	tests := []struct {
		name   string
		change func(row map[string]any)
		err    string
	}{
		{"empty", func(row map[string]any) { clear(row) }, withoutID},
		{"ID is null", func(row map[string]any) { row["BackupPlanId"] = nil }, withoutID},
		{"ID is an object", func(row map[string]any) { row["BackupPlanId"] = map[string]any{"Value": "dbsb"} }, withoutID},
		{"no status", func(row map[string]any) { delete(row, "BackupPlanStatus") }, ""},
		{"status is null", func(row map[string]any) { row["BackupPlanStatus"] = nil }, ""},
		{"status is an object", func(row map[string]any) { row["BackupPlanStatus"] = map[string]any{"Value": "running"} }, ""},
		{"status of 2 kB", func(row map[string]any) { row["BackupPlanStatus"] = strings.Repeat("x", 2000) }, ""},
		{"ID alone", func(row map[string]any) {
			maps.DeleteFunc(row, func(name string, _ any) bool { return name != "BackupPlanId" })
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := dbssim.New(nil, account(discoverable("dbsa"), discoverable("dbsb"), discoverable("dbsc")))
				f := newFixture(t, sim, discovering("interval: 1m", "include: dbs.*"))
				f.run()
				pass(time.Second)
				before := f.plan("dbsb").Info
				sim.SetFault(dbsapi.ActionBackupPlans, dbssim.Fault{Envelope: func(e map[string]any) {
					for _, row := range planRows(e)[1:] {
						tt.change(row)
					}
				}})
				pass(4 * time.Minute)
				if got := f.ids(); got != "dbsa dbsb dbsc " {
					t.Errorf("plans are %s", got)
				}
				if diff := cmp.Diff(before, f.plan("dbsb").Info); diff != "" {
					t.Error(diff)
				}
				if got := f.listFailure(); got != tt.err {
					t.Errorf("failure is %q, want %q", got, tt.err)
				}
			})
		})
	}
}

// A plan is not dropped that moves to another page while the list is read: the next
// list, which comes within the poll interval, has it.
func TestPlanMovesBetweenPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := new(planServer)
		last := map[int]string{100: runningRow("dbsa")} // the first row of the second page
		server.Store(&planList{plans: 150, total: 150, rows: last})
		f := newFixture(t, server, discovering())
		f.run()
		pass(time.Until(f.target().PlanList.Due) - time.Second)
		listedAt, polls := f.target().PlanList.SucceededAt, f.plan("dbsa").Poll.Polls
		server.Store(&planList{plans: 150, total: 150, rows: last, slid: 1})
		pass(2 * time.Second)
		if l := f.target().PlanList; l.Failure != nil || l.SucceededAt.Equal(listedAt) || time.Until(l.Due) > time.Minute {
			t.Fatalf("the list is %+v", l)
		}
		server.Store(&planList{plans: 150, total: 150, rows: last})
		pass(2 * time.Minute)
		if got := f.plan("dbsa").Poll.Polls; got <= polls {
			t.Errorf("%d polls became %d", polls, got)
		}
		// The plan that was added meanwhile has gone again, so one more list follows.
		requests := f.target().Calls[1].Requests
		pass(time.Hour)
		if sent := f.target().Calls[1].Requests - requests; sent > 2*(6+2) {
			t.Errorf("%d requests in an hour", sent)
		}
	})
}

// planServer serves a list of plans. No plan has tasks.
type planServer struct{ atomic.Pointer[planList] }

// planList is a number of plans that no filter wants, but for those in rows.
type planList struct {
	plans int
	// rows replaces rows by their place in the list.
	rows map[int]string
	// total is TotalElements.
	total int
	// slid is by how many rows all pages but the first begin too late.
	slid int
}

func (s *planServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Acs-Action") != dbsapi.ActionBackupPlans {
		fmt.Fprint(w, `{"Success":true,"TotalElements":0}`)
		return
	}
	time.Sleep(time.Millisecond)
	list := s.Load()
	page, _ := strconv.Atoi(r.URL.Query().Get("PageNum"))
	var rows []string
	for i := page * dbsapi.PageSize; i < min((page+1)*dbsapi.PageSize, list.plans); i++ {
		n := i
		if page > 0 {
			n += list.slid
		}
		row, ok := list.rows[n]
		if !ok {
			row = fmt.Sprintf(`{"BackupPlanId":"dbs%05d","BackupPlanStatus":"stop"}`, n)
		}
		rows = append(rows, row)
	}
	fmt.Fprintf(w, `{"Success":true,"TotalElements":%d,"Items":{"BackupPlanDetail":[%s]}}`, list.total, strings.Join(rows, ","))
}

func runningRow(id string) string {
	return fmt.Sprintf(`{"BackupPlanId":%q,"BackupPlanStatus":"running"}`, id)
}

// A list of more than 10,000 plans is a failure. It is read no further, and the
// plans before the limit are polled.
func TestTooManyPlans(t *testing.T) {
	const most = 10_000
	synctest.Test(t, func(t *testing.T) {
		server := new(planServer)
		wanted := map[int]string{0: runningRow("dbsa"), most + 1: runningRow("dbsz")}
		server.Store(&planList{plans: most + 250, total: most + 250, rows: wanted})
		f := newFixture(t, server, discovering("interval: 1m"))
		f.run()
		pass(time.Second)
		if got := f.ids(); got != "dbsa " {
			t.Errorf("plans are %s", got)
		}
		failure := f.target().PlanList.Failure
		if failure == nil || failure.Text != "plan list has more than 10000 plans" || !strings.Contains(failure.Advice, "at most 10000 plans") {
			t.Errorf("failure is %+v", failure)
		}
		if got := f.target().Calls[1].Requests; got != most/dbsapi.PageSize+1 {
			t.Errorf("%d requests were sent", got)
		}

		// With 10,000 plans the list succeeds. A failed list after that has no room for
		// others, and still updates those that are known.
		server.Store(&planList{plans: most, total: most, rows: wanted})
		pass(2 * time.Minute)
		if got := f.listFailure(); got != "" {
			t.Fatalf("10,000 plans fail: %s", got)
		}
		server.Store(&planList{plans: 3, total: most, rows: map[int]string{1: runningRow("dbs00001"), 2: runningRow("dbsnew")}})
		pass(time.Minute)
		if got := f.ids(); got != "dbs00001 dbsa " {
			t.Errorf("after a failed list, the plans are %s", got)
		}
	})
}

// A list that is too long comes again in its own interval: it takes 100 requests,
// and fails again.
func TestTooManyPlansKeepTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := new(planServer)
		serve := func(plans int) {
			server.Store(&planList{plans: plans, total: plans})
			pass(time.Hour)
		}
		server.Store(&planList{plans: 200, total: 200})
		f := newFixture(t, server, discovering("interval: 30m"))
		f.run()
		serve(100) // the last list may lack plans, so that the next one comes soon
		serve(10_001)
		before := f.target().Calls[1].Requests
		pass(5 * time.Hour)
		if sent := f.target().Calls[1].Requests - before; f.listFailure() == "" || sent != 10*101 {
			t.Errorf("%d requests in 5 hours (%q)", sent, f.listFailure())
		}
		serve(100)
		if got := f.listFailure(); got != "" {
			t.Errorf("a list of 100 plans fails: %s", got)
		}
	})
}

// Little is kept of a list of plans, however long its texts are.
func TestPlanListMemory(t *testing.T) {
	const plans, perPlan = 2000, 2000 // 3000 bytes of text each
	synctest.Test(t, func(t *testing.T) {
		long := make([]dbssim.Plan, plans)
		for i := range long {
			text := fmt.Sprintf("%04d", i) + strings.Repeat("x", 1000)
			long[i] = dbssim.Plan{ID: fmt.Sprintf("dbs%d", i), Name: text, Region: "cn-hangzhou", Status: text, DatabaseType: text}
		}
		f := newFixture(t, dbssim.New(nil, account(long...)), discovering())
		before := heapAlloc()
		f.run()
		pass(time.Second)
		if l := f.target().PlanList; l.Failure != nil || l.SucceededAt.IsZero() {
			t.Fatalf("the list is %+v", l)
		}
		if grown := heapAlloc() - before; grown > plans*perPlan {
			t.Errorf("%d bytes are held of each plan", grown/plans)
		}
		runtime.KeepAlive(f)
	})
}

// heapAlloc returns the bytes that are in use.
func heapAlloc() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
