package collector_test

import (
	"testing"
	"testing/synctest"
	"time"

	"aliyun_dbs_exporter/collector/poll"
	"aliyun_dbs_exporter/dbsapi/dbssim"
	"aliyun_dbs_exporter/dbsapi/dbssim/simtest"
)

// Ends count once each: not those of the first listing, not again when listed again, and not after a restart.
func TestEndsAreCountedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var list taskList
		full := func(id, status string, ended time.Time) dbssim.Task {
			return dbssim.Task{ID: id, Status: status, JobType: "cbs_backup_sub_full", Created: ago(time.Hour), Finished: ended}
		}
		old, oldFailed := full("old", "finish", ago(time.Minute)), full("oldfailed", "stop", ago(time.Minute))
		list.set(old, oldFailed, full("a", "running", time.Time{}))
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa", Tasks: list.tasks}))
		f := newFixture(t, sim, simtest.Plans("", "dbsa"))
		f.expect(counters("0", "0"))
		stop := f.run()
		f.expect(counters("0", "0"))
		first := epoch.Add(time.Second) // after the first listing, by the API's clock

		steps := []struct {
			name             string
			tasks            []dbssim.Task
			finished, failed string
		}{
			{"nothing new", []dbssim.Task{old, oldFailed, full("a", "running", time.Time{})}, "0", "0"},
			{"one finishes", []dbssim.Task{old, oldFailed, full("a", "finish", first)}, "1", "0"},
			{"listed again", []dbssim.Task{old, oldFailed, full("a", "finish", first)}, "1", "0"},
			{"row is missing", []dbssim.Task{old}, "1", "0"},
			{"row is back", []dbssim.Task{old, oldFailed, full("a", "finish", first)}, "1", "0"},
			{"one comes and goes between polls", []dbssim.Task{old, full("b", "stop", first)}, "1", "1"},
			{"it is started again", []dbssim.Task{old, full("b", "running", time.Time{})}, "1", "1"},
			{"it fails again", []dbssim.Task{old, full("b", "stop", first.Add(time.Minute))}, "1", "2"},
			{"an older replica answers", []dbssim.Task{old, full("b", "stop", first)}, "1", "2"},
			{"it finishes at last", []dbssim.Task{old, full("b", "finish", first.Add(2*time.Minute))}, "2", "2"},
			{"one runs", []dbssim.Task{full("c", "running", time.Time{})}, "2", "2"},
			{"it fails without a time", []dbssim.Task{full("c", "stop", time.Time{})}, "2", "3"},
			{"the time comes later", []dbssim.Task{full("c", "stop", first)}, "2", "3"},
			{"an older replica has no time", []dbssim.Task{full("c", "stop", time.Time{})}, "2", "3"},
			{"it fails again", []dbssim.Task{full("c", "stop", first.Add(time.Minute))}, "2", "4"},
			{"one has failed without a time, and was not seen before", []dbssim.Task{full("e", "stop", time.Time{})}, "2", "4"},
			{"one has ended before the first listing", []dbssim.Task{full("f", "finish", epoch.Add(-time.Millisecond))}, "2", "4"},
			{"one has no ID", []dbssim.Task{full("", "stop", first)}, "2", "4"},
			{"the list is empty", nil, "2", "4"},
		}
		for _, s := range steps {
			list.set(s.tasks...)
			f.polled("dbsa")
			for name, want := range counters(s.finished, s.failed) {
				if got := f.samples()[series(name)]; got != want {
					t.Errorf("%s: %s is %s, want %s", s.name, name, got, want)
				}
			}
		}
		// a took an hour and a second, b two minutes more.
		f.expect(map[string]string{
			`download_duration_seconds_count{account="acme",region_id="cn-hangzhou",backup_type="full"}`:            "2",
			`download_duration_seconds_sum{account="acme",region_id="cn-hangzhou",backup_type="full"}`:              "7322",
			`download_duration_seconds_bucket{account="acme",region_id="cn-hangzhou",backup_type="full",le="3600"}`: "0",
			`download_duration_seconds_bucket{account="acme",region_id="cn-hangzhou",backup_type="full",le="7200"}`: "2",
		})
		stop()

		list.set(full("a", "finish", first), full("d", "stop", first))
		f.restart(simtest.Plans("", "dbsa"), poll.Shard{})
		f.run()
		f.pass(3 * time.Minute)
		f.expect(counters("0", "0"))
	})
}

// An end that the API lists no more is forgotten after a day; then it is news again.
func TestEndsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var list taskList
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa", Tasks: list.tasks}))
		f := newFixture(t, sim, simtest.Plans("poll_interval: 1h", "dbsa"))
		f.run()
		done := dbssim.Task{ID: "a", Status: "finish", Created: epoch, Finished: epoch.Add(time.Minute)}
		list.set(done)
		f.polled("dbsa")
		f.expect(counters("1", "0"))
		for _, absent := range []struct {
			hours int
			want  string
		}{{20, "1"}, {26, "2"}} {
			list.set()
			f.pass(time.Duration(absent.hours) * time.Hour)
			list.set(done)
			f.polled("dbsa")
			f.expect(counters(absent.want, "0"))
		}
	})
}
