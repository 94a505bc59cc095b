package download_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/collector/download"
	"aliyun_dbs_exporter/dbsapi"
)

// update polls at a time, by the clocks of both sides.
func update(e *download.Ends, at time.Time, rows ...dbsapi.DownloadTask) download.NewEnds {
	b := download.NewBuilder(everything, at)
	b.Add(rows)
	return e.Update(b, at)
}

// step is a poll, a minute after the one before, and what it counts.
type step struct {
	name             string
	tasks            []dbsapi.DownloadTask
	finished, failed int
}

func (s step) check(t *testing.T, got download.NewEnds) {
	t.Helper()
	if got.Finished != s.finished || got.Failed != s.failed {
		t.Errorf("%s: %d finished, %d failed; want %d, %d", s.name, got.Finished, got.Failed, s.finished, s.failed)
	}
}

// Each end counts once. The first listing is taken at the time now.
func TestEndsCountOnce(t *testing.T) {
	old, later, latest := ago(time.Minute), now.Add(time.Minute), now.Add(2*time.Minute)
	task := func(id, status string, ended time.Time) dbsapi.DownloadTask {
		return row(id, status, ago(time.Hour), ended)
	}
	tasks := func(tasks ...dbsapi.DownloadTask) []dbsapi.DownloadTask { return tasks }
	for name, steps := range map[string][]step{
		"what the first listing shows": {
			{"first", tasks(task("a", "finish", old), task("b", "stop", never), task("c", "stop", now)), 0, 0},
			{"again", tasks(task("a", "finish", old), task("b", "stop", never), task("c", "stop", now)), 0, 0},
			{"its time comes", tasks(task("b", "stop", now)), 0, 0},
			{"it fails again", tasks(task("b", "stop", later)), 0, 1},
		},
		"what ends between polls": {
			{"first", tasks(task("a", "running", never), task("b", "init", never)), 0, 0},
			{"one finishes", tasks(task("a", "finish", now), task("b", "init", never)), 1, 0},
			{"listed again", tasks(task("a", "finish", now), task("b", "init", never)), 0, 0},
			{"one fails", tasks(task("a", "finish", now), task("b", "stop", later)), 0, 1},
			{"one comes and goes between polls", tasks(task("c", "finish", later), task("d", "stop", later)), 1, 1},
		},
		"a row that is missing": {
			{"first", nil, 0, 0},
			{"it ends", tasks(task("a", "finish", now)), 1, 0},
			{"it is missing", nil, 0, 0},
			{"it is back", tasks(task("a", "finish", now)), 0, 0},
		},
		"a task that is started again": {
			{"first", nil, 0, 0},
			{"it fails", tasks(task("a", "stop", now)), 0, 1},
			{"it runs again", tasks(task("a", "running", never)), 0, 0},
			{"it fails again", tasks(task("a", "stop", later)), 0, 1},
			{"an older replica answers", tasks(task("a", "stop", now)), 0, 0},
			{"an even older one", tasks(task("a", "running", never)), 0, 0},
			{"the last end again", tasks(task("a", "stop", later)), 0, 0},
			{"it finishes at last", tasks(task("a", "finish", latest)), 1, 0},
		},
		"an end whose time comes later": {
			{"first", tasks(task("a", "running", never), task("b", "running", never)), 0, 0},
			{"they end", tasks(task("a", "stop", never), task("b", "finish", never)), 1, 1},
			{"again", tasks(task("a", "stop", never), task("b", "finish", never)), 0, 0},
			{"the times come", tasks(task("a", "stop", now), task("b", "finish", now)), 0, 0},
			{"an older replica has no times", tasks(task("a", "stop", never), task("b", "finish", never)), 0, 0},
			{"one fails again", tasks(task("a", "stop", later), task("b", "finish", now)), 0, 1},
			{"an older replica has no time", tasks(task("a", "stop", never)), 0, 0},
		},
		"an end without a time of a task never seen unfinished": {
			{"first", nil, 0, 0},
			{"it may have ended long ago", tasks(task("a", "stop", never), task("b", "stop", never)), 0, 0},
			{"one ended before the first listing, one after", tasks(task("a", "stop", old), task("b", "stop", now)), 0, 1},
		},
		"a first listing that was cut": {
			{"first", tasks(task("a", "finish", old)), 0, 0},
			{"the rest", tasks(task("a", "finish", old), task("b", "finish", old), task("c", "stop", ago(1)), task("d", "stop", never)), 0, 0},
			{"again", tasks(task("b", "finish", old), task("c", "stop", ago(1)), task("d", "stop", never)), 0, 0},
			{"in the very moment", tasks(task("e", "finish", now)), 1, 0},
		},
		"both statuses at one time": {
			{"first", nil, 0, 0},
			{"fails", tasks(task("a", "stop", now)), 0, 1},
			{"finishes", tasks(task("a", "finish", now)), 1, 0},
			{"both again", tasks(task("a", "stop", now), task("a", "finish", now)), 0, 0},
		},
		"rows that cannot be told apart": {
			{"first", nil, 0, 0},
			{"no ID", tasks(task("", "stop", now), task("", "finish", now)), 0, 0},
		},
		"two rows of one listing": {
			{"first", nil, 0, 0},
			{"the later row is right", tasks(task("a", "stop", now), task("a", "stop", later), task("b", "finish", now), task("b", "running", never)), 0, 1},
		},
		"a status that is not documented": {
			{"first", tasks(task("a", "archived", now)), 0, 0},
			{"it is unfinished", tasks(task("a", "archived", later)), 0, 0},
			{"it fails", tasks(task("a", "stop", never)), 0, 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var ends download.Ends
			for i, s := range steps {
				s.check(t, update(&ends, now.Add(time.Duration(i)*time.Minute), s.tasks...))
			}
		})
	}
}

