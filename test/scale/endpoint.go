package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"aliyun_dbs_exporter/dbsapi/dbssim"
)

// The key of the simulated account.
const (
	keyID     = "key"
	keySecret = "secret"
)

// endpoint is a simulated API that counts the requests about each plan.
type endpoint struct {
	*httptest.Server
	simulator *dbssim.Simulator
	plans     []*plan

	mu       sync.Mutex
	requests map[string]int // by the ID of the plan
}

// plan is a backup plan whose downloads follow each other: as one ends, another
// one begins. It keeps as many as it has at the start.
type plan struct {
	id      string
	number  int
	history *dbssim.History
	next    int
	open    []dbssim.Task // oldest first
}

// newEndpoint serves plans. The requests of each are counted by its ID, or by that
// of a task, which begins with the number of the plan.
func newEndpoint(plans ...*plan) *endpoint {
	account := dbssim.Account{AccessKeyID: keyID, AccessKeySecret: keySecret}
	for _, p := range plans {
		account.Plans = append(account.Plans, dbssim.Plan{ID: p.id, Name: p.id, Region: "cn-hangzhou", Tasks: p.history.Tasks})
	}
	e := &endpoint{plans: plans, simulator: dbssim.New(nil, account), requests: make(map[string]int)}
	e.Server = httptest.NewServer(http.HandlerFunc(e.count))
	return e
}

// ids returns the IDs of all plans.
func (e *endpoint) ids() []string {
	var ids []string
	for _, p := range e.plans {
		ids = append(ids, p.id)
	}
	return ids
}

func (e *endpoint) count(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	id := query.Get("BackupPlanId")
	if task := query.Get("BackupSetDownloadTaskId"); len(task) > 5 {
		id = planID(task[1:5])
	}
	e.mu.Lock()
	e.requests[id]++
	e.mu.Unlock()
	e.simulator.ServeHTTP(w, r)
}

// counts returns how many requests came for a plan, and for all of them.
func (e *endpoint) counts(id string) (one, all int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, n := range e.requests {
		all += n
	}
	return e.requests[id], all
}

// planID returns the ID of a plan of that number in four hexadecimal digits. It
// looks as the API's do.
func planID(number string) string { return "dbsscale" + number }

// newPlan returns a plan with tasks that ended, one each hour, and with tasks that
// are open.
func newPlan(number int, order dbssim.Order, ended, open int) *plan {
	now := time.Now()
	p := &plan{id: planID(fmt.Sprintf("%04x", number)), number: number}
	var tasks []dbssim.Task
	for i := range ended {
		tasks = append(tasks, finished(p.task(now.Add(-time.Duration(ended-i)*time.Hour)), 40*time.Minute))
	}
	for i := range open {
		p.open = append(p.open, p.task(now.Add(-time.Duration(open-i)*time.Minute)))
	}
	p.history = dbssim.NewHistory(order, dbssim.Retention{Newest: ended + open}, append(tasks, p.open...)...)
	return p
}

// task makes the next task of a plan, running since a time. IDs and names are as
// long as the API's.
func (p *plan) task(created time.Time) dbssim.Task {
	p.next++
	set := fmt.Sprintf("%04x%09x", p.number, p.next)
	return dbssim.Task{
		ID: fmt.Sprintf("u%04x%08x", p.number, p.next), Name: set + "-AutoCont", BackupSetID: set, Status: "running",
		JobType: "cbs_backup_sub_cont", DBType: "MySQL", Format: "Native", Way: "auto", GatewayID: 160813,
		Bytes: 1e9 + int64(p.next), Created: created,
	}
}

func finished(t dbssim.Task, after time.Duration) dbssim.Task {
	t.Status, t.Finished = "finish", t.Created.Add(after)
	return t
}

// step ends the oldest open task and begins one, which makes the API forget the
// oldest of all.
func (p *plan) step() {
	now := time.Now()
	ends, begins := p.open[0], p.task(now)
	p.open = append(p.open[1:], begins)
	p.history.Put(finished(ends, now.Sub(ends.Created)), begins)
}

// content is what can be read of a plan's list on the metrics page.
type content struct {
	finished, running           float64
	finishedBytes, runningBytes float64
}

// content returns the truth.
func (p *plan) content() (c content) {
	for _, t := range p.history.Tasks(time.Now()) {
		if t.Status == "finish" {
			c.finished++
			c.finishedBytes += float64(t.Bytes)
		} else {
			c.running++
			c.runningBytes += float64(t.Bytes)
		}
	}
	return c
}

// content returns what the exporter says.
func (s samples) content(plan string) (c content) {
	c.finished, _ = s.ofPlan("aliyun_dbs_download_tasks", plan, "finish")
	c.running, _ = s.ofPlan("aliyun_dbs_download_tasks", plan, "running")
	c.finishedBytes, _ = s.ofPlan("aliyun_dbs_download_data_bytes", plan, "finish")
	c.runningBytes, _ = s.ofPlan("aliyun_dbs_download_data_bytes", plan, "running")
	return c
}
