package download_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/collector/download"
	"aliyun_dbs_exporter/dbsapi"
)

// An empty list is believed only if the API says that it is empty, and a list
// is complete only if the API says how long it is.
func TestTotals(t *testing.T) {
	two := []dbsapi.DownloadTask{row("a", "running", now, never), row("b", "running", now, never)}
	twice := []dbsapi.DownloadTask{two[0], two[0]}
	tests := []struct {
		name      string
		rows      []dbsapi.DownloadTask
		total     int64
		truncated bool
		want      string
	}{
		{"empty, and the API says so", nil, 0, false, "complete"},
		{"empty, and the API says nothing", nil, -1, false, "no rows"},
		{"empty, and the API says otherwise", nil, 2, false, "no rows"},
		{"all rows", two, 2, false, "complete"},
		{"rows are missing", two, 3, false, "incomplete"},
		{"a row is missing, another came twice", twice, 2, false, "incomplete"},
		{"more rows than the API says", two, 1, false, "complete"},
		{"rows, and the API says that there are none", two, 0, false, "complete"},
		{"rows, and the API says nothing", two, -1, false, "unknown"},
		{"truncated", two, 2, true, "incomplete"},
		{"truncated, and the API says nothing", two, -1, true, "incomplete"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, err := build(everything, tt.rows).Listing(tt.total, tt.truncated)
			got := map[bool]string{true: "complete", false: "incomplete"}
			switch {
			case errors.Is(err, download.ErrNoRows):
				if l != nil {
					t.Errorf("listing %v comes with the error", l)
				}
				got[true] = "no rows"
			case err != nil:
				t.Fatal(err)
			default:
				complete, known := l.Complete()
				got[true] = got[complete]
				if !known {
					got[true] = "unknown"
				}
				if l.Total != tt.total || l.Truncated != tt.truncated || l.Rows != len(tt.rows) {
					t.Errorf("listing has total %d, truncated %t, %d rows", l.Total, l.Truncated, l.Rows)
				}
			}
			if got[true] != tt.want {
				t.Errorf("listing is %s, want %s", got[true], tt.want)
			}
		})
	}
}

