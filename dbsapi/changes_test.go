package dbsapi_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/dbsapi"
	"aliyun_dbs_exporter/dbsapi/dbssim"
)

// A list that changes while it is read is read again, so that no row is lost
// that was there all the time; one that does not stop changing says so.
func TestListChangesWhileItIsRead(t *testing.T) {
	tests := []struct {
		name string
		// list returns the first and last task at each request, counted from 0.
		list  func(request int) (first, last int)
		pages string // numbers of the pages that are yielded
		rows  int    // since the last page 0
		err   error
	}{
		{"stays", func(int) (int, int) { return 0, 230 }, "012", 230, nil},
		{"loses rows at the front", func(n int) (int, int) { return min(n, 1) * 5, 230 }, "0012", 225, nil},
		{"loses rows before the last page", func(n int) (int, int) { return min(n/2, 1) * 5, 230 }, "01012", 225, nil},
		{"loses rows twice", func(n int) (int, int) { return min(n, 3) * 5, 230 }, "00012", 215, nil},
		{"grows at the end", func(n int) (int, int) { return 0, 230 + min(n, 1)*5 }, "0012", 235, nil},
		{"grows to a further page", func(n int) (int, int) { return 0, 180 + min(n, 1)*50 }, "0012", 230, nil},
		{"shrinks to the first page", func(n int) (int, int) { return 0, 150 - min(n, 1)*100 }, "00", 50, nil},
		{"loses a row at every request", func(n int) (int, int) { return n, 230 }, "00012", 224, dbsapi.ErrChanging},
		{"grows at every request", func(n int) (int, int) { return 0, 230 + n }, "00012", 236, dbsapi.ErrChanging},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sim, request := newSimulator(0), -1
			sim.SetPlan(dbssim.Plan{ID: testPlan, Tasks: func(time.Time) []dbssim.Task {
				request++
				first, last := tt.list(request)
				var tasks []dbssim.Task
				for i := first; i < last; i++ {
					tasks = append(tasks, dbssim.Task{ID: fmt.Sprintf("task%04d", i), Status: "finish"})
				}
				return tasks
			}})
			var (
				numbers string
				rows    = make(map[string]bool)
				last    error
			)
			c := inMemoryClient(t, sim, dbsapi.Options{})
			for page, err := range c.DownloadTasks(t.Context(), dbsapi.TaskQuery{PlanID: testPlan}, dbsapi.Pace{}) {
				if err != nil {
					last = err
					break
				}
				if page.Number == 0 {
					clear(rows)
				}
				numbers += fmt.Sprint(page.Number)
				for _, task := range page.Items {
					rows[task.ID] = true
				}
			}
			if !errors.Is(last, tt.err) || numbers != tt.pages || len(rows) != tt.rows {
				t.Errorf("pages %s with %d rows and error %v, want %s with %d and %v", numbers, len(rows), last, tt.pages, tt.rows, tt.err)
			}
		})
	}
}

// The first total that is known is the one that later totals must agree with.
func TestTotalChangesAfterItIsKnown(t *testing.T) {
	sim := newSimulator(230)
	sim.SetFault(testPlan, dbssim.Fault{Envelope: func(e map[string]any) {
		switch e["PageNum"] {
		case 0:
			delete(e, "TotalElements")
		case 1:
			e["TotalElements"] = 240
		}
	}})
	tasks, _, err := list(t.Context(), inMemoryClient(t, sim, dbsapi.Options{}))
	if requests := len(sim.Requests()); !errors.Is(err, dbsapi.ErrIncomplete) || len(tasks) != 230 || requests != 9 {
		t.Errorf("got %d tasks after %d requests and %v", len(tasks), requests, err)
	}
}

// A total below the rows that were read is none.
func TestTotalTooLow(t *testing.T) {
	sim := newSimulator(50)
	sim.SetFault(testPlan, dbssim.WrongTotals(1, 30))
	tasks, total, err := list(t.Context(), inMemoryClient(t, sim, dbsapi.Options{}))
	if err != nil || len(tasks) != 50 || total != -1 {
		t.Errorf("got %d of %d tasks and %v", len(tasks), total, err)
	}
}

