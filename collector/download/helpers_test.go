package download_test

import (
	"testing"
	"time"

	"aliyun_dbs_exporter/collector/download"
	"aliyun_dbs_exporter/dbsapi"
)

// now is the time of the poll in these tests.
var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return now.Add(-d) }

// never is a time that a row does not have.
var never time.Time

// everything are limits that no test exceeds.
var everything = download.Limits{CompletedWithin: 10000 * time.Hour, MaxPerPlan: 1000}

// row returns a row without faults, but for what the test leaves out.
func row(id, status string, created, finished time.Time) dbsapi.DownloadTask {
	return dbsapi.DownloadTask{
		ID: id, Status: status, Created: created, Finished: finished, JobType: dbsapi.JobTypeFull, DataBytes: 1,
	}
}

// build adds each page to a Builder.
func build(limits download.Limits, pages ...[]dbsapi.DownloadTask) *download.Builder {
	b := download.NewBuilder(limits, now)
	for _, rows := range pages {
		b.Add(rows)
	}
	return b
}

// list returns the listing of one page whose total is right.
func list(t *testing.T, limits download.Limits, rows ...dbsapi.DownloadTask) *download.Listing {
	t.Helper()
	l, err := build(limits, rows).Listing(int64(len(rows)), false)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func ids(tasks []download.Task) []string {
	ids := make([]string, 0, len(tasks))
	for _, t := range tasks {
		ids = append(ids, t.ID)
	}
	return ids
}
