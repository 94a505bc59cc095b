package dbssim

import (
	"fmt"
	"time"
)

// Life makes download tasks that move on as time passes: each is created,
// prechecked, queued and run, and then finishes, fails or stays where it got
// stuck. A task is a function of time alone; [Life.History] lists them.
type Life struct {
	// Name seeds sizes and IDs; two lives of the same name make the same tasks.
	Name string
	// Start is when the first task was created, and Every how long each next one comes after it.
	Start time.Time
	Every time.Duration
	// JobType, DBType, Format and Way describe every task.
	JobType, DBType, Format, Way string
	// GatewayID is the backup gateway of automatic downloads.
	GatewayID int64
	// Outages are those of the gateway: meanwhile no download starts or goes on.
	Outages Outages
	// MinBytes and MaxBytes bound the sizes, BytesPerSecond is the speed of a download.
	MinBytes, MaxBytes, BytesPerSecond int64
	// Checking and Queued are how long the precheck takes and how long a task waits after it.
	Checking, Queued time.Duration
	// Every so many tasks one fails, stays paused, or fails its precheck; 0 means none does.
	FailEvery, PauseEvery, PrecheckEvery int
}

// History returns the list of the tasks. It moves on with the times that it is
// asked for, which must not go back.
func (l Life) History(order Order, retention Retention) *History {
	return &History{order: order, retention: retention, life: &follower{life: l}}
}

// follower remembers which part of a life was seen.
type follower struct {
	life Life
	// next is the number of the first task that was not seen.
	next int
	// open are the tasks that can still change.
	open []openTask
}

// openTask is a task as it was seen last.
type openTask struct {
	number int
	status string
}

// advance returns the tasks that are new or have changed. If newest is over 0, it
// skips the new ones before that many. A change of a task that is no longer listed
// is skipped, too.
func (f *follower) advance(now time.Time, newest int, listed func(id string) bool) []Task {
	var tasks []Task
	seen := f.open
	f.open = nil
	for _, o := range seen {
		t := f.life.task(o.number, now)
		if t.Status != o.status {
			if !listed(t.ID) {
				continue
			}
			tasks = append(tasks, t)
		}
		f.follow(o.number, t)
	}
	created := f.life.created(now)
	if newest > 0 {
		f.next = max(f.next, created-newest)
	}
	for ; f.next < created; f.next++ {
		t := f.life.task(f.next, now)
		tasks = append(tasks, t)
		f.follow(f.next, t)
	}
	return tasks
}

// follow keeps an eye on a task that can still change.
func (f *follower) follow(number int, t Task) {
	switch t.Status {
	case "finish", "stop", "init", "pause":
	default:
		f.open = append(f.open, openTask{number: number, status: t.Status})
	}
}

// created returns how many tasks were created until a time.
func (l Life) created(now time.Time) int {
	if now.Before(l.Start) {
		return 0
	}
	return int(now.Sub(l.Start)/l.Every) + 1
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
	started := l.Outages.After(checked.Add(l.Queued), 0)
	ended := l.Outages.After(started, running)

	switch {
	case now.Before(checked):
		return "checking", time.Time{}
	case every(i, l.PrecheckEvery):
		return "init", time.Time{}
	case now.Before(passed):
		return "check_pass", time.Time{}
	case now.Before(started):
		return "schedule", time.Time{}
	case every(i, l.FailEvery) && now.After(l.Outages.After(started, running/3)):
		return "stop", l.Outages.After(started, running/3)
	case every(i, l.PauseEvery) && now.After(l.Outages.After(started, running/2)):
		return "pause", time.Time{}
	case now.Before(ended):
		return "running", time.Time{}
	}
	return "finish", ended
}

// every reports whether the i-th task is one of each n; the first is not.
func every(i, n int) bool { return n > 0 && i%n == n-1 }

func (l Life) hash(i int) uint64 { return mix(fmt.Sprintf("%s/%d", l.Name, i)) }
