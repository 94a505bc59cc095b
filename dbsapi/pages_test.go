package dbsapi_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/dbsapi"
	"aliyun_dbs_exporter/dbsapi/dbssim"
)

func TestPaging(t *testing.T) {
	tests := []struct {
		name     string
		tasks    int
		fault    dbssim.Fault
		want     int // rows
		distinct int
		requests int
		err      error
	}{
		{name: "no task", tasks: 0, requests: 1},
		{name: "one task", tasks: 1, want: 1, distinct: 1, requests: 1},
		{name: "one row short of a page", tasks: 99, want: 99, distinct: 99, requests: 1},
		{name: "exactly one page", tasks: 100, want: 100, distinct: 100, requests: 2},
		{name: "one row over a page", tasks: 101, want: 101, distinct: 101, requests: 2},
		{name: "three pages", tasks: 230, want: 230, distinct: 230, requests: 3},
		{name: "exactly two pages", tasks: 200, want: 200, distinct: 200, requests: 3},
		{name: "no totals", tasks: 230, fault: dbssim.WrongTotals(-1, -1), want: 230, distinct: 230, requests: 3},
		{name: "totals of zero", tasks: 230, fault: dbssim.WrongTotals(0, 0), want: 230, distinct: 230, requests: 4},
		{name: "no totals, full last page", tasks: 200, fault: dbssim.WrongTotals(-1, -1), want: 200, distinct: 200, requests: 3},
		{name: "TotalPages too low", tasks: 230, fault: dbssim.WrongTotals(1, 230), want: 230, distinct: 230, requests: 3},
		{name: "both totals too low", tasks: 230, fault: dbssim.WrongTotals(1, 100), want: 230, distinct: 230, requests: 4},
		{name: "TotalPages too high", tasks: 230, fault: dbssim.WrongTotals(9, 230), want: 230, distinct: 230, requests: 4},
		{
			name: "only TotalPages, too high", tasks: 230, want: 230, distinct: 230, requests: 4,
			fault: dbssim.WrongTotals(9, -1), err: dbsapi.ErrIncomplete,
		},
		{
			name: "totals too high", tasks: 230, want: 230, distinct: 230, requests: 4,
			fault: dbssim.WrongTotals(9, 900), err: dbsapi.ErrIncomplete,
		},
		{
			name: "totals too high, full last page", tasks: 200, want: 200, distinct: 200, requests: 3,
			fault: dbssim.WrongTotals(9, 900), err: dbsapi.ErrIncomplete,
		},
		{name: "pages counted from one", tasks: 230, fault: dbssim.Fault{OneBased: true}, want: 230, distinct: 230, requests: 4},
		{name: "pages counted from one, one page", tasks: 30, fault: dbssim.Fault{OneBased: true}, want: 30, distinct: 30, requests: 1},
		{name: "pages counted from one, one full page", tasks: 100, fault: dbssim.Fault{OneBased: true}, want: 100, distinct: 100, requests: 3},
		{name: "one page forever", tasks: 230, fault: dbssim.Fault{Repeat: true}, want: 100, distinct: 100, requests: 3, err: dbsapi.ErrIncomplete},
		{name: "one full page forever, which is all", tasks: 100, fault: dbssim.Fault{Repeat: true}, want: 100, distinct: 100, requests: 3},
		{
			name: "one full page forever, no totals", tasks: 100, want: 100, distinct: 100, requests: 3,
			fault: dbssim.Fault{Repeat: true, Envelope: dbssim.WrongTotals(-1, -1).Envelope}, err: dbsapi.ErrIncomplete,
		},
		{
			name: "one short page forever", tasks: 60, want: 60, distinct: 60, requests: 3,
			fault: dbssim.Fault{Repeat: true, Envelope: dbssim.WrongTotals(2, 120).Envelope}, err: dbsapi.ErrIncomplete,
		},
		{
			name: "two pages in turn", tasks: 400, want: 200, distinct: 200, requests: 3,
			fault: dbssim.Fault{Circle: 2}, err: dbsapi.ErrIncomplete,
		},
		{
			name: "two pages in turn, no totals", tasks: 200, want: 200, distinct: 200, requests: 3,
			fault: dbssim.Fault{Circle: 2, Envelope: dbssim.WrongTotals(-1, -1).Envelope}, err: dbsapi.ErrIncomplete,
		},
		{
			name: "two pages in turn, which are all", tasks: 200, want: 200, distinct: 200, requests: 3,
			fault: dbssim.Fault{Circle: 2},
		},
		{
			name: "five pages in turn, the last one short", tasks: 230, want: 230, distinct: 230, requests: 6,
			fault: dbssim.Fault{Circle: 5, MaxPageSize: 50, Envelope: dbssim.WrongTotals(90, 9000).Envelope}, err: dbsapi.ErrIncomplete,
		},
		{
			name: "server gives less than asked for", tasks: 90, requests: 4, want: 90, distinct: 90,
			fault: dbssim.Fault{MaxPageSize: 30},
		},
		{
			name: "server gives less and says the size asked for", tasks: 230, requests: 5, want: 230, distinct: 230,
			fault: dbssim.Fault{MaxPageSize: 50, Envelope: func(e map[string]any) { e["PageSize"], e["TotalPages"] = 100, 3 }},
		},
		{
			name: "server gives less, says the size asked for, and caps the totals", tasks: 200, requests: 5, want: 200, distinct: 200,
			fault: dbssim.Fault{MaxPageSize: 50, Envelope: func(e map[string]any) {
				e["PageSize"], e["TotalPages"], e["TotalElements"] = 100, 1, 100
			}},
		},
		{name: "short page, total of zero", tasks: 50, fault: dbssim.WrongTotals(0, 0), want: 50, distinct: 50, requests: 2},
		{name: "short page, total too low", tasks: 50, fault: dbssim.WrongTotals(1, 30), want: 50, distinct: 50, requests: 2},
		{
			name: "server gives less, says the size asked for, and a total below it", tasks: 80, requests: 3, want: 80, distinct: 80,
			fault: dbssim.Fault{MaxPageSize: 50, Envelope: func(e map[string]any) {
				e["PageSize"], e["TotalPages"], e["TotalElements"] = 100, 1, 30
			}},
		},
		{
			name: "one short page forever, total too low", tasks: 60, want: 60, distinct: 60, requests: 3,
			fault: dbssim.Fault{Repeat: true, Envelope: dbssim.WrongTotals(1, 30).Envelope}, err: dbsapi.ErrIncomplete,
		},
		{
			name: "a row is missing from a page", tasks: 230, requests: 4, want: 229, distinct: 229,
			fault: dbssim.Fault{Envelope: func(e map[string]any) {
				if rows := e["Items"].(map[string]any)["BackupSetDownloadTaskDetail"].([]map[string]any); e["PageNum"] == 1 {
					e["Items"] = rows[1:]
				}
			}},
			err: dbsapi.ErrIncomplete,
		},
		{
			name: "a later page is short and has no totals", tasks: 230, requests: 4, want: 140, distinct: 140,
			fault: secondPage(func(e map[string]any, rows []map[string]any) {
				delete(e, "TotalElements")
				delete(e, "TotalPages")
				e["Items"] = rows[:10]
			}),
			err: dbsapi.ErrIncomplete,
		},
		{
			name: "a later page is short and its totals are unreadable", tasks: 230, requests: 4, want: 140, distinct: 140,
			fault: secondPage(func(e map[string]any, rows []map[string]any) {
				e["TotalElements"], e["TotalPages"], e["Items"] = "x", -4, rows[:10]
			}),
			err: dbsapi.ErrIncomplete,
		},
		{
			name: "a later page is empty and has no totals", tasks: 230, requests: 2, want: 100, distinct: 100,
			fault: secondPage(func(e map[string]any, _ []map[string]any) {
				delete(e, "TotalElements")
				delete(e, "TotalPages")
				e["Items"] = map[string]any{}
			}),
			err: dbsapi.ErrIncomplete,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sim := newSimulator(tt.tasks)
			sim.SetFault(testPlan, tt.fault)
			tasks, _, err := list(t.Context(), serve(t, sim, dbsapi.Options{}))
			if !errors.Is(err, tt.err) {
				t.Errorf("error is %v, want %v", err, tt.err)
			}
			ids := make(map[string]bool)
			for _, task := range tasks {
				ids[task.ID] = true
			}
			if len(tasks) != tt.want || len(ids) != tt.distinct {
				t.Errorf("got %d rows with %d IDs, want %d with %d", len(tasks), len(ids), tt.want, tt.distinct)
			}
			requests := sim.Requests()
			if len(requests) != tt.requests {
				t.Errorf("made %d requests, want %d", len(requests), tt.requests)
			}
			for i, r := range requests {
				if r.Page != i || r.PlanID != testPlan || r.Action != dbsapi.ActionDownloadTasks {
					t.Errorf("request %d is %+v", i, r)
				}
			}
		})
	}
}

