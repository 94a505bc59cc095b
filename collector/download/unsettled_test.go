package download_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/collector/download"
	"aliyun_dbs_exporter/dbsapi"
)

// A poll of a plan with many unsettled tasks never costs more than a full
// listing, and says so if it is one.
func TestRequestsOfManyUnsettledTasks(t *testing.T) {
	for _, tt := range []struct {
		name      string
		order     listOrder
		unsettled func(age int) bool // of the 1,050 tasks, the newest has age 0
		requests  int
		obstacle  download.Obstacle
	}{
		{"all, newest first", newestFirst, func(int) bool { return true }, 11, download.Unsettled},
		{"all, oldest first", oldestFirst, func(int) bool { return true }, 11, download.Unsettled},
		{"all, shuffled", shuffled, func(int) bool { return true }, 11, download.Unsettled},
		{"one a page, newest first", newestFirst, func(age int) bool { return age%100 == 20 }, 11, download.Unsettled},
		{"the newest on all pages but the last", newestFirst, func(age int) bool { return age < 1000 }, 11, download.Unsettled},
		{"the newest on half of the pages", newestFirst, func(age int) bool { return age < 500 }, 6, download.NoObstacle},
		{"the oldest on half of the pages", newestFirst, func(age int) bool { return age >= 500 }, 7, download.NoObstacle},
		{"the newest on half of the pages, oldest first", oldestFirst, func(age int) bool { return age < 550 }, 7, download.NoObstacle},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newModel(1, traits{order: tt.order, size: 100, allFinish: true}, 1_050, 0)
			for i, task := range m.tasks {
				if tt.unsettled(len(m.tasks) - 1 - i) {
					task.Status, task.Finished = "schedule", never
				}
			}
			p := &polled{model: m, interval: 100, limits: dayOfTen}
			var requests []int
			for range 4 {
				out, err := p.poll()
				if err != nil {
					t.Fatal(err)
				}
				if out.Obstacle != tt.obstacle || out.Full != (len(requests) == 0 || tt.obstacle != download.NoObstacle) {
					t.Errorf("full listing %t, obstacle %q", out.Full, out.Obstacle)
				}
				requests = append(requests, p.requests)
				p.now = p.now.Add(time.Minute)
			}
			if diff := cmp.Diff([]int{11, tt.requests, tt.requests, tt.requests}, requests); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Polls save requests again once enough tasks have ended.
func TestUnsettledTasksEnd(t *testing.T) {
	p := &polled{model: newModel(1, traits{order: newestFirst, size: 100, allFinish: true}, 0, 1_050), interval: 100, limits: dayOfTen}
	var requests []int
	for minute := range 4 {
		if minute == 2 {
			for _, task := range p.tasks {
				p.end(task, p.now)
			}
		}
		p.rows = nil
		if err := p.check(); err != nil {
			t.Fatal(err)
		}
		requests = append(requests, p.requests)
		p.now = p.now.Add(time.Minute)
	}
	if diff := cmp.Diff([]int{11, 11, 11, 1}, requests); diff != "" {
		t.Error(diff)
	}
}

// distinctTexts are a list whose rows share no texts.
type distinctTexts struct{ *model }

func (l distinctTexts) Page(num, size int) (dbsapi.Page[dbsapi.DownloadTask], error) {
	p, err := l.model.Page(num, size)
	p.Items = slices.Clone(p.Items)
	for i := range p.Items {
		p.Items[i].Name = strings.Repeat("x", 255) + p.Items[i].ID[:1]
		p.Items[i].BackupSetID = p.Items[i].Name[1:] + "b"
	}
	return p, err
}

// An incremental poll holds no texts of the tasks that have not changed, but for
// those that may get series.
func TestPollOfManyWaitingTasks(t *testing.T) {
	const waiting = 20_000
	m := newModel(1, traits{order: newestFirst, size: 100, allFinish: true}, 1_000, waiting)
	limits := download.Limits{CompletedWithin: time.Hour, MaxPerPlan: 100}
	var tracker download.Tracker
	poll := func() (largest int64) {
		m.now, m.requests = m.now.Add(time.Minute), 0
		before := heapAlloc()
		m.between = func() {
			if m.requests%50 == 0 {
				largest = max(largest, heapAlloc()-before)
			}
		}
		if _, err := tracker.Poll(download.Conditions{Now: m.now, Limits: limits}, distinctTexts{m}); err != nil {
			t.Fatal(err)
		}
		return largest
	}
	poll()
	if held := poll() / waiting; held > 256 || m.requests != waiting/100+1 {
		t.Errorf("%d bytes are held for a task in %d requests", held, m.requests)
	}
}
