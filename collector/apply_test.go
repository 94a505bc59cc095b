package collector_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/collector/poll"
	"aliyun_dbs_exporter/dbsapi/dbssim"
	"aliyun_dbs_exporter/dbsapi/dbssim/simtest"
)

// planIDs returns the plans that have any series.
func (f *fixture) planIDs() string {
	var ids []string
	for _, id := range []string{"dbsa", "dbsb", "dbsc", "dbsd"} {
		if strings.Contains(f.page(), `plan_id="`+id+`"`) {
			ids = append(ids, id)
		}
	}
	return strings.Join(ids, " ")
}

// Plans that stay keep data, counters and schedule; new ones are polled at once;
// removed ones take their series with them.
func TestApply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var list taskList
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa", Tasks: list.tasks}, dbssim.Plan{ID: "dbsb"}, dbssim.Plan{ID: "dbsc"}))
		f := newFixture(t, sim, simtest.Plans("", "dbsa", "dbsb"))
		f.run()
		list.set(dbssim.Task{ID: "a", Status: "finish", Created: ago(time.Hour), Finished: epoch.Add(time.Second)})
		f.polled("dbsa")
		f.expect(counters("1", "0"))
		due := f.plan("dbsa").Poll.Due

		f.pass(10 * time.Second)
		f.apply(simtest.Plans("", "dbsa, name: renamed, max_success_age: 1h", "dbsc"))
		f.pass(moment)
		if got := f.planIDs(); got != "dbsa dbsc" {
			t.Errorf("plans are %s", got)
		}
		f.expect(counters("1", "0"))
		f.expect(map[string]string{
			"polls_total" + plan("dbsa"): "2",
			"polls_total" + plan("dbsc"): "1",
			"plan_info" + planWith("dbsa", `plan_name="renamed",database_type="",resource_group_id=""`): "1",
			"download_max_success_age_seconds" + plan("dbsa"):                                           "3600",
			"exporter_config_last_reload_successful{}":                                                  "1",
		})
		if got := f.plan("dbsa").Poll.Due; !got.Equal(due) {
			t.Errorf("the poll that was due at %v is due at %v after the reload", due, got)
		}

		// A plan that comes back has no past: it is not known what ended meanwhile.
		f.apply(simtest.Plans("", "dbsc"))
		f.apply(simtest.Plans("", "dbsa", "dbsc"))
		f.pass(moment)
		f.expect(counters("0", "0"))
		f.expect(map[string]string{"polls_total" + plan("dbsa"): "1"})
		f.lint()
	})
}

// A shorter interval takes effect at once, and so does a longer one after the
// poll that was due. Neither makes a skipped poll.
func TestApplyInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa"}))
		f := newFixture(t, sim, simtest.Plans("poll_interval: 1h", "dbsa"))
		f.run()
		f.pass(time.Minute)
		f.apply(simtest.Plans("poll_interval: 10s", "dbsa"))
		f.pass(10*time.Second + moment)
		f.expect(map[string]string{"polls_total" + plan("dbsa"): "2", "exporter_poll_interval_seconds{}": "10"})
		f.pass(50 * time.Second)
		f.expect(map[string]string{"polls_total" + plan("dbsa"): "7"})
		f.apply(simtest.Plans("poll_interval: 1h", "dbsa"))
		f.pass(29 * time.Minute)
		f.expect(map[string]string{"polls_total" + plan("dbsa"): "8", "polls_skipped_total" + target: "0"})
	})
}

// Shortening the interval during a slow poll neither makes the exporter
// unhealthy nor counts polls that were never due as skipped.
func TestApplyIntervalDuringSlowPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa"}))
		f := newFixture(t, sim, simtest.Plans("poll_interval: 10m\npoll_timeout: 10m", "dbsa"))
		f.run()
		sim.SetFault("dbsa", dbssim.Fault{Delay: 4 * time.Minute})
		f.until("a poll runs", func() bool { return f.plan("dbsa").Poll.Running })
		f.apply(simtest.Plans("poll_interval: 5s", "dbsa"))
		for range 4 {
			f.pass(4 * time.Second)
			if err := f.poller.Healthy(); err != nil {
				t.Fatal(err)
			}
		}
		if got := f.poller.Snapshot().Targets[0].Skipped; got > 3 {
			t.Errorf("%d polls are skipped 16 s after the interval became 5 s", got)
		}
	})
}

