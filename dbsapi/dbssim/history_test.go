package dbssim_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/dbsapi/dbssim"
)

var orders = []dbssim.Order{dbssim.NewestFirst, dbssim.OldestFirst, dbssim.ModifiedFirst, dbssim.Shuffled}

// task was created that many minutes after signedAt, and finished that many
// after it, unless that is 0.
func task(id string, created, finished int) dbssim.Task {
	t := dbssim.Task{ID: id, Status: "running", Created: signedAt.Add(time.Duration(created) * time.Minute)}
	if finished > 0 {
		t.Status, t.Finished = "finish", signedAt.Add(time.Duration(finished)*time.Minute)
	}
	return t
}

// ids returns the IDs of a list at a time.
func ids(h *dbssim.History, now time.Time) string {
	var list []string
	for _, t := range h.Tasks(now) {
		list = append(list, t.ID)
	}
	return strings.Join(list, " ")
}

func TestOrders(t *testing.T) {
	steps := []struct {
		name string
		do   func(*dbssim.History)
		want [4]string // by order
	}{
		{"at the start", func(*dbssim.History) {}, [4]string{"e d c b a", "a b c d e", "e d b c a", "b d a e c"}},
		{
			"one comes", func(h *dbssim.History) { h.Put(task("f", 6, 0)) },
			[4]string{"f e d c b a", "a b c d e f", "f e d b c a", "b d a f e c"},
		},
		{
			"an old one ends", func(h *dbssim.History) { h.Put(task("a", 0, 7)) },
			[4]string{"f e d c b a", "a b c d e f", "a f e d b c", "b d a f e c"},
		},
		{
			"two end, not in the order of the call", func(h *dbssim.History) { h.Put(task("f", 6, 9), task("e", 4, 8)) },
			[4]string{"f e d c b a", "a b c d e f", "f e a d b c", "b d a f e c"},
		},
		{
			"two are deleted, one that is not there too", func(h *dbssim.History) { h.Delete("c", "x", "e") },
			[4]string{"f d b a", "a b d f", "f a d b", "b d a f"},
		},
		{
			"one comes back", func(h *dbssim.History) { h.Put(task("c", 2, 2)) },
			[4]string{"f c d b a", "a b d c f", "c f a d b", "b d a f c"},
		},
		{
			"two come at the same time", func(h *dbssim.History) { h.Put(task("h", 10, 0), task("g", 10, 0)) },
			[4]string{"g h f c d b a", "a b d c f h g", "g h c f a d b", "b d a f h g c"},
		},
	}
	for i, order := range orders {
		t.Run(order.String(), func(t *testing.T) {
			h := dbssim.NewHistory(order, dbssim.Retention{},
				task("c", 2, 0), task("a", 0, 0), task("e", 4, 0), task("d", 2, 3), task("b", 1, 3))
			for _, step := range steps {
				before := h.Tasks(signedAt)
				kept := slices.Clone(before)
				step.do(h)
				if got := ids(h, signedAt); got != step.want[i] {
					t.Errorf("%s: got %s, want %s", step.name, got, step.want[i])
				}
				if fmt.Sprint(before) != fmt.Sprint(kept) {
					t.Errorf("%s changed a list that was returned before", step.name)
				}
			}
		})
	}
}