// A page of rows without IDs is not taken for a repetition of the one before.
func TestRowsWithoutIDs(t *testing.T) {
	sim := newSimulator(0)
	sim.SetPlan(dbssim.Plan{ID: testPlan, Tasks: dbssim.Fixed(make([]dbssim.Task, 330)...)})
	tasks, total, err := list(t.Context(), inMemoryClient(t, sim, dbsapi.Options{}))
	if err != nil || len(tasks) != 330 || total != 330 {
		t.Errorf("got %d of %d tasks and %v", len(tasks), total, err)
	}
}

// A short page of a row without an ID and a total that denies it is not asked
// for again and again.
func TestRowWithoutIDForever(t *testing.T) {
	var o observer
	forever := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"Success":true,"TotalElements":0,"Items":[{"Error":"x"}]}`)
	})
	tasks, _, err := list(t.Context(), inMemoryClient(t, forever, dbsapi.Options{Observe: o.observe}))
	if !errors.Is(err, dbsapi.ErrIncomplete) || len(tasks) != 1 || o.sent() != 3 {
		t.Errorf("got %d tasks after %d requests and %v", len(tasks), o.sent(), err)
	}
}

// A page carries the time of its answer and what was last said about the list.
func TestPage(t *testing.T) {
	sim := newSimulator(230)
	sim.SetFault(testPlan, secondPage(func(e map[string]any, _ []map[string]any) {
		delete(e, "TotalElements")
		delete(e, "TotalPages")
	}))
	date := time.Now().UTC().Truncate(time.Second)
	dated := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", date.Format(http.TimeFormat))
		sim.ServeHTTP(w, r)
	})
	var got []dbsapi.Page[dbsapi.DownloadTask]
	for page, err := range inMemoryClient(t, dated, dbsapi.Options{}).DownloadTasks(t.Context(), dbsapi.TaskQuery{PlanID: testPlan}, dbsapi.Pace{}) {
		if err != nil {
			t.Fatal(err)
		}
		page.Items = nil
		got = append(got, page)
	}
	var want []dbsapi.Page[dbsapi.DownloadTask]
	for i := range 3 {
		want = append(want, dbsapi.Page[dbsapi.DownloadTask]{Number: i, Requested: i, TotalElements: 230, ServerTime: date})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The Date of a page counts if the server could have accepted the request then,
// that of a rejection always: it may say why.
func TestServerTime(t *testing.T) {
	epoch := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // the time in a synctest bubble
	tests := []struct {
		name   string
		date   time.Time
		counts bool
	}{
		{"same", epoch, true},
		{"15 minutes later", epoch.Add(15 * time.Minute), true},
		{"15 minutes earlier", epoch.Add(-15 * time.Minute), true},
		{"even later", epoch.Add(15*time.Minute + time.Second), false},
		{"even earlier", epoch.Add(-15*time.Minute - time.Second), false},
		{"the end of time", time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), false},
		{"the beginning of time", time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := newSimulator(1)
				dated := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Date", tt.date.Format(http.TimeFormat))
					sim.ServeHTTP(w, r)
				})
				var want time.Time
				if tt.counts {
					want = tt.date
				}
				var o observer
				c := inMemoryClient(t, dated, dbsapi.Options{Observe: o.observe})
				for page, err := range c.DownloadTasks(t.Context(), dbsapi.TaskQuery{PlanID: testPlan}, dbsapi.Pace{}) {
					if err != nil || page.ServerTime != want {
						t.Errorf("time is %v and error %v, want %v", page.ServerTime, err, want)
					}
				}
				if got := o.attempts[0]; !got.ServerTime.Equal(want) || got.LocalTime.IsZero() == tt.counts {
					t.Errorf("the attempt is %+v, want %v", got, want)
				}
				sim.SetFault(testPlan, dbssim.Failing(400, "InvalidTimeStamp.Expired"))
				if _, _, err := list(t.Context(), c); err == nil {
					t.Error("the request was not rejected")
				}
				if got := o.attempts[len(o.attempts)-1]; !got.ServerTime.Equal(tt.date) || got.LocalTime.IsZero() {
					t.Errorf("the rejected attempt is %+v, want %v", got, tt.date)
				}
			})
		})
	}
}