// A reload that changes how requests leave the machine does not change the
// identity: the keys stay until they expire, and the default chain stays with its
// source while that refuses.
func TestApplyKeepsTheIdentity(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("ALIBABA_CLOUD_CREDENTIALS_URI", "http://localhost/")
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa"}))
		instance, other := dbssim.NewTokens(sim, time.Hour), dbssim.NewTokens(sim, time.Hour)
		mux := http.NewServeMux()
		mux.Handle("100.100.100.200/", instance.Metadata("reader", simtest.KeyID))
		mux.Handle("localhost/", other.URI(simtest.KeyID))
		mux.Handle("/", sim)
		f := &fixture{T: t, sim: sim, network: simtest.Serve(t, mux), log: new(lockedBuffer)}
		c := simtest.Plans("poll_interval: 1m", "dbsa")
		c.Targets[0].Credentials = "{type: default}"
		f.restart(c, poll.Shard{})
		f.run()
		f.expect(map[string]string{"poll_success" + plan("dbsa"): "1"})

		instance.SetFault(new(dbssim.Failing(http.StatusNotFound, "")))
		c.Top += "\nhttp_client: {tls_config: {min_version: TLS13}}"
		f.apply(c)
		f.pass(58 * time.Minute)
		f.expect(map[string]string{"poll_success" + plan("dbsa"): "1"})
		f.pass(5 * time.Minute)
		f.expect(map[string]string{"poll_success" + plan("dbsa"): "0"})
		if n := other.Calls(); n > 0 {
			t.Errorf("the next source was asked %d times", n)
		}

		instance.SetFault(nil)
		f.pass(2 * time.Minute)
		f.expect(map[string]string{"poll_success" + plan("dbsa"): "1"})
	})
}

// Targets come and go with all their series, also while a poll hangs.
func TestApplyTargets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa"}, dbssim.Plan{ID: "dbsb"}))
		one := simtest.Target{Plans: []string{"dbsa"}}
		other := simtest.Target{Account: "other", RegionID: "cn-shanghai", Plans: []string{"dbsb"}}
		f := newFixture(t, sim, simtest.Config{Targets: []simtest.Target{one}})
		f.run()
		sim.SetFault("dbsa", dbssim.Fault{Delay: time.Hour})
		f.until("a poll runs", func() bool { return f.plan("dbsa").Poll.Running })

		f.apply(simtest.Config{Targets: []simtest.Target{other}})
		if page := f.page(); strings.Contains(page, "acme") {
			t.Errorf("series of the removed target are left:\n%s", page)
		}
		if err := f.poller.Ready(); err != nil {
			t.Error(err)
		}
		f.pass(5*time.Minute + 30*time.Second)
		if strings.Contains(f.page(), "acme") {
			t.Error("series of the removed target came back")
		}
		polls := f.samples()[series(`polls_total{account="other",region_id="cn-shanghai",plan_id="dbsb"}`)]
		if polls != "6" && polls != "5" {
			t.Errorf("the other target was polled %s times in five minutes and a half", polls)
		}

		sim.ClearFault("dbsa")
		f.apply(simtest.Config{Targets: []simtest.Target{one, other}})
		f.pass(moment)
		f.expect(map[string]string{
			`polls_total{account="other",region_id="cn-shanghai",plan_id="dbsb"}`: polls,
			"polls_total" + plan("dbsa"):                                          "1",
		})
		f.lint()
	})
}

