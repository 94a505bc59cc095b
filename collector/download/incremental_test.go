package download_test

import (
	"testing"
	"time"

	"aliyun_dbs_exporter/collector/download"
)

// A failed task that is started again within a day of its failure is seen at
// once, also in the last poll of the day; after that, with a full listing.
func TestRestartInTheLastPollOfTheDay(t *testing.T) {
	for _, tt := range []struct {
		name  string
		after time.Duration
		seen  bool
	}{{"in the last poll of the day", 24 * time.Hour, true}, {"a poll later", 24*time.Hour + time.Minute, false}} {
		t.Run(tt.name, func(t *testing.T) {
			m := newModel(1, traits{order: newestFirst, size: 10, allFinish: true}, 40, 0)
			failed := m.tasks[5]
			failed.Status, failed.Finished = "running", never
			var tracker download.Tracker
			poll := func(at time.Duration, change func()) download.Outcome {
				m.now = now.Add(at)
				change()
				m.rows = nil
				out, err := tracker.Poll(download.Conditions{Now: m.now, Limits: fewSeries}, m)
				if err != nil {
					t.Fatal(err)
				}
				return out
			}
			nothing := func() {}
			poll(0, nothing)
			poll(time.Minute, func() { failed.Status = "stop" })
			poll(tt.after, nothing)
			out := poll(tt.after+time.Minute, func() { failed.Status = "running" })
			if seen := out.Listing.Counts[download.StatusRunning] == 1; seen != tt.seen || out.Full {
				t.Errorf("seen %t, full listing %t", seen, out.Full)
			}
		})
	}
}
