package collector_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/dbsapi/dbssim"
)

// apply puts another configuration into use and lets everything settle.
func (b *bench) apply(text string) {
	b.Helper()
	if err := b.collector.Apply(parse(b, text)); err != nil {
		b.Fatal(err)
	}
	synctest.Wait()
}

// planIDs returns the plans that have any series.
func (b *bench) planIDs() string {
	var ids []string
	for _, id := range []string{"dbsa", "dbsb", "dbsc", "dbsd"} {
		if strings.Contains(b.page(), `plan_id="`+id+`"`) {
			ids = append(ids, id)
		}
	}
	return strings.Join(ids, " ")
}

// Plans that stay keep data, counters and schedule; new ones are polled at once; removed ones take their series along.
func TestApply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var list changing
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa", Tasks: list.tasks}, dbssim.Plan{ID: "dbsb"}, dbssim.Plan{ID: "dbsc"}))
		b := newBench(t, sim, configText("", "dbsa", "dbsb"))
		defer b.run()()
		list.set(dbssim.Task{ID: "a", Status: "finish", Created: ago(time.Hour), Finished: epoch})
		b.pass(90 * time.Second) // rounds at 0 and 60 s
		b.expect(counters("1", "0"))

		b.apply(configText("", "dbsa, name: renamed, max_success_age: 1h", "dbsc"))
		if got := b.planIDs(); got != "dbsa dbsc" {
			t.Errorf("plans are %s", got)
		}
		b.expect(counters("1", "0"))
		b.expect(map[string]string{
			"polls_total" + plan("dbsa"): "2",
			"polls_total" + plan("dbsc"): "1",
			"plan_info" + planWith("dbsa", `plan_name="renamed",database_type=""`): "1",
			"download_max_success_age_seconds" + plan("dbsa"):                      "3600",
			"exporter_config_last_reload_successful{}":                             "1",
			"exporter_config_last_reload_success_timestamp_seconds{}":              "9.4668489e+08",
		})
		b.pass(29 * time.Second)
		b.expect(map[string]string{"polls_total" + plan("dbsa"): "2"})
		b.pass(time.Second + 10*time.Millisecond) // 120 s: the schedule is what it was
		b.expect(map[string]string{"polls_total" + plan("dbsa"): "3", "polls_total" + plan("dbsc"): "2"})
		b.expect(counters("1", "0"))

		// A plan that comes back starts anew: what ended meanwhile was not seen.
		b.apply(configText("", "dbsc"))
		b.apply(configText("", "dbsa", "dbsc"))
		b.pass(10 * time.Millisecond)
		b.expect(counters("0", "0"))
		b.expect(map[string]string{"polls_total" + plan("dbsa"): "1"})
		b.lint()
	})
}

// A shorter interval takes effect at once.
func TestApplyInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa"}))
		b := newBench(t, sim, configText("poll_interval: 1h", "dbsa"))
		defer b.run()()
		b.pass(time.Minute)
		b.apply(configText("poll_interval: 10s", "dbsa"))
		b.pass(25 * time.Second)
		b.expect(map[string]string{"polls_total" + plan("dbsa"): "3", "exporter_poll_interval_seconds{}": "10"})
		b.apply(configText("poll_interval: 1h", "dbsa"))
		b.pass(10 * time.Minute)
		b.expect(map[string]string{"polls_total" + plan("dbsa"): "4"})
	})
}

// Targets come and go with all their series, in the middle of a slow round too.
func TestApplyTargets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa"}, dbssim.Plan{ID: "dbsb"}))
		one := configText("", "dbsa")
		other := strings.ReplaceAll(strings.ReplaceAll(configText("", "dbsb"), "acme", "other"), "cn-hangzhou", "cn-shanghai")
		b := newBench(t, sim, one)
		defer b.run()()
		sim.SetFault("dbsa", dbssim.Fault{Delay: time.Hour})
		b.pass(70 * time.Second) // in the middle of the second round

		b.apply(other)
		if page := b.page(); strings.Contains(page, "acme") {
			t.Errorf("series of the removed target are left:\n%s", page)
		}
		if err := b.collector.Ready(); err != nil {
			t.Error(err)
		}
		b.pass(5 * time.Minute)
		if strings.Contains(b.page(), "acme") {
			t.Error("series of the removed target came back")
		}
		b.expect(map[string]string{`polls_total{account="other",region_id="cn-shanghai",plan_id="dbsb"}`: "6"})

		sim.ClearFault("dbsa")
		b.apply(one + strings.Join(strings.SplitAfter(other, "targets:\n")[1:], ""))
		b.expect(map[string]string{
			`polls_total{account="other",region_id="cn-shanghai",plan_id="dbsb"}`: "6",
			"polls_total" + plan("dbsa"):                                          "1",
		})
		b.lint()
	})
}