// secondPage changes the answer with the second page.
func secondPage(change func(envelope map[string]any, rows []map[string]any)) dbssim.Fault {
	return dbssim.Fault{Envelope: func(e map[string]any) {
		if e["PageNum"] == 1 {
			change(e, e["Items"].(map[string]any)["BackupSetDownloadTaskDetail"].([]map[string]any))
		}
	}}
}

// A list that never ends costs a bounded number of requests, and what came is kept.
func TestPageCap(t *testing.T) {
	requests := 0
	endless := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests++
		var rows []string
		for i := range 100 {
			rows = append(rows, fmt.Sprintf(`{"BackupSetDownloadTaskId":"t%d-%d"}`, requests, i))
		}
		fmt.Fprintf(w, `{"Success":true,"Items":[%s]}`, strings.Join(rows, ","))
	})
	tasks, _, err := list(t.Context(), inMemoryClient(t, endless, dbsapi.Options{}))
	if !errors.Is(err, dbsapi.ErrIncomplete) || len(tasks) != 100_000 || requests != 1000 {
		t.Errorf("got %d tasks after %d requests and error %v", len(tasks), requests, err)
	}
}

// An empty first page of a list that is said to have rows must not pass for "no tasks".
func TestEmptyPageOfFullList(t *testing.T) {
	sim := newSimulator(0)
	sim.SetFault(testPlan, dbssim.WrongTotals(3, 230))
	_, _, err := list(t.Context(), serve(t, sim, dbsapi.Options{}))
	if got := reasonOf(t, err); got != dbsapi.ReasonDecode {
		t.Errorf("reason is %s", got)
	}
	if want := "DescribeBackupSetDownloadTaskList: decode: the first page is empty though the list has 230 elements (HTTP 200, request "; !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error is %q, want the start %q", err, want)
	}
}