// The rest of a list whose first listing was cut has not ended since.
func TestEndsOfCutListing(t *testing.T) {
	var rows []dbsapi.DownloadTask
	for i := range 230 {
		status := []string{"finish", "stop"}[i%2]
		rows = append(rows, row(fmt.Sprint(i), status, ago(time.Hour), ago(time.Duration(i+1)*time.Second)))
	}
	var ends download.Ends
	step{name: "40 of 230"}.check(t, update(&ends, now, rows[:40]...))
	step{name: "all"}.check(t, update(&ends, now.Add(time.Minute), rows...))
	rows = append(rows, row("new", "finish", ago(time.Hour), now.Add(90*time.Second)))
	step{name: "one more", finished: 1}.check(t, update(&ends, now.Add(2*time.Minute), rows...))
}

// The API's clock decides what was over before the first listing, if it tells.
func TestEndsByTheClockOfTheAPI(t *testing.T) {
	ended := func(id string, at time.Time) dbsapi.DownloadTask { return row(id, "finish", ago(2*time.Hour), at) }
	for _, tt := range []struct {
		name     string
		answered time.Time
		rows     []dbsapi.DownloadTask
		want     int
	}{
		{"API is an hour behind", ago(time.Hour), []dbsapi.DownloadTask{ended("a", ago(61*time.Minute)), ended("b", ago(59*time.Minute))}, 1},
		{"API is an hour ahead", now.Add(time.Hour), []dbsapi.DownloadTask{ended("a", now.Add(59*time.Minute)), ended("b", now.Add(61*time.Minute))}, 1},
		{"API gives no time", never, []dbsapi.DownloadTask{ended("a", ago(time.Minute)), ended("b", now)}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var ends download.Ends
			ends.Update(build(everything), tt.answered)
			step{name: "next", finished: tt.want}.check(t, ends.Update(build(everything, tt.rows), tt.answered.Add(time.Minute)))
		})
	}
}