// A new plan does not wait for a slow one.
func TestApplyDuringSlowRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa"}, dbssim.Plan{ID: "dbsb"}, dbssim.Plan{ID: "dbsc"}))
		two := func(plans ...string) string {
			return strings.Replace(configText("", plans...), "max_concurrent_requests: 1", "max_concurrent_requests: 2", 1)
		}
		b := newBench(t, sim, two("dbsa", "dbsb"))
		defer b.run()()
		sim.SetFault("dbsa", dbssim.Fault{Delay: time.Hour})
		b.pass(61 * time.Second) // dbsa hangs
		b.apply(two("dbsa", "dbsb", "dbsc"))
		b.expect(map[string]string{"polls_total" + plan("dbsc"): "1"})
	})
}

// A configuration that could not be loaded is visible and changes nothing.
func TestLoadFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa"}))
		b := newBench(t, sim, configText("", "dbsa"))
		defer b.run()()
		b.pass(30 * time.Second)
		b.collector.LoadFailed(errors.New("config.yml:1: the file is empty"))
		b.expect(map[string]string{
			"exporter_config_last_reload_successful{}":                "0",
			"exporter_config_last_reload_success_timestamp_seconds{}": "9.466848e+08",
			"polls_total" + plan("dbsa"):                              "1",
		})
		b.apply(configText("", "dbsa"))
		b.expect(map[string]string{
			"exporter_config_last_reload_successful{}":                "1",
			"exporter_config_last_reload_success_timestamp_seconds{}": "9.4668483e+08",
		})
	})
}

// The arithmetic of the API budget is in the log, as a warning where it cannot work out.
func TestBudgetIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account())
		b := newBench(t, sim, strings.Replace(configText("poll_interval: 1s", "dbsa", "dbsb", "dbsc"), "requests_per_second: 1000", "requests_per_second: 2.9", 1))
		lines := b.log.lines("API budget")
		if len(lines) != 1 {
			t.Fatalf("logged %q", lines)
		}
		want := `level=warn msg="API budget is too small for a poll round, rounds will be skipped; raise poll_interval or requests_per_second, or use shards"` +
			" account=acme endpoint=127.0.0.1:1 plans=3 requests_needed=3 requests_allowed=2 requests_per_second=2.9 poll_interval=1s\n"
		if diff := cmp.Diff(want, lines[0]); diff != "" {
			t.Error(diff)
		}
		b.apply(configText("", "dbsa"))
		if lines := b.log.lines("API budget"); !strings.HasPrefix(lines[1], `level=info msg="API budget of a poll round" account=acme`) {
			t.Errorf("logged %q", lines)
		}
	})
}

// The arithmetic counts a request for every page, which is known after the first round.
func TestBudgetCountsPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa", Tasks: dbssim.Fixed(tasks("t", 301)...)}, dbssim.Plan{ID: "dbsb"}))
		b := newBench(t, sim, strings.Replace(configText("poll_interval: 2s", "dbsa", "dbsb"), "requests_per_second: 1000", "requests_per_second: 2", 1))
		defer b.run()()
		b.pass(9 * time.Second)
		var got []string
		for _, line := range b.log.lines("API budget") {
			level, _, _ := strings.Cut(line, " ")
			_, figures, _ := strings.Cut(line, "endpoint=127.0.0.1:1 ")
			got = append(got, level+" "+strings.TrimSpace(figures))
		}
		want := []string{
			"level=info plans=2 requests_needed=2 requests_allowed=4 requests_per_second=2 poll_interval=2s",
			"level=warn plans=2 requests_needed=5 requests_allowed=4 requests_per_second=2 poll_interval=2s",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// Targets of one account and endpoint share their rate, and the lowest counts.
func TestSharedRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa"}, dbssim.Plan{ID: "dbsb"}, dbssim.Plan{ID: "dbsc"}, dbssim.Plan{ID: "dbsd"}))
		first := strings.Replace(configText("", "dbsa", "dbsb"), "requests_per_second: 1000", "requests_per_second: 4", 1)
		second := strings.ReplaceAll(strings.Replace(configText("", "dbsc", "dbsd"), "requests_per_second: 1000", "requests_per_second: 2", 1), "cn-hangzhou", "cn-shanghai")
		b := newBench(t, sim, first+strings.Join(strings.SplitAfter(second, "targets:\n")[1:], ""))
		start := time.Now()
		if err := b.collector.PollOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 1500*time.Millisecond {
			t.Errorf("4 requests at 2 a second took %v", took)
		}
	})
}
