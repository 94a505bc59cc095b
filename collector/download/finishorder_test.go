package download_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"aliyun_dbs_exporter/collector/download"
)

// byFinish orders a plan's tasks by finish time, the last one first, and those
// without one at the other end, as databases order what is null.
func byFinish(x, y *modelTask) int {
	if x.Finished.IsZero() != y.Finished.IsZero() {
		if x.Finished.IsZero() {
			return 1
		}
		return -1
	}
	return cmp.Compare(y.Finished.UnixMilli(), x.Finished.UnixMilli())
}

// A list by finish time shows running downloads at the end at which finished ones
// do not appear. Each new one replaces the oldest one here, so that the total says
// nothing.
func TestListByFinishTime(t *testing.T) {
	for _, tt := range []struct {
		name     string
		from     int // minute of the first poll
		reversed bool
		wrong    int // polls
	}{
		{"a download runs at the first full listing", 0, false, 0},
		{"likewise, the last to finish at the end", 0, true, 0},
		{"the first download that is seen has finished", 9, false, 8},
		{"likewise, the last to finish at the end", 9, true, 8},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var tracker download.Tracker
			wrong := 0
			for minute := tt.from; minute < 100; minute++ {
				m := newModel(1, traits{size: 100}, 0, 0)
				m.now = now.Add(time.Duration(minute) * time.Minute)
				for i := range 300 { // one begins each 10 minutes and takes 8
					created := now.Add(time.Duration(minute/10-i) * 10 * time.Minute)
					task := m.add(created)
					task.ID, task.DataBytes = fmt.Sprint("t", created.Unix()), 1
					if ended := created.Add(8 * time.Minute); !ended.After(m.now) {
						task.Status, task.Finished = "finish", ended
					}
				}
				slices.SortFunc(m.tasks, byFinish)
				if tt.reversed {
					slices.Reverse(m.tasks)
				}
				for _, task := range m.tasks {
					m.rows = append(m.rows, task.DownloadTask)
				}
				m.requests = 0
				out, err := tracker.Poll(download.Conditions{Now: m.now, Limits: dayOfTen, Full: minute%30 == 9}, m)
				if err != nil {
					t.Fatal(err)
				}
				running := 0
				if minute%10 < 8 {
					running = 1
				}
				if out.Listing.Counts[download.StatusRunning] != running || out.Idle != (running == 0) {
					wrong++
				}
				if !out.Full && m.requests > 3 {
					t.Errorf("minute %d: %d requests", minute, m.requests)
				}
			}
			if wrong != tt.wrong {
				t.Errorf("%d polls are wrong, want %d", wrong, tt.wrong)
			}
		})
	}
}
