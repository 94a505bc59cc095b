package collector_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/dbsapi/dbssim"
	"aliyun_dbs_exporter/dbsapi/dbssim/simtest"
)

// taskIDs returns the tasks that have series of their own, by plan, sorted.
func (f *fixture) taskIDs() map[string]string {
	f.Helper()
	ids := make(map[string][]string)
	for line := range strings.Lines(f.page()) {
		if !strings.HasPrefix(line, "aliyun_dbs_download_task_status{") {
			continue
		}
		value := func(label string) string {
			_, rest, _ := strings.Cut(line, label+`="`)
			v, _, _ := strings.Cut(rest, `"`)
			return v
		}
		ids[value("plan_id")] = append(ids[value("plan_id")], value("task_id"))
	}
	sorted := make(map[string]string)
	for plan, list := range ids {
		slices.Sort(list)
		sorted[plan] = strings.Join(list, " ")
	}
	return sorted
}

// ranked are tasks whose IDs say in which order they keep their series: rank, then age.
func ranked(prefix string, shift time.Duration) []dbssim.Task {
	task := func(id, status string, created, finished time.Duration) dbssim.Task {
		t := dbssim.Task{ID: prefix + id, Status: status, Created: ago(created + shift)}
		if finished != 0 {
			t.Finished = ago(finished + shift)
		}
		return t
	}
	return []dbssim.Task{
		task("9-finish-old", "finish", 9*time.Hour, 8*time.Hour),
		task("8-finish", "finish", 9*time.Hour, time.Minute),
		task("7-unknown", "archived", 7*time.Hour, 0),
		task("6-checking", "checking", 6*time.Hour, 0),
		task("5-schedule", "schedule", 5*time.Hour, 0),
		task("4-running", "running", 4*time.Hour, 0),
		task("3-init", "init", 30*time.Hour, 0),
		task("2-pause", "pause", 20*time.Hour, 0),
		task("1-stop", "stop", 23*time.Hour, 10*time.Hour),
		task("0-stop", "stop", 2*time.Hour, 0),
	}
}

// Under a limit, tasks that need attention are kept first, the most recent of them
// before the others.
func TestTaskLimits(t *testing.T) {
	all := func(prefix string, ids ...string) string {
		return prefix + strings.Join(ids, " "+prefix)
	}
	order := []string{"0-stop", "1-stop", "2-pause", "3-init", "4-running", "5-schedule", "6-checking", "7-unknown", "8-finish", "9-finish-old"}
	tests := []struct {
		limits     string
		a, b       string
		hidA, hidB string
	}{
		{"", all("a", order...), all("b", order...), "0", "0"},
		{"max_per_plan: 10", all("a", order...), all("b", order...), "0", "0"},
		{"max_per_plan: 9", all("a", order[:9]...), all("b", order[:9]...), "1", "1"},
		{"max_per_plan: 3", all("a", order[:3]...), all("b", order[:3]...), "7", "7"},
		{"max_total: 20", all("a", order...), all("b", order...), "0", "0"},
		// b's tasks are a second older each, so that a's win.
		{"max_total: 19", all("a", order...), all("b", order[:9]...), "0", "1"},
		{"max_total: 9", all("a", order[:5]...), all("b", order[:4]...), "5", "6"},
		{"max_total: 1", all("a", order[0]), "", "9", "10"},
		{"{max_total: 9, max_per_plan: 4}", all("a", order[:4]...), all("b", order[:4]...), "6", "6"},
		{
			"completed_within: 9h", all("a", "0-stop", "2-pause", "3-init", "4-running", "5-schedule", "6-checking", "7-unknown", "8-finish", "9-finish-old"),
			all("b", "0-stop", "2-pause", "3-init", "4-running", "5-schedule", "6-checking", "7-unknown", "8-finish", "9-finish-old"), "0", "0",
		},
	}
	for _, tt := range tests {
		t.Run(tt.limits, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := dbssim.New(nil, account(
					dbssim.Plan{ID: "dbsa", Tasks: dbssim.Fixed(ranked("a", 0)...)},
					dbssim.Plan{ID: "dbsb", Tasks: dbssim.Fixed(ranked("b", time.Second)...)},
				))
				limits := tt.limits
				if !strings.HasPrefix(limits, "{") {
					limits = "{" + limits + "}"
				}
				f := newFixture(t, sim, simtest.Plans("task_series: "+limits, "dbsa", "dbsb"))
				if err := f.poller.Once(t.Context()); err != nil {
					t.Fatal(err)
				}
				want := map[string]string{}
				if tt.a != "" {
					want["dbsa"] = tt.a
				}
				if tt.b != "" {
					want["dbsb"] = tt.b
				}
				if diff := cmp.Diff(want, f.taskIDs()); diff != "" {
					t.Error(diff)
				}
				f.expect(map[string]string{
					"download_tasks_hidden" + planWith("dbsa", `reason="limit"`): tt.hidA,
					"download_tasks_hidden" + planWith("dbsb", `reason="limit"`): tt.hidB,
				})
			})
		})
	}
}

