package collector_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"

	"aliyun_dbs_exporter/collector"
	"aliyun_dbs_exporter/collector/config"
	"aliyun_dbs_exporter/collector/poll"
	"aliyun_dbs_exporter/dbsapi/dbssim"
	"aliyun_dbs_exporter/dbsapi/dbssim/simtest"
)

// fixture is an exporter without its pages against a simulator, inside a
// synctest bubble.
type fixture struct {
	*testing.T
	sim      *dbssim.Simulator
	network  *simtest.Network
	poller   *poll.Poller
	reloader *config.Reloader
	registry *prometheus.Registry
	log      *lockedBuffer
	// file is the configuration file's text, or nothing if it is gone.
	file string
}

// lockedBuffer is a buffer that several goroutines may write to.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// lines returns the log lines that hold a text.
func (b *lockedBuffer) lines(text string) []string {
	var lines []string
	for line := range strings.Lines(b.String()) {
		if strings.Contains(line, text) {
			lines = append(lines, line)
		}
	}
	return lines
}

// account is what the collectors of tests poll.
func account(plans ...dbssim.Plan) dbssim.Account {
	return dbssim.Account{AccessKeyID: simtest.KeyID, AccessKeySecret: simtest.KeySecret, SecurityToken: simtest.KeyToken, Plans: plans}
}

// newFixture serves the simulator in memory and makes an exporter of it.
func newFixture(t *testing.T, sim *dbssim.Simulator, c simtest.Config) *fixture {
	t.Helper()
	f := &fixture{T: t, sim: sim, network: simtest.Serve(t, sim), log: new(lockedBuffer)}
	f.restart(c, poll.Shard{})
	return f
}

// restart makes a new exporter, as a new process would.
func (f *fixture) restart(c simtest.Config, shard poll.Shard) {
	f.Helper()
	f.start(c, poll.Options{Dial: f.network.Dial, Shard: shard})
}

func (f *fixture) start(c simtest.Config, o poll.Options) {
	f.Helper()
	instruments := collector.NewInstruments()
	polled := o.Hooks.Polled
	o.Hooks = instruments.Hooks()
	o.Hooks.Polled = polled
	f.poller = poll.New(o, log.NewLogfmtLogger(f.log))
	f.reloader = config.NewReloader(f.load, f.poller.Apply, log.NewNopLogger())
	f.apply(c)
	f.registry = prometheus.NewPedanticRegistry()
	f.registry.MustRegister(collector.New(f.poller.Snapshot, f.reloader.Last, instruments))
}

func (f *fixture) load() (*config.Config, error) { return config.Parse([]byte(f.file), "test.yml") }

// apply puts another configuration into use and lets everything settle.
func (f *fixture) apply(c simtest.Config) {
	f.Helper()
	f.file = c.String()
	if err := f.reloader.Reload(); err != nil {
		f.Fatal(err)
	}
	synctest.Wait()
}

// moment is enough for a few requests at 1,000 a second.
const moment = 100 * time.Millisecond

// run polls until the test ends or stop is called, and waits for the first
// polls.
func (f *fixture) run() (stop func()) {
	ctx, cancel := context.WithCancel(f.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); f.poller.Run(ctx) }()
	stop = func() { cancel(); <-ended }
	f.Cleanup(stop)
	f.pass(moment)
	return stop
}

// pass lets time pass, and everything settle that is to happen by then.
func (f *fixture) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// page returns the metrics page.
func (f *fixture) page() string {
	f.Helper()
	families, err := f.registry.Gather()
	if err != nil {
		f.Fatal(err)
	}
	var text bytes.Buffer
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(&text, family); err != nil {
			f.Fatal(err)
		}
	}
	return text.String()
}

// samples returns the page's samples in its own notation, by series as [series] writes them.
func (f *fixture) samples() map[string]string {
	f.Helper()
	samples := make(map[string]string)
	for line := range strings.Lines(f.page()) {
		if rest, ok := strings.CutPrefix(line, "aliyun_dbs_"); ok {
			i := strings.LastIndex(rest, " ")
			samples[series(rest[:i])] = strings.TrimSpace(rest[i:])
		}
	}
	return samples
}

// series sorts the labels of a series; their values have no commas here.
func series(text string) string {
	name, labels, _ := strings.Cut(strings.TrimSuffix(text, "}"), "{")
	pairs := strings.Split(labels, ",")
	slices.Sort(pairs)
	return name + "{" + strings.Join(pairs, ",") + "}"
}

// expect compares samples. Names are without their prefix, the labels in any order; the value may be "absent".
func (f *fixture) expect(want map[string]string) {
	f.Helper()
	samples := f.samples()
	got := make(map[string]string)
	for name := range want {
		value, ok := samples[series(name)]
		if !ok {
			value = "absent"
		}
		got[name] = value
	}
	if diff := cmp.Diff(want, got); diff != "" {
		f.Error(diff)
	}
}

// lint makes sure that all metrics follow the naming rules.
func (f *fixture) lint() {
	f.Helper()
	problems, err := testutil.GatherAndLint(f.registry)
	if err != nil {
		f.Fatal(err)
	}
	for _, p := range problems {
		f.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// tasks makes a number of finished tasks with IDs that start alike.
func tasks(prefix string, n int) []dbssim.Task {
	list := make([]dbssim.Task, n)
	for i := range list {
		list[i] = dbssim.Task{ID: fmt.Sprintf("%s%03d", prefix, i), Status: "finish", Bytes: 1000}
	}
	return list
}

// plan returns the state of a plan.
func (f *fixture) plan(id string) poll.Plan {
	f.Helper()
	for _, target := range f.poller.Snapshot().Targets {
		for _, p := range target.Plans {
			if p.ID == id {
				return p
			}
		}
	}
	f.Fatalf("no plan %s is polled", id)
	return poll.Plan{}
}

// until lets time pass until something is true, at most two hours.
func (f *fixture) until(what string, reached func() bool) {
	f.Helper()
	for range 2 * 60 * 60 * 10 {
		if reached() {
			return
		}
		f.pass(moment)
	}
	f.Fatalf("not reached: %s", what)
}

// polled waits for the end of a plan's next poll.
func (f *fixture) polled(id string) {
	f.Helper()
	before := f.plan(id).Poll.Polls
	f.until("a poll of "+id, func() bool { return f.plan(id).Poll.Polls > before })
}

// at is a time as the page has it.
func at(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'g', -1, 64) }
