package download_test

import (
	"fmt"
	"iter"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"aliyun_dbs_exporter/collector/download"
	"aliyun_dbs_exporter/dbsapi"
)

// answerBytes is the size of the texts that rows are cut from in these tests.
const answerBytes = 1 << 20

// A listing holds on to none of the answers that it was decoded from.
func TestListingFreesAnswers(t *testing.T) {
	before := heapAlloc()
	b := download.NewBuilder(download.Limits{CompletedWithin: time.Hour, MaxPerPlan: 20}, now)
	for i := range 64 {
		text := fmt.Sprintf("%020d", i) + strings.Repeat("x", answerBytes)
		r := row(text[:20], text[:20], now, never)
		r.Name, r.BackupSetID, r.DBType, r.DataFormat = text[:300], text[1:20], text[2:20], text[3:20]
		r.Way, r.TargetType, r.GatewayID = text[4:20], text[5:20], text[6:20]
		b.Add([]dbsapi.DownloadTask{r, row(text[10:20], "finish", now, now)})
	}
	l, err := b.Listing(-1, false)
	if err != nil {
		t.Fatal(err)
	}
	var ends download.Ends
	ends.Update(b, now)
	if grown := heapAlloc() - before; grown > answerBytes/2 {
		t.Errorf("%d bytes are held", grown)
	}
	runtime.KeepAlive(l)
	runtime.KeepAlive(&ends)
}

// A Builder frees the rows behind the limit while it still takes pages.
func TestBuilderFreesRows(t *testing.T) {
	before := heapAlloc()
	b := download.NewBuilder(download.Limits{CompletedWithin: time.Hour, MaxPerPlan: 4}, now)
	for i := range 64 {
		r := row(fmt.Sprint(i), "stop", now, never)
		r.Name = strings.Repeat("x", answerBytes)[:20]
		b.Add([]dbsapi.DownloadTask{r})
	}
	if grown := heapAlloc() - before; grown > 9*answerBytes {
		t.Errorf("%d bytes are held", grown)
	}
	runtime.KeepAlive(b)
}

// A flood of rows with long texts holds less than 64 MiB for a plan, so that
// four plans that are polled at a time stay under 256 MiB.
func TestFloodOfLongTexts(t *testing.T) {
	before := heapAlloc()
	b := download.NewBuilder(download.Limits{CompletedWithin: time.Hour, MaxPerPlan: 100}, now)
	const pages = 1000 // at which the client ends a list
	padding := strings.Repeat("x", 1<<10)
	for page := range pages {
		rows := make([]dbsapi.DownloadTask, dbsapi.PageSize)
		for i := range rows {
			rows[i] = row(fmt.Sprint(page, "-", i, padding), "finish", now, now)
			rows[i].Name = padding
		}
		b.Add(rows)
	}
	if grown := heapAlloc() - before; grown > 64<<20 {
		t.Errorf("%d MiB are held", grown>>20)
	}
	runtime.KeepAlive(b)
}

// longTexts are a list whose texts fill the memory that an answer may take.
type longTexts struct{ *model }

func (l longTexts) Page(num, size int) (dbsapi.Page[dbsapi.DownloadTask], error) {
	p, err := l.model.Page(num, size)
	p.Items = slices.Clone(p.Items)
	for i := range p.Items {
		p.Items[i].Name = strings.Repeat("x", 80<<10)
	}
	return p, err
}

// An incremental poll holds on to no answers: ten of them would take 80 MiB here.
func TestPollFreesAnswers(t *testing.T) {
	m := newModel(1, traits{order: newestFirst, size: 100, allFinish: true}, 1_000, 5)
	for i := 100; i < 1_000; i += 100 { // a page of its own for each two
		for _, task := range m.tasks[i : i+2] {
			task.Status, task.Finished = "running", never
		}
	}
	var tracker download.Tracker
	largest := int64(0)
	before := heapAlloc()
	m.between = func() { largest = max(largest, heapAlloc()-before) }
	for range 3 {
		m.now, m.rows, m.requests = m.now.Add(time.Minute), nil, 0
		if _, err := tracker.Poll(download.Conditions{Now: m.now, Limits: dayOfTen}, longTexts{m}); err != nil {
			t.Fatal(err)
		}
	}
	if m.requests < 10 || largest > 24<<20 {
		t.Errorf("%d MiB are held after %d requests", largest>>20, m.requests)
	}
}

// pages is a list that is read whole.
type pages [][]dbsapi.DownloadTask

func (p pages) Pages() iter.Seq2[dbsapi.Page[dbsapi.DownloadTask], error] {
	return func(yield func(dbsapi.Page[dbsapi.DownloadTask], error) bool) {
		for i, rows := range p {
			if !yield(dbsapi.Page[dbsapi.DownloadTask]{Number: i, Requested: i, Items: rows, TotalElements: int64(100 * len(p))}, nil) {
				return
			}
		}
	}
}

func (p pages) Page(num, _ int) (dbsapi.Page[dbsapi.DownloadTask], error) {
	return dbsapi.Page[dbsapi.DownloadTask]{Items: p[num], TotalElements: int64(100 * len(p))}, nil
}

func (pages) Task(string) (dbsapi.DownloadTask, bool, error) {
	return dbsapi.DownloadTask{}, false, nil
}

// A million tasks without series, with IDs of 23 bytes, fit a process of 200 MB.
// 30 MB are its base: code, stacks, the runtime, and what plans take without
// tasks. The rest is halved, because with GOGC=100 the heap doubles between two
// collections of garbage; the 75 of the exporter leaves room for its polls.
func TestMemoryOfATask(t *testing.T) {
	const limit = (200 - 30) / 2 // bytes for each task, MB for a million
	before := heapAlloc()
	const plans, tasks = 100, 1000
	trackers := make([]download.Tracker, plans)
	old := download.Conditions{Now: now.Add(48 * time.Hour), Limits: dayOfTen}
	list := pages(history(tasks / 100))
	for i := range trackers {
		for range 2 {
			if _, err := trackers[i].Poll(old, list); err != nil {
				t.Fatal(err)
			}
		}
	}
	perTask := float64(heapAlloc()-before) / plans / tasks
	t.Logf("a task takes %.1f bytes", perTask)
	if perTask > limit {
		t.Errorf("a million tasks take more than %d MB", limit)
	}
	runtime.KeepAlive(trackers)
}

// Tasks that are all replaced with every poll leave little besides the last ones,
// which take 6 MB.
func TestFloodOfNewTasks(t *testing.T) {
	before := heapAlloc()
	var ends download.Ends
	for n := range 3 {
		update(&ends, now.Add(time.Duration(n)*time.Minute), finished(n*longest, longest)...)
	}
	if grown := heapAlloc() - before; grown > 16<<20 {
		t.Errorf("%d MiB are held", grown>>20)
	}
	runtime.KeepAlive(&ends)
}

// heapAlloc returns the bytes of memory that are reachable.
func heapAlloc() int64 {
	runtime.GC()
	runtime.GC() // what finalizers and pools held
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