// A task loses its series when its time is over, and all of them at once.
func TestTaskSeriesEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list := []dbssim.Task{
			{ID: "done", Status: "finish", Created: ago(3 * time.Hour), Finished: ago(59 * time.Minute)},
			{ID: "failed", Status: "stop", Created: ago(59 * time.Minute)},
			{ID: "failedNever", Status: "stop"},
			{ID: "running", Status: "running", Created: ago(100 * time.Hour)},
		}
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa", Tasks: dbssim.Fixed(list...)}))
		f := newFixture(t, sim, simtest.Plans("task_series: {completed_within: 1h}", "dbsa"))
		f.run()
		if diff := cmp.Diff(map[string]string{"dbsa": "done failed running"}, f.taskIDs()); diff != "" {
			t.Error(diff)
		}
		f.expect(map[string]string{"download_tasks_hidden" + planWith("dbsa", `reason="age"`): "1"})
		f.pass(2 * time.Minute)
		if diff := cmp.Diff(map[string]string{"dbsa": "running"}, f.taskIDs()); diff != "" {
			t.Error(diff)
		}
		f.expect(map[string]string{
			"download_tasks_hidden" + planWith("dbsa", `reason="age"`): "3",
			"download_tasks" + planWith("dbsa", `status="stop"`):       "2",
		})
		for name := range f.samples() {
			if strings.Contains(name, `task_id="done"`) || strings.Contains(name, `task_id="failed"`) {
				t.Errorf("%s is left", name)
			}
		}
	})
}

func TestTaskSeriesOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa", Tasks: dbssim.Fixed(ranked("a", 0)...)}))
		f := newFixture(t, sim, simtest.Plans("task_series: {enabled: false}", "dbsa"))
		if err := f.poller.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		for name := range f.samples() {
			if strings.HasPrefix(name, "download_task_") || strings.HasPrefix(name, "download_tasks_hidden") {
				t.Errorf("%s is there", name)
			}
		}
		f.expect(map[string]string{"download_tasks" + planWith("dbsa", `status="stop"`): "2"})
	})
}

// Nothing that the API says can break the page: not bytes that are no text, not values without end, not IDs that
// become the same when they are cut.
func TestHostileTexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		long := strings.Repeat("中", 200)
		var list []dbssim.Task
		for i, text := range []string{"\xff\xfe", "a\x00b", "\"\\\n{}=,", long, "", "<script>alert(1)</script>", "\u202e"} {
			list = append(list, dbssim.Task{
				ID: text, Name: text, BackupSetID: text, JobType: text, DBType: text, Format: text, Status: text, Way: text, TargetType: text,
				Created: ago(time.Hour), Finished: ago(time.Minute), Bytes: int64(i),
			})
		}
		list = append(list, dbssim.Task{ID: long + "x", Status: "stop"}, dbssim.Task{ID: long + "y", Status: "stop", Created: ago(time.Hour)})
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa", Tasks: dbssim.Fixed(list...)}))
		f := newFixture(t, sim, simtest.Plans("", "dbsa"))
		if err := f.poller.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		page := f.page()
		if !utf8.ValidString(page) {
			t.Error("the page is no UTF-8")
		}
		cut := strings.Repeat("中", 21) // 63 bytes
		if !strings.Contains(page, `task_id="`+cut+`"`) || strings.Contains(page, cut+"中") {
			t.Error("a long ID is not cut at 64 bytes")
		}
		f.expect(map[string]string{
			"download_invalid_tasks" + planWith("dbsa", `reason="duplicate_id"`): "2",
			"download_invalid_tasks" + planWith("dbsa", `reason="missing_id"`):   "1",
			"download_tasks" + planWith("dbsa", `status="stop"`):                 "1",
			"download_tasks" + planWith("dbsa", `status="unknown"`):              "6",
		})
	})
}

// Sizes whose sum overflows do not turn negative.
func TestSizesDoNotOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const largest = 1<<63 - 1
		list := []dbssim.Task{{ID: "a", Status: "finish", Bytes: largest}, {ID: "b", Status: "finish", Bytes: largest}, {ID: "c", Status: "stop", Bytes: 1<<53 + 1}}
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa", Tasks: dbssim.Fixed(list...)}))
		f := newFixture(t, sim, simtest.Plans("", "dbsa"))
		if err := f.poller.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.expect(map[string]string{"download_data_bytes" + planWith("dbsa", `status="finish"`): fmt.Sprint(float64(largest))})
	})
}
