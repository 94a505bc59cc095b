package dbssim

import (
	"fmt"
	"hash/fnv"
	"time"
)

// Life makes download tasks that move on as time passes: every one is created, prechecked, queued and run, and then
// finishes, fails or stays where it got stuck. It is a function of time alone, so that nothing needs to be stored.
type Life struct {
	// Name seeds sizes and IDs; two lives of the same name make the same tasks.
	Name string
	// Start is when the first task was created, and Every how long each next one comes after it.
	Start time.Time
	Every time.Duration
	// Keep is how many tasks the API remembers, newest first.
	Keep int
	// JobType, DBType, Format and Way describe every task.
	JobType, DBType, Format, Way string
	// GatewayID is the backup gateway of automatic downloads.
	GatewayID int64
	// MinBytes and MaxBytes bound the sizes, BytesPerSecond is the speed of a download.
	MinBytes, MaxBytes, BytesPerSecond int64
	// Checking and Queued are how long the precheck takes and how long a task waits after it.
	Checking, Queued time.Duration
	// Every so many tasks one fails, stays paused, or fails its precheck; 0 means none does.
	FailEvery, PauseEvery, PrecheckEvery int
}

// Tasks returns the tasks that exist at a time, newest first.
func (l Life) Tasks(now time.Time) []Task {
	if now.Before(l.Start) {
		return nil
	}
	newest := int(now.Sub(l.Start) / l.Every)
	tasks := make([]Task, 0, l.Keep)
	for i := newest; i >= 0 && len(tasks) < l.Keep; i-- {
		tasks = append(tasks, l.task(i, now))
	}
	return tasks
}

// task returns the i-th task as it is at a time.
func (l Life) task(i int, now time.Time) Task {
	hash := l.hash(i)
	kind := "Full"
	if l.JobType == "cbs_backup_sub_cont" {
		kind = "Cont"
	}
	way := "Manual"
	if l.Way == "auto" {
		way = "Auto"
	}
	setID := fmt.Sprintf("%013x", hash>>12)
	t := Task{
		ID:          fmt.Sprintf("u%012x", hash>>16),
		Name:        setID + "-" + way + kind,
		BackupSetID: setID,
		JobType:     l.JobType,
		DBType:      l.DBType,
		Format:      l.Format,
		Way:         l.Way,
		GatewayID:   l.GatewayID,
		Bytes:       l.MinBytes + int64(hash%uint64(l.MaxBytes-l.MinBytes+1)),
		Created:     l.Start.Add(time.Duration(i) * l.Every),
	}
	if l.Way == "auto" {
		t.TargetType = "agent"
	}
	t.Status, t.Finished = l.status(i, t, now)
	return t
}

// status returns where the i-th task is at a time, and when it ended.
func (l Life) status(i int, t Task, now time.Time) (string, time.Time) {
	running := time.Duration(float64(t.Bytes) / float64(l.BytesPerSecond) * float64(time.Second))
	checked := t.Created.Add(l.Checking)
	passed := checked.Add(l.Queued / 4)
	started := checked.Add(l.Queued)
	ended := started.Add(running)

	switch {
	case now.Before(checked):
		return "checking", time.Time{}
	case every(i, l.PrecheckEvery):
		return "init", time.Time{}
	case now.Before(passed):
		return "check_pass", time.Time{}
	case now.Before(started):
		return "schedule", time.Time{}
	case every(i, l.FailEvery) && now.After(started.Add(running/3)):
		return "stop", started.Add(running / 3)
	case every(i, l.PauseEvery) && now.After(started.Add(running/2)):
		return "pause", time.Time{}
	case now.Before(ended):
		return "running", time.Time{}
	}
	return "finish", ended
}

// every reports whether the i-th task is one of each n; the first is not.
func every(i, n int) bool { return n > 0 && i%n == n-1 }

func (l Life) hash(i int) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s/%d", l.Name, i)
	// FNV alone leaves neighbouring numbers alike in the high bits.
	x := h.Sum64()
	x ^= x >> 31
	x *= 0x9e3779b97f4a7c15
	return x ^ x>>29
}