func TestEndsHaveDurations(t *testing.T) {
	var ends download.Ends
	update(&ends, now)
	typed := func(id, status, jobType string, created, finished time.Time) dbsapi.DownloadTask {
		r := row(id, status, created, finished)
		r.JobType = jobType
		return r
	}
	rows := []dbsapi.DownloadTask{
		typed("a", "finish", dbsapi.JobTypeFull, ago(time.Hour), now),
		typed("b", "finish", dbsapi.JobTypeFull, ago(time.Minute), now.Add(time.Second)),
		typed("c", "finish", dbsapi.JobTypeIncremental, now, now),
		typed("d", "finish", "other", ago(time.Second), now),
		typed("e", "finish", dbsapi.JobTypeFull, never, now),
		typed("f", "finish", dbsapi.JobTypeFull, now.Add(time.Hour), now),
		typed("g", "stop", dbsapi.JobTypeFull, ago(time.Hour), now),
	}
	want := download.NewEnds{
		Finished: 6, Failed: 1,
		Durations: [download.NumBackupTypes][]time.Duration{
			download.BackupFull:        {time.Hour, time.Minute + time.Second},
			download.BackupIncremental: {0},
			download.BackupUnknown:     {time.Second},
		},
	}
	if diff := cmp.Diff(want, update(&ends, now.Add(time.Minute), rows...)); diff != "" {
		t.Error(diff)
	}
}

// An end is forgotten a day after the API last listed it, and not before.
func TestEndsAreForgotten(t *testing.T) {
	done := row("a", "finish", now, now.Add(time.Minute))
	for _, tt := range []struct {
		name   string
		absent time.Duration
		want   int
	}{{"a day", 24 * time.Hour, 0}, {"more than a day", 24*time.Hour + time.Second, 1}} {
		t.Run(tt.name, func(t *testing.T) {
			var ends download.Ends
			update(&ends, now)
			at := now.Add(time.Minute)
			update(&ends, at, done)
			for range 100 { // listed for long
				at = at.Add(time.Hour)
				step{name: "listed"}.check(t, update(&ends, at, done))
			}
			update(&ends, at.Add(tt.absent))
			step{name: "back", finished: tt.want}.check(t, update(&ends, at.Add(tt.absent), done))
		})
	}
	t.Run("a time that is awaited for days", func(t *testing.T) {
		var ends download.Ends
		update(&ends, now, row("a", "running", now, never))
		step{name: "ends", failed: 1}.check(t, update(&ends, now.Add(time.Hour), row("a", "stop", now, never)))
		for i := range 100 {
			step{name: "no time yet"}.check(t, update(&ends, now.Add(time.Duration(i+2)*time.Hour), row("a", "stop", now, never)))
		}
		step{name: "the time comes"}.check(t, update(&ends, now.Add(102*time.Hour), row("a", "stop", now, now.Add(time.Minute))))
	})
}

// finished makes finished tasks whose IDs are numbers from one number on.
func finished(from, n int) []dbsapi.DownloadTask {
	rows := make([]dbsapi.DownloadTask, n)
	for i := range rows {
		rows[i] = row(strconv.Itoa(from+i), "finish", now, now)
	}
	return rows
}

// longest is the number of rows at which the client ends a list.
const longest = 100_000

// The longest list may be cut once without counting anything again, also after
// another one was replaced by it.
func TestEndsOfLongListThatIsCut(t *testing.T) {
	var ends download.Ends
	at := now
	poll := func(name string, want int, rows []dbsapi.DownloadTask) {
		t.Helper()
		step{name: name, finished: want}.check(t, update(&ends, at, rows...))
		at = at.Add(time.Minute)
	}
	poll("none", 0, nil)
	poll("long", longest, finished(0, longest))
	list := finished(longest, longest)
	poll("replaced", longest, list)
	poll("cut", 0, list[:100])
	poll("whole", 0, list)
}

// A list whose tasks are replaced by the hundred thousand does not take the
// memory: only what it still lists is remembered.
func TestEndsAreBounded(t *testing.T) {
	var ends download.Ends
	update(&ends, now)
	kept, gone := row("kept", "finish", now, now), row("gone", "finish", now, now)
	step{name: "two", finished: 2}.check(t, update(&ends, now, kept, gone))
	const many = 250_000
	rows := make([]dbsapi.DownloadTask, 0, many+1)
	for i := range many {
		rows = append(rows, row(strconv.Itoa(i), "finish", now, now))
	}
	later := now.Add(time.Minute)
	step{name: "many", finished: many}.check(t, update(&ends, later, append(rows, kept)...))
	step{name: "one again"}.check(t, update(&ends, later.Add(time.Minute), kept))
	step{name: "two again", finished: 1}.check(t, update(&ends, later.Add(time.Minute), kept, gone))
}
