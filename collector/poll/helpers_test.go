package poll_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"

	"aliyun_dbs_exporter/collector/config"
	"aliyun_dbs_exporter/collector/poll"
	"aliyun_dbs_exporter/dbsapi/dbssim"
	"aliyun_dbs_exporter/dbsapi/dbssim/simtest"
)

// epoch is where time starts in a synctest bubble.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// fixture is a poller of a simulated API, inside a synctest bubble.
type fixture struct {
	*testing.T
	// sim is nil if something else serves.
	sim    *dbssim.Simulator
	poller *poll.Poller
}

func account(plans ...dbssim.Plan) dbssim.Account {
	return dbssim.Account{AccessKeyID: simtest.KeyID, AccessKeySecret: simtest.KeySecret, SecurityToken: simtest.KeyToken, Plans: plans}
}

func newFixture(t *testing.T, server http.Handler, c simtest.Config) *fixture {
	t.Helper()
	f := &fixture{T: t}
	f.sim, _ = server.(*dbssim.Simulator)
	f.poller = poll.New(poll.Options{Dial: simtest.Serve(t, server).Dial}, log.NewNopLogger())
	f.apply(c)
	return f
}

func parse(t testing.TB, c simtest.Config) *config.Config {
	t.Helper()
	parsed, err := config.Parse([]byte(c.String()), "test.yml")
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func (f *fixture) apply(c simtest.Config) {
	f.Helper()
	if err := f.poller.Apply(parse(f, c)); err != nil {
		f.Fatal(err)
	}
	synctest.Wait()
}

// run polls until the test ends.
func (f *fixture) run() {
	ctx, cancel := context.WithCancel(f.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); f.poller.Run(ctx) }()
	f.Cleanup(func() { cancel(); <-ended })
	synctest.Wait()
}

// pass lets time pass, and everything settle that is to happen by then.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// target returns the state of the first target.
func (f *fixture) target() poll.Target { return f.poller.Snapshot().Targets[0] }

// plan returns the state of a plan of the first target.
func (f *fixture) plan(id string) poll.Plan {
	f.Helper()
	for _, p := range f.target().Plans {
		if p.ID == id {
			return p
		}
	}
	f.Fatalf("no plan %s is polled", id)
	return poll.Plan{}
}

// until lets time pass in steps until something is true, and returns how long
// that took; more than limit is an error.
func (f *fixture) until(limit, step time.Duration, reached func() bool) time.Duration {
	f.Helper()
	start := time.Now()
	for !reached() {
		if time.Since(start) >= limit {
			f.Fatalf("not reached within %v", limit)
		}
		pass(step)
	}
	return time.Since(start)
}

// tasks makes finished tasks.
func tasks(prefix string, n int) []dbssim.Task {
	list := make([]dbssim.Task, n)
	for i := range list {
		list[i] = dbssim.Task{
			ID: fmt.Sprintf("%s%05d", prefix, i), Status: "finish", Bytes: 1000,
			Created: epoch.Add(-2 * time.Hour), Finished: epoch.Add(-time.Hour),
		}
	}
	return list
}