// A new plan does not wait for a slow one.
func TestApplyDuringSlowPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa"}, dbssim.Plan{ID: "dbsb"}, dbssim.Plan{ID: "dbsc"}))
		two := func(plans ...string) simtest.Config {
			return simtest.Config{Targets: []simtest.Target{{Concurrency: 2, Plans: plans}}}
		}
		f := newFixture(t, sim, two("dbsa", "dbsb"))
		f.run()
		sim.SetFault("dbsa", dbssim.Fault{Delay: time.Hour})
		f.until("a poll runs", func() bool { return f.plan("dbsa").Poll.Running })
		f.apply(two("dbsa", "dbsb", "dbsc"))
		f.pass(moment)
		f.expect(map[string]string{"polls_total" + plan("dbsc"): "1"})
	})
}

// A configuration that could not be loaded is visible and changes nothing.
func TestFailedReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa"}))
		f := newFixture(t, sim, simtest.Plans("", "dbsa"))
		f.run()
		f.pass(10 * time.Second)
		f.file = ""
		if err := f.reloader.Reload(); err == nil {
			t.Error("an empty file was loaded")
		}
		f.expect(map[string]string{
			"exporter_config_last_reload_successful{}":                "0",
			"exporter_config_last_reload_success_timestamp_seconds{}": at(epoch),
			"polls_total" + plan("dbsa"):                              "1",
		})
		f.apply(simtest.Plans("", "dbsa"))
		f.expect(map[string]string{
			"exporter_config_last_reload_successful{}":                "1",
			"exporter_config_last_reload_success_timestamp_seconds{}": at(epoch.Add(10*time.Second + moment)),
		})
	})
}

// budgetLines returns the level and the figures of the lines about API budgets.
func (f *fixture) budgetLines() []string {
	var lines []string
	for _, line := range f.log.lines("API request budget") {
		level, _, _ := strings.Cut(line, " ")
		_, figures, _ := strings.Cut(line, "endpoint=127.0.0.1:1 ")
		lines = append(lines, level+" "+strings.TrimSpace(figures))
	}
	return lines
}

// The arithmetic of the API budget is in the log, as a warning if it cannot work
// out. Plans that were never listed need a number of requests that is not known.
func TestBudgetIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa", Tasks: dbssim.Fixed(tasks("t", 301)...)}, dbssim.Plan{ID: "dbsb"}))
		c := simtest.Plans("poll_interval: 2s", "dbsa", "dbsb")
		c.Targets[0].Rate = 2.2
		f := newFixture(t, sim, c)
		f.run()
		f.pass(20 * time.Second)
		c.Targets[0].Plans = []string{"dbsb"}
		f.apply(c)
		want := []string{
			"level=info plans=2 plans_not_listed_yet=2 requests_needed=0 requests_allowed=4 poll_interval=2s",
			"level=warn plans=2 plans_not_listed_yet=0 requests_needed=5 requests_allowed=4 poll_interval=2s",
			"level=info plans=1 plans_not_listed_yet=0 requests_needed=1 requests_allowed=4 poll_interval=2s",
		}
		if diff := cmp.Diff(want, f.budgetLines()); diff != "" {
			t.Error(diff)
		}
		// Downloads without a finish time may still change, so that every page of
		// dbsa is read.
		if line := f.log.lines("API request budget")[1]; !strings.Contains(line, `obstacles="unsettled=1"`) {
			t.Error(line)
		}
	})
}

// Targets of one account and endpoint share their rate, and the lowest counts.
func TestSharedRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa"}, dbssim.Plan{ID: "dbsb"}, dbssim.Plan{ID: "dbsc"}, dbssim.Plan{ID: "dbsd"}))
		f := newFixture(t, sim, simtest.Config{Targets: []simtest.Target{
			{Rate: 4, Plans: []string{"dbsa", "dbsb"}},
			{Rate: 2, RegionID: "cn-shanghai", Plans: []string{"dbsc", "dbsd"}},
		}})
		start := time.Now()
		if err := f.poller.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 1500*time.Millisecond {
			t.Errorf("4 requests at 2 a second took %v", took)
		}
	})
}
