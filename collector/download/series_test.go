package download_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/collector/download"
	"aliyun_dbs_exporter/dbsapi"
)

// ranked are tasks whose IDs sort by urgency, the least urgent first.
func ranked(prefix string, shift time.Duration) []dbsapi.DownloadTask {
	task := func(id, status string, created time.Duration, finished time.Time) dbsapi.DownloadTask {
		if !finished.IsZero() {
			finished = finished.Add(-shift)
		}
		return row(prefix+id, status, ago(created+shift), finished)
	}
	return []dbsapi.DownloadTask{
		task("9-finish-old", "finish", 9*time.Hour, ago(8*time.Hour)),
		task("8-finish", "finish", 9*time.Hour, ago(time.Minute)),
		task("7-unknown", "archived", 7*time.Hour, never),
		task("6-checking", "checking", 6*time.Hour, never),
		task("5-schedule", "schedule", 5*time.Hour, never),
		task("4-running", "running", 4*time.Hour, never),
		task("3-init", "init", 30*time.Hour, never),
		task("2-pause", "pause", 20*time.Hour, never),
		task("1-stop", "stop", 23*time.Hour, ago(10*time.Hour)),
		task("0-stop", "stop", 2*time.Hour, never),
	}
}

// Under a limit, tasks that need attention keep their series longest, the last
// ones first.
func TestSeriesLimit(t *testing.T) {
	order := strings.Fields("0-stop 1-stop 2-pause 3-init 4-running 5-schedule 6-checking 7-unknown 8-finish 9-finish-old")
	for _, tt := range []struct{ limit, want int }{
		{math.MaxInt, 10}, {11, 10}, {10, 10}, {9, 9}, {5, 5}, {3, 3}, {2, 2}, {1, 1}, {0, 0}, {-1, 0},
	} {
		t.Run(fmt.Sprint(tt.limit), func(t *testing.T) {
			limits := download.Limits{CompletedWithin: 24 * time.Hour, MaxPerPlan: tt.limit}
			l := list(t, limits, ranked("", 0)...)
			if diff := cmp.Diff(order[:tt.want], ids(l.Series)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(download.Hidden{Limit: 10 - tt.want}, l.Hidden); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A task that has ended keeps its series for a while, counted from its end,
// else from its creation. One that has not ended keeps them.
func TestSeriesAge(t *testing.T) {
	tests := []struct {
		name              string
		status            string
		created, finished time.Time
		want              bool
	}{
		{"ended within the hour", "finish", ago(9 * time.Hour), ago(59 * time.Minute), true},
		{"ended an hour ago", "finish", ago(9 * time.Hour), ago(time.Hour), true},
		{"ended before", "finish", ago(9 * time.Hour), ago(time.Hour + time.Millisecond), false},
		{"failed within the hour", "stop", ago(9 * time.Hour), ago(time.Minute), true},
		{"end is not known, created within the hour", "stop", ago(59 * time.Minute), never, true},
		{"end is not known, created before", "stop", ago(2 * time.Hour), never, false},
		{"no time is known", "finish", never, never, false},
		{"running for long", "running", ago(100 * time.Hour), never, true},
		{"started again", "running", ago(100 * time.Hour), ago(50 * time.Hour), true},
		{"not started, no time is known", "init", never, never, true},
		{"status is not known", "archived", ago(100 * time.Hour), never, true},
	}
	limits := download.Limits{CompletedWithin: time.Hour, MaxPerPlan: 10}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := list(t, limits, row("a", tt.status, tt.created, tt.finished))
			if shown := len(l.Series) == 1; shown != tt.want || shown == (l.Hidden.Age == 1) || l.Hidden.Limit != 0 {
				t.Errorf("%d series, hidden %+v", len(l.Series), l.Hidden)
			}
		})
	}
}

// Rows without an ID cannot have series, and are not hidden either.
func TestSeriesWithoutID(t *testing.T) {
	l := list(t, everything, row("", "stop", now, never), row("a", "stop", now, never), row("", "finish", now, now))
	if diff := cmp.Diff([]string{"a"}, ids(l.Series)); diff != "" || l.Hidden != (download.Hidden{}) {
		t.Error(diff, l.Hidden)
	}
}

// A later row of a task decides whether and where it has series.
func TestSeriesOfDuplicates(t *testing.T) {
	stop := func(id string, created time.Duration) dbsapi.DownloadTask {
		return row(id, "stop", ago(created), never)
	}
	tests := []struct {
		name string
		rows []dbsapi.DownloadTask
		want string
		hid  download.Hidden
	}{
		{"becomes too old", []dbsapi.DownloadTask{stop("a", 1), row("a", "finish", ago(9*time.Hour), ago(8*time.Hour))}, "", download.Hidden{Age: 1}},
		{"is no longer too old", []dbsapi.DownloadTask{row("a", "finish", ago(9*time.Hour), ago(8*time.Hour)), stop("a", 1)}, "a", download.Hidden{}},
		{"comes first", []dbsapi.DownloadTask{stop("a", 1), stop("b", 2), row("c", "finish", now, now), stop("c", 0)}, "c a", download.Hidden{Limit: 1}},
		{"makes room", []dbsapi.DownloadTask{stop("a", 1), stop("b", 2), row("c", "running", now, never), row("a", "finish", now, now)}, "b c", download.Hidden{Limit: 1}},
		{"comes many times", []dbsapi.DownloadTask{stop("a", 1), stop("a", 1), stop("a", 1), stop("a", 1), stop("a", 1), stop("b", 2)}, "a b", download.Hidden{}},
	}
	limits := download.Limits{CompletedWithin: time.Hour, MaxPerPlan: 2}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := list(t, limits, tt.rows...)
			if diff := cmp.Diff(strings.Fields(tt.want), ids(l.Series)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.hid, l.Hidden); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestShare(t *testing.T) {
	limits := download.Limits{CompletedWithin: 24 * time.Hour, MaxPerPlan: 10}
	// Each task of b is a second older than that of a.
	a, b := list(t, limits, ranked("a", 0)...), list(t, limits, ranked("b", time.Second)...)
	finished := list(t, limits, row("c", "finish", now, now))
	empty := list(t, limits)
	equal := slices.Repeat([]*download.Listing{a}, 30)
	tests := []struct {
		name                 string
		listings             []*download.Listing
		maxPerPlan, maxTotal int
		want                 []int
	}{
		{"no listing", nil, 10, 10, []int{}},
		{"nothing to show", []*download.Listing{nil, empty}, 10, 10, []int{0, 0}},
		{"all fit", []*download.Listing{a, nil, b}, 10, 20, []int{10, 0, 10}},
		{"no limits", []*download.Listing{a, b}, math.MaxInt, math.MaxInt, []int{10, 10}},
		{"fewer per plan", []*download.Listing{a, b, finished}, 4, 20, []int{4, 4, 1}},
		{"one too many", []*download.Listing{a, b}, 10, 19, []int{10, 9}},
		{"one too many, other order", []*download.Listing{b, a}, 10, 19, []int{9, 10}},
		{"the finished one goes first", []*download.Listing{finished, a, b}, 10, 17, []int{1, 8, 8}},
		{"only urgent ones", []*download.Listing{finished, a, b}, 10, 9, []int{0, 5, 4}},
		{"the most urgent one", []*download.Listing{finished, b, nil, a}, 10, 1, []int{0, 0, 0, 1}},
		{"both limits", []*download.Listing{a, b}, 4, 7, []int{4, 3}},
		{"same tasks, first listing", []*download.Listing{a, a}, 10, 5, []int{3, 2}},
		{"many equal tasks, first listings", equal, 10, 45, append(slices.Repeat([]int{2}, 15), slices.Repeat([]int{1}, 15)...)},
		{"none in total", []*download.Listing{a, b}, 10, 0, []int{0, 0}},
		{"none per plan", []*download.Listing{a, b}, 0, 10, []int{0, 0}},
		{"negative limits", []*download.Listing{a, b}, -1, -1, []int{0, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, download.Share(tt.listings, tt.maxPerPlan, tt.maxTotal)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
