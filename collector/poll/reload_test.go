package poll_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"

	"aliyun_dbs_exporter/collector/poll"
	"aliyun_dbs_exporter/dbsapi/dbssim"
	"aliyun_dbs_exporter/dbsapi/dbssim/simtest"
)

// Good keys outlast a reload of http_client while their source fails. If there
// are none, the reload has their source asked at the next poll: the change may
// be what was missing.
func TestReloadOfHTTPClientKeepsGoodKeys(t *testing.T) {
	tests := []struct {
		name          string
		before, after bool // whether the source gives keys, before the reload and after it
		good          bool // whether the first poll after the reload succeeds
		asked         int  // how often the source is asked for it
	}{
		{"good keys", true, true, true, 0},
		{"good keys, source fails", true, false, true, 0},
		{"no keys", false, true, true, 1},
		{"no keys, source fails", false, false, false, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa"}))
				tokens := dbssim.NewTokens(sim, time.Hour)
				mux := http.NewServeMux()
				mux.Handle("localhost/keys", tokens.URI(simtest.KeyID))
				mux.Handle("/", sim)
				down := new(dbssim.Failing(http.StatusForbidden, ""))
				if !tt.before {
					tokens.SetFault(down)
				}
				f := &fixture{T: t, sim: sim}
				f.poller = poll.New(poll.Options{Dial: simtest.Serve(t, mux).Dial}, log.NewNopLogger())
				c := simtest.Plans("poll_interval: 10s", "dbsa")
				c.Targets[0].Credentials = "{type: credentials_uri, url: http://localhost/keys}"
				f.apply(c)
				f.run()
				pass(10 * time.Minute)
				if !tt.before { // the source has just failed, so the session would not ask it soon
					failures := tokens.Calls()
					f.until(2*time.Minute, time.Second, func() bool { return tokens.Calls() > failures })
				}
				if failed := f.plan("dbsa").Poll.Failure != nil; failed == tt.before {
					t.Fatalf("before the reload: %+v", f.plan("dbsa").Poll)
				}
				calls := tokens.Calls()
				if tt.after {
					tokens.SetFault(nil)
				} else {
					tokens.SetFault(down)
				}
				c.Top += "\nhttp_client: {tls_config: {min_version: TLS13}}"
				f.apply(c)
				pass(10 * time.Second)
				if failed := f.plan("dbsa").Poll.Failure != nil; failed == tt.good {
					t.Errorf("after the reload: %+v", f.plan("dbsa").Poll)
				}
				if asked := tokens.Calls() - calls; asked != tt.asked {
					t.Errorf("the source was asked %d times, want %d", asked, tt.asked)
				}
			})
		})
	}
}