// The later row of an ID replaces the earlier one in everything that a listing
// shows, on the same page or another.
func TestDuplicates(t *testing.T) {
	first := row("a", "finish", ago(3*time.Hour), ago(2*time.Hour))
	first.DataBytes, first.BadSize = 100, true
	later := row("a", "stop", ago(time.Hour), never)
	later.DataBytes = 7
	other := row("b", "running", ago(time.Hour), never)

	want := list(t, everything, other, later)
	want.Rows, want.Invalid[download.DuplicateID] = 3, 1
	for name, pages := range map[string][][]dbsapi.DownloadTask{
		"same page":    {{first, other, later}},
		"next page":    {{first}, {other, later}},
		"page by page": {{other}, {first}, {later}},
	} {
		got, err := build(everything, pages...).Listing(2, false)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestSums(t *testing.T) {
	sized := func(id, status string, bytes int64) dbsapi.DownloadTask {
		r := row(id, status, ago(time.Hour), ago(time.Minute))
		r.DataBytes = bytes
		return r
	}
	l := list(
		t, everything,
		sized("a", "finish", math.MaxInt64), sized("b", "finish", math.MaxInt64), sized("c", "finish", 1),
		sized("d", "stop", 1<<53+1), sized("e", "stop", 1), sized("", "stop", 1), sized("", "stop", 1),
		sized("f", "pause", 0), sized("g", "pause", -5),
	)
	wantCounts := [download.NumStatuses]int{download.StatusFinish: 3, download.StatusStop: 4, download.StatusPause: 2}
	wantBytes := [download.NumStatuses]int64{download.StatusFinish: math.MaxInt64, download.StatusStop: 1<<53 + 4}
	if diff := cmp.Diff(wantCounts, l.Counts); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(wantBytes, l.Bytes); diff != "" {
		t.Error(diff)
	}
	if l.Rows != 9 || l.Tasks != 9 {
		t.Errorf("%d rows, %d tasks, want 9, 9", l.Rows, l.Tasks)
	}
}

func TestInvalidRows(t *testing.T) {
	with := func(r dbsapi.DownloadTask, change func(*dbsapi.DownloadTask)) dbsapi.DownloadTask {
		change(&r)
		return r
	}
	good := row("a", "finish", ago(time.Hour), ago(time.Minute))
	tests := []struct {
		name string
		row  dbsapi.DownloadTask
		want string
	}{
		{"good", good, ""},
		{"no ID", row("", "finish", ago(time.Hour), ago(time.Minute)), "missing_id"},
		{"ID is not text", row("\xff", "finish", ago(time.Hour), ago(time.Minute)), "missing_id"},
		{"time cannot be read", with(good, func(r *dbsapi.DownloadTask) { r.BadTime = true }), "bad_time"},
		{"not created", row("a", "finish", never, ago(time.Minute)), "bad_time"},
		{"finished without end", row("a", "finish", ago(time.Hour), never), "bad_time"},
		{"failed without end", row("a", "stop", ago(time.Hour), never), ""},
		{"running without end", row("a", "running", ago(time.Hour), never), ""},
		{"ended before it was created", row("a", "finish", ago(time.Hour), ago(2*time.Hour)), "negative_duration"},
		{"failed before it was created", row("a", "stop", ago(time.Hour), ago(2*time.Hour)), "negative_duration"},
		{"started again", row("a", "running", ago(time.Hour), ago(2*time.Hour)), ""},
		{"size cannot be read", with(good, func(r *dbsapi.DownloadTask) { r.BadSize = true }), "bad_size"},
		{"size is negative", with(good, func(r *dbsapi.DownloadTask) { r.DataBytes = -1 }), "bad_size"},
		{"all at once", dbsapi.DownloadTask{Status: "finish", BadTime: true, BadSize: true}, "missing_id bad_time bad_size"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := list(t, everything, tt.row)
			var got []string
			for r, n := range l.Invalid {
				if n > 0 {
					got = append(got, download.InvalidReason(r).String())
				}
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("reasons %q, want %q", got, tt.want)
			}
			if l.Tasks != 1 {
				t.Errorf("%d tasks, want 1: the usable part of a row counts", l.Tasks)
			}
		})
	}
}

func TestLastSuccess(t *testing.T) {
	tests := []struct {
		name string
		rows []dbsapi.DownloadTask
		want string
	}{
		{"no task", nil, ""},
		{"none finished", []dbsapi.DownloadTask{row("a", "stop", now, now), row("b", "running", now, now)}, ""},
		{"end is not known", []dbsapi.DownloadTask{row("a", "finish", now, never)}, ""},
		{"last end", []dbsapi.DownloadTask{
			row("a", "finish", ago(3*time.Hour), ago(time.Hour)),
			row("b", "finish", ago(9*time.Hour), ago(time.Minute)),
			row("c", "finish", now, ago(time.Hour)),
		}, "b"},
		{"same end, last created", []dbsapi.DownloadTask{row("c", "finish", ago(time.Hour), now), row("b", "finish", ago(time.Minute), now)}, "b"},
		{"same times, last ID", []dbsapi.DownloadTask{row("b", "finish", now, now), row("c", "finish", now, now), row("a", "finish", now, now)}, "c"},
		{"no ID", []dbsapi.DownloadTask{row("", "finish", now, now), row("a", "finish", now, ago(time.Hour))}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			last := list(t, everything, tt.rows...).LastSuccess
			if got := last != nil; got != (tt.want != "" || tt.name == "no ID") {
				t.Fatalf("there is a last success: %t", got)
			}
			if last != nil && last.ID != tt.want {
				t.Errorf("last success is %q, want %q", last.ID, tt.want)
			}
		})
	}
	last := list(t, everything, row("a", "finish", ago(time.Hour), ago(time.Minute))).LastSuccess
	want := download.Task{ID: "a", Status: download.StatusFinish, DataBytes: 1, Created: ago(time.Hour), Finished: ago(time.Minute)}
	if diff := cmp.Diff(want, *last); diff != "" {
		t.Error(diff)
	}
}

