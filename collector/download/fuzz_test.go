package download_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	gocmp "github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/collector/download"
	"aliyun_dbs_exporter/dbsapi"
)

// rowBytes is how many bytes make a row, and a first byte of 255 ends a poll.
const rowBytes = 6

// polls makes rows out of bytes: few IDs and times, so that they meet.
func polls(data []byte) [][]dbsapi.DownloadTask {
	polls := [][]dbsapi.DownloadTask{nil}
	for ; len(data) >= rowBytes; data = data[rowBytes:] {
		if data[0] == 255 {
			polls = append(polls, nil)
			continue
		}
		last := len(polls) - 1
		polls[last] = append(polls[last], randomRow(data[:rowBytes]))
	}
	return polls
}

func randomRow(data []byte) dbsapi.DownloadTask {
	pick := func(b byte, from ...string) string { return from[int(b)%len(from)] }
	at := func(b byte) time.Time {
		if b == 0 {
			return never
		}
		return now.Add(time.Duration(int(b)-128) * time.Minute)
	}
	long := strings.Repeat("中", 100)
	id := fmt.Sprint(data[0] % 32)
	if data[0] > 200 {
		id = pick(data[0], "", "\xff", long, long+"x", string(data))
	}
	text := pick(data[1]>>4, "a", "\xffb", long, string(data))
	return dbsapi.DownloadTask{
		ID: id, Name: text, BackupSetID: text, DBType: text, DataFormat: text, Way: text, TargetType: text, GatewayID: text,
		Status:  pick(data[1]&15, "checking", "init", "check_pass", "schedule", "running", "pause", "stop", "finish", text),
		JobType: pick(data[2]>>6, dbsapi.JobTypeFull, dbsapi.JobTypeIncremental, text),
		Created: at(data[3]), Finished: at(data[4]),
		DataBytes: int64(data[5]) << (data[2] % 64), BadSize: data[2] == 7, BadTime: data[2] == 8,
	}
}

func FuzzRows(f *testing.F) {
	f.Add([]byte("1finish0stop9running1finish0stop9running"), 2, 60, 3)
	f.Add([]byte{
		1, 7, 0, 100, 0, 1, 2, 6, 0, 100, 120, 1, 255, 0, 0, 0, 0, 0, 1, 7, 0, 100, 130, 1, 2, 4, 0, 100, 0, 1,
		255, 0, 0, 0, 0, 0, 2, 6, 0, 100, 0, 9, 2, 6, 0, 100, 0, 9, 201, 55, 0, 100, 0, 9,
	}, 1, 30, 1)
	f.Fuzz(func(t *testing.T, data []byte, maxPerPlan, minutes, pageSize int) {
		limits := download.Limits{CompletedWithin: time.Duration(minutes) * time.Minute, MaxPerPlan: maxPerPlan}
		var ends download.Ends
		counted := make(map[string]bool)
		for i, rows := range polls(data) {
			b := build(limits, rows)
			l, err := b.Listing(0, false)
			if err != nil {
				t.Fatal(err)
			}
			checkListing(t, l, rows, limits)
			checkPages(t, l, rows, limits, pageSize)
			got := ends.Update(b, now)
			checkEnds(t, got, rows, counted, i == 0)
			if again := ends.Update(b, now); again.Finished+again.Failed > 0 {
				t.Errorf("%+v count twice", again)
			}
		}
	})
}

