package download_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"aliyun_dbs_exporter/dbsapi"
)

// model is a list of download tasks as the API might keep it. Its rows are
// written, ordered and cut into pages here, and nowhere by the code under test.
type model struct {
	rng *rand.Rand
	now time.Time
	traits

	tasks    []*modelTask
	next     int
	requests int
	// rows are those of the list until it changes.
	rows []dbsapi.DownloadTask
	// arrived and deleted count the tasks that came and went.
	arrived, deleted int
	// between is called before each request but the first of a poll.
	between func()
}

// traits are how an API behaves.
type traits struct {
	order listOrder
	// allFinish: no task fails.
	allFinish bool
	// size is how many rows it puts on a page, base the number of the first.
	size, base int
	// ownSize: the server sends pages of its own size, whatever is asked for.
	ownSize bool
	// beyond is what it answers beyond the end.
	beyond beyond
	// lie is added to the total. capped bounds it, if it is not 0. noTotal: the
	// API gives none.
	lie     int
	capped  int
	noTotal bool
	// repeated tasks are listed twice, withoutID rows have no ID.
	repeated, withoutID int
	// jitter, in milliseconds, makes creation times differ from the order of
	// arrival; absent times are one in so many.
	jitter, absent int
	// lookups that fail are one in so many, all if it is 1.
	lookups int
	// retention deletes ended tasks over this number, the oldest first.
	retention int
	// keep is how many of the oldest tasks are never deleted.
	keep int
	// deletions by hand and bursts of new tasks are one in so many polls.
	byHand, inBulk, bursts int
	arrivals               int
	// step is the time between polls.
	step time.Duration
	// restarts of tasks that had settled are one in so many polls.
	restarts int
}

type listOrder int

const (
	newestFirst listOrder = iota
	oldestFirst
	byModification
	byModificationLast
	shuffled
	numOrders
)

var orderNames = [...]string{"newest first", "oldest first", "by modification", "by modification, oldest first", "shuffled"}

func (o listOrder) String() string { return orderNames[o] }

type beyond int

const (
	empty beyond = iota
	emptyZero
	lastAgain
	firstAgain
	numBeyond
)

type modelTask struct {
	dbsapi.DownloadTask
	number   int
	modified time.Time
	key      uint64
	twice    bool
}

func newModel(seed uint64, t traits, ended, open int) *model {
	m := &model{rng: rand.New(rand.NewPCG(seed, 7)), now: now, traits: t}
	for i := range ended + open {
		created := m.now.Add(-time.Duration(ended+open-i) * 10 * time.Minute)
		task := m.add(created)
		if i < ended {
			m.end(task, created.Add(5*time.Minute))
		}
	}
	for range min(t.repeated, len(m.tasks)) {
		m.tasks[m.rng.IntN(len(m.tasks))].twice = true
	}
	return m
}

func (m *model) add(created time.Time) *modelTask {
	m.next++
	m.arrived++
	task := &modelTask{number: m.next, modified: created, key: m.rng.Uint64()}
	if m.jitter > 0 {
		created = created.Add(time.Duration(m.rng.IntN(2*m.jitter+1)-m.jitter) * time.Millisecond)
	}
	task.DownloadTask = dbsapi.DownloadTask{
		ID: fmt.Sprintf("t%d", m.next), Name: fmt.Sprintf("name %d", m.next), Status: "running", JobType: dbsapi.JobTypeFull,
		DataBytes: int64(m.next), Created: created, DBType: "MySQL",
	}
	if m.absent > 0 && m.rng.IntN(m.absent) == 0 {
		task.Created = never
	}
	m.tasks = append(m.tasks, task)
	return task
}

func (m *model) end(t *modelTask, at time.Time) {
	t.Status, t.Finished, t.modified = "finish", at, at
	if m.allFinish {
		return
	}
	switch m.rng.IntN(12) {
	case 0:
		t.Status = "stop"
	case 1:
		t.Status, t.Finished = "stop", never
	}
}

// one reports whether something happens that does so one time in n; never if n
// is 0.
func (m *model) one(n int) bool { return n > 0 && m.rng.IntN(n) == 0 }

// live lets the time between two polls pass. In a list without an order, tasks
// do not arrive in the interval in which others are deleted: the rule cannot
// tell them apart.
func (m *model) live() {
	m.now, m.rows = m.now.Add(m.step), nil
	deleting := m.order != shuffled || m.rng.IntN(2) == 0
	if m.order != shuffled || !deleting {
		if m.one(m.arrivals) {
			m.add(m.now.Add(-time.Second))
		}
		if m.one(m.bursts) {
			for range 1 + m.rng.IntN(3*m.size) {
				m.add(m.now.Add(-time.Second))
			}
		}
	}
	for _, t := range m.tasks {
		m.proceed(t)
	}
	if m.one(m.restarts) && len(m.tasks) > 0 {
		t := m.tasks[m.rng.IntN(len(m.tasks))]
		t.Status, t.Finished, t.modified = "running", never, m.now
	}
	if !deleting {
		return
	}
	if m.one(m.byHand) {
		m.remove(m.rng.IntN(len(m.tasks)+1), 1)
	}
	if m.one(m.inBulk) {
		m.remove(m.rng.IntN(len(m.tasks)+1), 1+m.rng.IntN(2*m.size))
	}
	m.retain()
}

func (m *model) proceed(t *modelTask) {
	switch t.Status {
	case "running", "schedule", "checking":
		switch m.rng.IntN(8) {
		case 0:
			m.end(t, m.now.Add(-time.Duration(m.rng.IntN(1000))*time.Millisecond))
		case 1:
			t.Status, t.modified = []string{"running", "schedule", "checking", "pause", "init", "archived"}[m.rng.IntN(6)], m.now
		}
	case "pause", "init", "archived", "stop":
		if m.now.Sub(t.modified) < 20*time.Hour && m.one(20) {
			t.Status, t.Finished, t.modified = "running", never, m.now
		}
	}
}

func (m *model) remove(from, n int) {
	for i := min(from, len(m.tasks)); i < len(m.tasks) && n > 0; n-- {
		if m.tasks[i].twice {
			i++
			continue
		}
		m.tasks = slices.Delete(m.tasks, i, i+1)
		m.deleted++
	}
}

func (m *model) retain() {
	if m.retention == 0 {
		return
	}
	ended := 0
	for _, t := range m.tasks {
		if t.Status == "finish" || t.Status == "stop" {
			ended++
		}
	}
	skip := m.keep
	for i := 0; i < len(m.tasks) && ended > m.retention; {
		t := m.tasks[i]
		if t.Status != "finish" && t.Status != "stop" || t.twice {
			i++
			continue
		}
		if skip > 0 {
			skip--
			i++
			continue
		}
		m.tasks = slices.Delete(m.tasks, i, i+1)
		m.deleted++
		ended--
	}
}