func TestRetention(t *testing.T) {
	tests := []struct {
		name      string
		retention dbssim.Retention
		want      []string // at the start, an hour later, and after one more came
	}{
		{"all", dbssim.Retention{}, []string{"a b c d e", "a b c d e", "a b c d e f"}},
		{"the newest", dbssim.Retention{Newest: 3}, []string{"c d e", "c d e", "d e f"}},
		{"the young", dbssim.Retention{Age: time.Hour}, []string{"a b c d e", "b c d e", "b c d e f"}},
		{"both", dbssim.Retention{Newest: 4, Age: 58 * time.Minute}, []string{"b c d e", "d e", "d e f"}},
	}
	for _, tt := range tests {
		for _, order := range orders {
			h := dbssim.NewHistory(order, tt.retention,
				task("d", 3, 4), task("a", 0, 9), task("c", 2, 0), task("b", 1, 0), task("e", 4, 4))
			check := func(step int, now time.Time) {
				got := strings.Fields(ids(h, now))
				slices.Sort(got)
				if diff := cmp.Diff(strings.Fields(tt.want[step]), got); diff != "" {
					t.Errorf("%s, %s, step %d (-want +got):\n%s", tt.name, order, step, diff)
				}
			}
			check(0, signedAt.Add(4*time.Minute))
			check(1, signedAt.Add(time.Hour+30*time.Second))
			h.Put(task("f", 61, 0))
			check(2, signedAt.Add(61*time.Minute))
		}
	}
}

// Every task of a life passes through its statuses in the documented order and
// stays where it ended, whatever the order of the list.
func TestLife(t *testing.T) {
	start := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	life := dbssim.Life{
		Name: "test", Start: start, Every: time.Minute, JobType: "cbs_backup_sub_cont", Way: "auto", GatewayID: 7,
		MinBytes: 1000, MaxBytes: 4000, BytesPerSecond: 100,
		Checking: 4 * time.Second, Queued: 8 * time.Second, FailEvery: 3, PauseEvery: 4, PrecheckEvery: 5,
	}
	rank := map[string]int{"checking": 0, "check_pass": 1, "init": 1, "schedule": 2, "running": 3, "pause": 4, "stop": 4, "finish": 4}
	for _, order := range orders {
		list := life.History(order, dbssim.Retention{Newest: 200})
		if got := list.Tasks(start.Add(-time.Second)); len(got) != 0 {
			t.Errorf("before the start there are %v", got)
		}
		seen := make(map[string]string)
		shown := make(map[string]bool)
		for now := start; now.Before(start.Add(time.Hour)); now = now.Add(time.Second) {
			for _, task := range list.Tasks(now) {
				old := seen[task.ID]
				if _, known := rank[task.Status]; !known || old != "" && (rank[old] > rank[task.Status] || rank[old] == 4 && old != task.Status) {
					t.Fatalf("%s went from %q to %q", task.ID, old, task.Status)
				}
				ended := task.Status == "finish" || task.Status == "stop"
				if ended == task.Finished.IsZero() || ended && (task.Finished.After(now) || task.Finished.Before(task.Created)) {
					t.Fatalf("%s is %s, created %v, finished %v at %v", task.ID, task.Status, task.Created, task.Finished, now)
				}
				if task.Bytes < 1000 || task.Bytes > 4000 {
					t.Fatalf("size is %d", task.Bytes)
				}
				seen[task.ID], shown[task.Status] = task.Status, true
			}
		}
		if len(seen) != 60 {
			t.Errorf("made %d tasks in an hour, want 60", len(seen))
		}
		for status := range rank {
			if !shown[status] {
				t.Errorf("no task was ever %s", status)
			}
		}
		// Asked for the first time, another list finds the same tasks.
		late := start.Add(10 * time.Hour)
		got, want := list.Tasks(late), life.History(order, dbssim.Retention{Newest: 200}).Tasks(late)
		if len(got) != 200 {
			t.Errorf("keeps %d tasks, want 200", len(got))
		}
		byID := func(a, b dbssim.Task) int { return strings.Compare(a.ID, b.ID) }
		if got, want := slices.SortedFunc(slices.Values(got), byID), slices.SortedFunc(slices.Values(want), byID); !slices.EqualFunc(got, want, sameTask) {
			t.Errorf("%s: two lists of one life differ", order)
		}
	}
}

// sameTask reports whether two tasks have the same ID, status and end.
func sameTask(a, b dbssim.Task) bool {
	return a.ID == b.ID && a.Status == b.Status && a.Finished.Equal(b.Finished)
}