func TestTimesByStatus(t *testing.T) {
	l := list(
		t, everything,
		row("a", "stop", ago(5*time.Hour), ago(4*time.Hour)), row("b", "stop", ago(3*time.Hour), never), row("c", "stop", never, never),
		row("d", "init", ago(8*time.Hour), never), row("e", "init", ago(9*time.Hour), ago(7*time.Hour)),
		row("f", "running", ago(2*time.Hour), never), row("g", "running", ago(6*time.Hour), never), row("h", "running", never, never),
		row("i", "finish", ago(time.Hour), now), row("j", "archived", now, never), row("k", "pause", never, never),
	)
	wantFailure := [download.NumStatuses]time.Time{download.StatusStop: ago(3 * time.Hour), download.StatusInit: ago(7 * time.Hour)}
	if diff := cmp.Diff(wantFailure, l.LastFailure); diff != "" {
		t.Error(diff)
	}
	wantOldest := [download.NumStatuses]time.Time{
		download.StatusInit: ago(9 * time.Hour), download.StatusRunning: ago(6 * time.Hour), download.StatusUnknown: now,
	}
	if diff := cmp.Diff(wantOldest, l.OldestCreated); diff != "" {
		t.Error(diff)
	}
}

func TestUnknownStatuses(t *testing.T) {
	rows := []dbsapi.DownloadTask{row("a", " finish ", now, now), row("b", "new", now, never), row("c", "archived", now, never), row("d", "new", now, never)}
	if diff := cmp.Diff([]string{"archived", "new"}, list(t, everything, rows...).Unknown); diff != "" {
		t.Error(diff)
	}
	for i := range 100 {
		rows = append(rows, row(fmt.Sprint(i), fmt.Sprint("s", i), now, never))
	}
	if n := len(list(t, everything, rows...).Unknown); n != 8 {
		t.Errorf("%d statuses, want 8", n)
	}
}

func TestEqual(t *testing.T) {
	rows := func() []dbsapi.DownloadTask {
		return []dbsapi.DownloadTask{
			row("a", "finish", ago(time.Hour), ago(time.Minute)), row("b", "running", ago(time.Hour), never),
			row("c", "new", ago(time.Hour), never), row("d", "newer", ago(time.Hour), never),
		}
	}
	l := list(t, everything, rows()...)
	reversed := rows()
	reversed[0], reversed[1], reversed[2], reversed[3] = reversed[3], reversed[2], reversed[1], reversed[0]
	changed := func(change func([]dbsapi.DownloadTask)) *download.Listing {
		r := rows()
		change(r)
		return list(t, everything, r...)
	}
	tests := []struct {
		name  string
		other *download.Listing
		want  bool
	}{
		{"same rows", list(t, everything, rows()...), true},
		{"other order", list(t, everything, reversed...), true},
		{"none", nil, false},
		{"no rows", list(t, everything), false},
		{"a name", changed(func(r []dbsapi.DownloadTask) { r[1].Name = "new" }), false},
		{"a size", changed(func(r []dbsapi.DownloadTask) { r[0].DataBytes++ }), false},
		{"a time", changed(func(r []dbsapi.DownloadTask) { r[0].Finished = now }), false},
		{"a raw status", changed(func(r []dbsapi.DownloadTask) { r[2].Status = "other" }), false},
	}
	for _, tt := range tests {
		if l.Equal(tt.other) != tt.want || tt.other.Equal(l) != tt.want {
			t.Errorf("%s: equal is not %t", tt.name, tt.want)
		}
	}
}