// Leaving a listing early makes no further request.
func TestStopListing(t *testing.T) {
	sim := newSimulator(230)
	c := serve(t, sim, dbsapi.Options{})
	for range c.DownloadTasks(t.Context(), dbsapi.TaskQuery{PlanID: testPlan}, dbsapi.Pace{}) {
		break
	}
	if n := len(sim.Requests()); n != 1 {
		t.Errorf("made %d requests, want 1", n)
	}
}

func TestTaskQuery(t *testing.T) {
	sim := newSimulator(230)
	c := serve(t, sim, dbsapi.Options{})
	var got []string
	for page, err := range c.DownloadTasks(t.Context(), dbsapi.TaskQuery{TaskID: "task0203"}, dbsapi.Pace{}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range page.Items {
			got = append(got, task.ID)
		}
	}
	if diff := cmp.Diff([]string{"task0203"}, got); diff != "" {
		t.Error(diff)
	}
	for _, q := range []dbsapi.TaskQuery{{}, {PlanID: "a", TaskID: "b"}} {
		for _, err := range c.DownloadTasks(t.Context(), q, dbsapi.Pace{}) {
			if err == nil || err.Error() != "list download tasks: either a plan ID or a task ID must be set" {
				t.Errorf("%+v: error is %v", q, err)
			}
		}
	}
	if n := len(sim.Requests()); n != 1 {
		t.Errorf("made %d requests, want 1", n)
	}
	sim.SetFault("task0203", dbssim.Failing(http.StatusForbidden, "Forbidden.RAM"))
	for id, want := range map[string]int{"task0203": http.StatusForbidden, "task0204": 0} {
		for _, err := range c.DownloadTasks(t.Context(), dbsapi.TaskQuery{TaskID: id}, dbsapi.Pace{}) {
			status := 0
			if e := (*dbsapi.Error)(nil); errors.As(err, &e) {
				status = e.HTTPStatus
			}
			if status != want {
				t.Errorf("%s: %v, want status %d", id, err, want)
			}
		}
	}
}

func TestBackupPlans(t *testing.T) {
	sim := newSimulator(0)
	for i := range 120 {
		sim.SetPlan(dbssim.Plan{ID: fmt.Sprintf("dbs%03d", i), Region: "cn-shanghai", Status: "pause"})
	}
	c := serve(t, sim, dbsapi.Options{})
	var here, there []dbsapi.BackupPlan
	for page, err := range c.BackupPlans(t.Context(), dbsapi.PlanQuery{Region: "cn-hangzhou"}, dbsapi.Pace{}) {
		if err != nil {
			t.Fatal(err)
		}
		here = append(here, page.Items...)
	}
	for page, err := range c.BackupPlans(t.Context(), dbsapi.PlanQuery{Region: "cn-shanghai"}, dbsapi.Pace{}) {
		if err != nil {
			t.Fatal(err)
		}
		there = append(there, page.Items...)
	}
	want := []dbsapi.BackupPlan{{
		ID: testPlan, Name: "orders", Status: "running", DatabaseType: "MySQL", AutoDownload: true, AutoDownloadKnown: true,
		ChargeType: "POSTPAY",
	}}
	if diff := cmp.Diff(want, here); diff != "" {
		t.Error(diff)
	}
	if len(there) != 120 || there[119].ID != "dbs119" || there[119].Status != "pause" || there[119].AutoDownload {
		t.Errorf("got %d plans of the other region, the last %+v", len(there), there[len(there)-1])
	}
}