// A task that was deleted while it ran does not come back when it would have
// ended.
func TestDeletedTaskStaysAway(t *testing.T) {
	life := dbssim.Life{
		Name: "test", Start: signedAt, Every: time.Minute, MinBytes: 1000, MaxBytes: 1000, BytesPerSecond: 1,
		Checking: time.Second, Queued: time.Second,
	}
	for _, order := range orders {
		h := life.History(order, dbssim.Retention{})
		running := h.Tasks(signedAt.Add(10 * time.Second))
		if len(running) != 1 || running[0].Status != "running" {
			t.Fatalf("there is %v", running)
		}
		h.Delete(running[0].ID)
		if got := h.Tasks(signedAt.Add(11 * time.Second)); len(got) != 0 {
			t.Errorf("%s: after the deletion there is %v", order, got)
		}
		later := h.Tasks(signedAt.Add(time.Hour))
		if len(later) != 60 || strings.Contains(ids(h, signedAt.Add(time.Hour)), running[0].ID) {
			t.Errorf("%s: an hour later there are %d tasks, want those after the first", order, len(later))
		}
	}
}

// A request for an unchanged list costs nothing that grows with the list.
func TestUnchangedListIsNotMadeAgain(t *testing.T) {
	life := dbssim.Life{Name: "test", Start: signedAt, Every: time.Second, MinBytes: 1, MaxBytes: 1, BytesPerSecond: 1}
	now := signedAt.Add(10_000 * time.Second)
	for _, order := range orders {
		h := life.History(order, dbssim.Retention{Age: 3 * time.Hour})
		if got := len(h.Tasks(now)); got != 10_001 {
			t.Fatalf("there are %d tasks", got)
		}
		// The newest task is open; whether it has changed takes its name and ID.
		if got := testing.AllocsPerRun(100, func() { h.Tasks(now) }); got > 20 {
			t.Errorf("%s: %v allocations", order, got)
		}
	}
}

// Tests and clients change and read a list at the same time.
func TestHistoryIsConcurrent(t *testing.T) {
	h := dbssim.NewHistory(dbssim.Shuffled, dbssim.Retention{Newest: 50})
	var group sync.WaitGroup
	for g := range 4 {
		group.Go(func() {
			for i := range 100 {
				h.Put(task(fmt.Sprintf("t%d-%d", g, i), i, 0))
				for range h.Tasks(signedAt) {
					continue
				}
				h.Delete(fmt.Sprintf("t%d-%d", g, i/2))
			}
		})
	}
	group.Wait()
	if got := len(h.Tasks(signedAt)); got > 50 {
		t.Errorf("%d tasks are left", got)
	}
}

func TestTotals(t *testing.T) {
	tests := []struct {
		name  string
		fault dbssim.Fault
		want  string
	}{
		{"right", dbssim.Fault{}, "200: 250 rows on 3 pages"},
		{"one too high", dbssim.TotalTooHigh(1), "200: 251 rows on 3 pages"},
		{"51 too high", dbssim.TotalTooHigh(51), "200: 301 rows on 4 pages"},
		{"too low", dbssim.TotalTooHigh(-50), "200: 200 rows on 2 pages"},
		{"below nothing", dbssim.TotalTooHigh(-1000), "200: 0 rows on 0 pages"},
		{"capped", dbssim.TotalCapped(100), "200: 100 rows on 1 pages"},
		{"below the cap", dbssim.TotalCapped(1000), "200: 250 rows on 3 pages"},
		{"any", dbssim.WrongTotals(7, 9), "200: 9 rows on 7 pages"},
	}
	for _, tt := range tests {
		s := simulator(signedAt)
		s.SetPlan(dbssim.Plan{ID: "dbsqhnuhyw3abcd", Tasks: dbssim.Fixed(make([]dbssim.Task, 250)...)})
		s.SetFault("dbsqhnuhyw3abcd", tt.fault)
		if got := ask(t, s, signedRequest()); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}