func checkListing(t *testing.T, l *download.Listing, rows []dbsapi.DownloadTask, limits download.Limits) {
	sum := func(counts []int) (sum int) {
		for _, n := range counts {
			sum += n
		}
		return sum
	}
	// No row is invalid twice as one task, so the sums tell where rows went.
	if n := sum(l.Counts[:]); n != l.Tasks || l.Tasks != len(rows)-l.Invalid[download.DuplicateID] || l.Rows != len(rows) {
		t.Errorf("%d by status, %d tasks, %d rows of %d, %d duplicates", n, l.Tasks, l.Rows, len(rows), l.Invalid[download.DuplicateID])
	}
	if n := len(l.Series) + l.Hidden.Age + l.Hidden.Limit; n != l.Tasks-l.Invalid[download.MissingID] {
		t.Errorf("%d series, hidden %+v, but %d tasks, %d of them without ID", len(l.Series), l.Hidden, l.Tasks, l.Invalid[download.MissingID])
	}
	if len(l.Series) > max(0, limits.MaxPerPlan) || l.Hidden.Age < 0 || l.Hidden.Limit < 0 {
		t.Errorf("%d series, hidden %+v", len(l.Series), l.Hidden)
	}
	for s, bytes := range l.Bytes {
		if bytes < 0 || bytes > 0 && l.Counts[s] == 0 {
			t.Errorf("%d bytes of %d %v tasks", bytes, l.Counts[s], download.Status(s))
		}
	}
	seen := make(map[string]bool)
	for _, task := range l.Series {
		if task.ID == "" || seen[task.ID] {
			t.Errorf("series of %q", task.ID)
		}
		seen[task.ID] = true
		for _, text := range []string{task.ID, task.Name, task.BackupSetID, task.DBType, task.DataFormat, task.Way, task.TargetType, task.GatewayID} {
			if !utf8.ValidString(text) || len(text) > 256 {
				t.Errorf("%q is not a label value", text)
			}
		}
	}
	if len(l.Unknown) > 8 || l.Counts[download.StatusUnknown] > 0 && len(l.Unknown) == 0 {
		t.Errorf("unknown statuses %q", l.Unknown)
	}
}

// checkPages holds a listing against others of the same rows.
func checkPages(t *testing.T, l *download.Listing, rows []dbsapi.DownloadTask, limits download.Limits, pageSize int) {
	pages := slices.Collect(slices.Chunk(rows, max(1, pageSize)))
	paged, err := build(limits, pages...).Listing(0, false)
	if err != nil {
		t.Fatal(err)
	}
	if !l.Equal(paged) {
		t.Error("page by page", gocmp.Diff(l, paged))
	}
	if l.Invalid[download.DuplicateID] > 0 {
		return
	}
	// Without duplicates, neither the order of rows nor the limit changes which
	// tasks are the most urgent.
	slices.SortFunc(rows, func(x, y dbsapi.DownloadTask) int { return cmp.Compare(x.ID, y.ID) })
	limits.MaxPerPlan = len(rows)
	all, err := build(limits, rows).Listing(0, false)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(all.Series[:len(l.Series)], l.Series); diff != "" || all.Hidden.Limit != 0 {
		t.Error("in another order", diff, all.Hidden)
	}
}

// checkEnds holds the ends that are counted against those that could be.
func checkEnds(t *testing.T, got download.NewEnds, rows []dbsapi.DownloadTask, counted map[string]bool, first bool) {
	var finished, failed int
	byID := make(map[string]dbsapi.DownloadTask)
	for _, r := range rows {
		// As one task, as it is cut.
		id := strings.ToValidUTF8(r.ID[:min(256, len(r.ID))], "")
		byID[id] = r
	}
	for id, r := range byID {
		key := fmt.Sprint(id, "|", r.Status, "|", r.Finished.UnixMilli())
		if !download.ParseStatus(r.Status).Terminal() || id == "" || counted[key] {
			continue
		}
		counted[key] = true
		if first || !r.Finished.IsZero() && r.Finished.Before(now) {
			continue
		}
		if r.Status == "finish" {
			finished++
		} else {
			failed++
		}
	}
	if got.Finished > finished || got.Failed > failed {
		t.Errorf("%+v, but at most %d finished and %d failed", got, finished, failed)
	}
	durations := 0
	for _, d := range got.Durations {
		durations += len(d)
	}
	if durations > got.Finished {
		t.Errorf("%d durations of %d finished", durations, got.Finished)
	}
}
