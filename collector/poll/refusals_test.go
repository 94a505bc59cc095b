package poll_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"

	"aliyun_dbs_exporter/collector/config"
	"aliyun_dbs_exporter/collector/poll"
	"aliyun_dbs_exporter/dbsapi"
	"aliyun_dbs_exporter/dbsapi/dbssim"
	"aliyun_dbs_exporter/dbsapi/dbssim/simtest"
)

// failing is a server that answers some requests itself.
func failing(h http.Handler, fails func(http.ResponseWriter, *http.Request) bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !fails(w, r) {
			h.ServeHTTP(w, r)
		}
	})
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"Code":%q}`, code)
}

// Polls of a plan that can be listed do not fail because its tasks cannot be
// looked up.
func TestLookUpsFail(t *testing.T) {
	list := longHistory(300)
	list[250].Status, list[250].Finished = "running", time.Time{} // alone on its page
	for _, tt := range []struct {
		name     string
		fail     func(http.ResponseWriter, *http.Request)
		failures uint64
	}{
		{"refused", func(w http.ResponseWriter, _ *http.Request) { refuse(w, 403, "Request.Forbidden") }, 0},
		{"throttled", func(w http.ResponseWriter, _ *http.Request) { refuse(w, 400, "Throttling.User") }, 0},
		{"server fails", func(w http.ResponseWriter, _ *http.Request) { refuse(w, 500, "InternalError") }, 0},
		// The first one takes the time of its poll.
		{"hang", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa", Tasks: dbssim.Fixed(list...)}))
				f := newFixture(t, failing(sim, func(w http.ResponseWriter, r *http.Request) bool {
					lookUp := r.URL.Query().Has("BackupSetDownloadTaskId")
					if lookUp {
						tt.fail(w, r)
					}
					return lookUp
				}), simtest.Plans("", "dbsa"))
				f.run()
				pass(45*time.Minute + time.Second)
				p := f.plan("dbsa")
				if p.Poll.Polls < 40 || p.Poll.Failures != tt.failures || p.Listing == nil || p.Listing.Tasks != 305 {
					t.Errorf("%+v", p.Poll)
				}
				if p.Poll.Requests > 3 {
					t.Errorf("a poll sends %d requests", p.Poll.Requests)
				}
			})
		})
	}
}

// A list that has become shorter is read whole if the page of the last known task
// is refused.
func TestPageBeyondTheEndIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := longHistory(231)[5:]
		slices.Reverse(all) // oldest first
		tasks := func(now time.Time) []dbssim.Task {
			if now.Sub(epoch) < 10*time.Minute {
				return all
			}
			return all[:150]
		}
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa", Tasks: tasks}))
		f := newFixture(t, failing(sim, func(w http.ResponseWriter, r *http.Request) bool {
			beyond := r.URL.Query().Get("PageNum") == "2" && len(tasks(time.Now())) == 150
			if beyond {
				refuse(w, 400, "InvalidParameter")
			}
			return beyond
		}), simtest.Plans("", "dbsa"))
		f.run()
		pass(20 * time.Minute)
		if p := f.plan("dbsa"); p.Poll.Failures != 0 || p.Listing.Tasks != 150 {
			t.Errorf("%+v", p.Poll)
		}
	})
}

// A reload that ends a poll after its last answer loses none of the ends that the
// poll has found.
func TestReloadAtTheLastAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		running, ended := longHistory(50), longHistory(50)
		for i := range 5 {
			ended[i].Status, ended[i].Finished = "finish", epoch.Add(5*time.Minute)
		}
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa", Tasks: func(now time.Time) []dbssim.Task {
			if now.Sub(epoch) <= 5*time.Minute {
				return running
			}
			return ended
		}}))
		c := simtest.Plans("", "dbsa")
		moved := simtest.Plans("", "dbsa")
		moved.Targets[0].Endpoint = "http://127.0.0.1:2"
		f := &fixture{T: t}
		var next *config.Config
		f.poller = poll.New(poll.Options{
			Dial: simtest.Serve(t, sim).Dial,
			Hooks: poll.Hooks{Attempt: func(dbsapi.Attempt) {
				if next != nil && time.Since(epoch) > 5*time.Minute {
					if err := f.poller.Apply(next); err != nil {
						t.Error(err)
					}
					next = nil
				}
			}},
		}, log.NewNopLogger())
		f.apply(c)
		next = parse(t, moved)
		f.run()
		pass(20 * time.Minute)
		if p := f.plan("dbsa"); next != nil || p.Finished != 5 {
			t.Errorf("%d downloads have finished, want 5", p.Finished)
		}
	})
}
