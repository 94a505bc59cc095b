package dbsapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"aliyun_dbs_exporter/dbsapi"
	"aliyun_dbs_exporter/dbsapi/dbssim"
)

func TestTaskListPage(t *testing.T) {
	list := inMemoryClient(t, newSimulator(230), dbsapi.Options{}).TaskList(testPlan, dbsapi.Pace{})
	for _, tt := range []struct{ num, size, rows int }{{2, 100, 30}, {0, 100, 100}, {1, 100, 100}, {3, 100, 0}, {7, 30, 20}, {0, 50, 50}} {
		page, err := list.Page(t.Context(), tt.num, tt.size)
		if err != nil {
			t.Fatal(err)
		}
		if page.Number != tt.num || len(page.Items) != tt.rows || page.TotalElements != 230 {
			t.Errorf("page %d of %d rows has number %d and %d rows of %d, want %d rows of 230",
				tt.num, tt.size, page.Number, len(page.Items), page.TotalElements, tt.rows)
		}
	}
}

// All pages of a list are those of DownloadTasks. A page knows the number that
// the server gives it.
func TestTaskListPages(t *testing.T) {
	for _, tt := range []struct {
		fault     dbssim.Fault
		requested string
	}{{dbssim.Fault{}, "012"}, {dbssim.Fault{OneBased: true}, "023"}} {
		sim := newSimulator(230)
		sim.SetFault(testPlan, tt.fault)
		rows, requested := 0, ""
		for page, err := range inMemoryClient(t, sim, dbsapi.Options{}).TaskList(testPlan, dbsapi.Pace{}).Pages(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			rows += len(page.Items)
			requested += fmt.Sprint(page.Requested)
		}
		if rows != 230 || requested != tt.requested {
			t.Errorf("%d rows on pages %s, want 230 on %s", rows, requested, tt.requested)
		}
	}
}

// A first page without rows is believed only with a total of 0.
func TestTaskListEmptyPage(t *testing.T) {
	sim := newSimulator(3)
	sim.SetFault(testPlan, dbssim.Fault{Envelope: func(e map[string]any) { e["Items"] = nil }})
	_, err := inMemoryClient(t, sim, dbsapi.Options{}).TaskList(testPlan, dbsapi.Pace{}).Page(t.Context(), 0, 100)
	if reasonOf(t, err) != dbsapi.ReasonDecode {
		t.Error(err)
	}
}

func TestTaskListTask(t *testing.T) {
	for _, tt := range []struct {
		name  string
		id    string
		fault dbssim.Fault
		found bool
		err   dbsapi.Reason
	}{
		{name: "known", id: "task0002", found: true},
		{name: "not known", id: "task9999"},
		{name: "said to be unknown", id: "task0002", fault: dbssim.Failing(http.StatusBadRequest, "Param.NotFound")},
		{name: "no lookup by ID", id: "task0002", fault: dbssim.Failing(http.StatusBadRequest, "InvalidParameter")},
		{name: "empty, without a total", id: "task0002", fault: dbssim.Fault{Envelope: func(e map[string]any) {
			e["Items"] = map[string]any{}
			delete(e, "TotalElements")
		}}},
		{name: "lookups end in an error of the server", id: "task0002", fault: dbssim.Failing(http.StatusInternalServerError, "InternalError"), err: dbsapi.ReasonServer},
		{name: "refused", id: "task0002", fault: dbssim.Failing(http.StatusForbidden, "NoPermission"), err: dbsapi.ReasonForbidden},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sim := newSimulator(3)
			sim.SetFault(dbssim.Everything, tt.fault)
			task, found, err := inMemoryClient(t, sim, dbsapi.Options{}).TaskList(testPlan, dbsapi.Pace{}).Task(t.Context(), tt.id)
			if tt.err != "" {
				if reasonOf(t, err) != tt.err {
					t.Error(err)
				}
				return
			}
			if err != nil || found != tt.found || found && task.ID != tt.id {
				t.Errorf("found %t: %+v, %v", found, task, err)
			}
		})
	}
}

// The time that a poll has is that of all its requests, and the error says how
// many pages there were.
func TestTaskListOutOfTime(t *testing.T) {
	budget := dbsapi.NewBudget(1 << 40)
	list := inMemoryClient(t, newSimulator(3), dbsapi.Options{}).TaskList(testPlan, dbsapi.Pace{Budget: budget})
	if _, err := list.Page(t.Context(), 0, 100); err != nil {
		t.Fatal(err)
	}
	*budget = *dbsapi.NewBudget(0)
	_, err := list.Page(t.Context(), 0, 100)
	if reasonOf(t, err) != dbsapi.ReasonTimeout || !strings.Contains(err.Error(), "after 1 page") {
		t.Error(err)
	}
}
