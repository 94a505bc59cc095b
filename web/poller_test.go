package web_test

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"

	"aliyun_dbs_exporter/collector/config"
	"aliyun_dbs_exporter/collector/poll"
	"aliyun_dbs_exporter/dbsapi/dbssim"
	"aliyun_dbs_exporter/dbsapi/dbssim/simtest"
	"aliyun_dbs_exporter/web"
)

// simulated returns the pages of a poller that polls a simulator until the end
// of the test.
func simulated(t *testing.T, sim *dbssim.Simulator, c simtest.Config) *site {
	t.Helper()
	poller := poll.New(poll.Options{Dial: simtest.Serve(t, sim).Dial}, log.NewNopLogger())
	s := newSite(t, poller.Snapshot, func(o *web.Options) {
		o.Ready, o.Healthy = poller.Ready, poller.Healthy
		load := func() (*config.Config, error) { return parse(t, c), nil }
		o.Reload = config.NewReloader(load, poller.Apply, log.NewNopLogger())
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		poller.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return s
}

// account returns the simulated account that configurations of simtest poll.
func account(plans ...dbssim.Plan) dbssim.Account {
	return dbssim.Account{
		AccessKeyID: simtest.KeyID, AccessKeySecret: simtest.KeySecret, SecurityToken: simtest.KeyToken, Plans: plans,
	}
}

// finished returns a task that has finished some time ago.
func finished(id string, age time.Duration) dbssim.Task {
	return dbssim.Task{ID: id, Status: "finish", Bytes: 1000, Created: ago(age + time.Hour), Finished: ago(age)}
}

// pass lets time pass, and everything settle that is to happen by then.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// varying matches request IDs of the simulator, and times that depend on the
// phase that the schedule gives to a plan.
var varying = regexp.MustCompile(
	`\b[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}\b|\b[A-Z2-7]{26}\b` +
		`|2000-01-01T00:0\d:\d\d(\.\d+)?Z|\b\d+ (s|min) ago\b|\bin \d+ s\b|\bnow\b`)

// A poller, a simulated API and the pages together: one plan is fine, one fails
// for a while, one fails for so long that its data is withdrawn, and one was
// discovered.
func TestPagesOfAPoller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(
			dbssim.Plan{ID: "dbsgood", Region: "cn-hangzhou", Status: "running", Tasks: dbssim.Fixed(finished("a", time.Hour))},
			dbssim.Plan{ID: "dbsold", Region: "cn-hangzhou", Status: "running", Tasks: dbssim.Fixed(finished("a", time.Hour))},
			dbssim.Plan{ID: "dbsdropped", Region: "cn-hangzhou", Status: "running", Tasks: dbssim.Fixed(finished("a", time.Hour))},
			dbssim.Plan{ID: "dbsfound", Region: "cn-hangzhou", Status: "running", Name: "found", DatabaseType: "MySQL"},
		))
		c := simtest.Plans("stale_after: 5m", "dbsgood, name: good", "dbsold, name: old", "dbsdropped, name: dropped")
		c.Targets[0].Discovery = []string{"enabled: true"}
		s := simulated(t, sim, c)
		if w := s.send(http.MethodGet, "/-/ready"); w.Code != http.StatusServiceUnavailable {
			t.Errorf("before the first polls, /-/ready answers %d", w.Code)
		}
		pass(time.Second)
		if w := s.send(http.MethodGet, "/-/ready"); w.Code != http.StatusOK {
			t.Errorf("after the first polls, /-/ready answers %d %s", w.Code, w.Body)
		}
		sim.SetFault("dbsdropped", dbssim.Failing(403, "Forbidden.RAM"))
		pass(4 * time.Minute)
		sim.SetFault("dbsold", dbssim.Failing(403, "Forbidden.RAM"))
		pass(3 * time.Minute)
		s.golden("poller", varying)
	})
}

// Secrets, and everything else that the API says about a failure, stay away from
// the pages.
func TestPagesLeakNothing(t *testing.T) {
	const url = "https://" + dbssim.CapabilityURL
	faults := map[string]dbssim.Fault{
		"none": {},
		"signature": {Status: 400, Body: `{"Code":"SignatureDoesNotMatch","Message":"x server string to sign is:` +
			simtest.KeySecret + simtest.KeyToken + `"}`},
		"html": dbssim.HTMLPage(502),
		"code": dbssim.Failing(400, simtest.KeyToken),
		"request": {Status: 403, Body: `{"Code":"Forbidden.RAM","RequestId":"` + url + `","Message":"` +
			simtest.KeyID + `"}`},
		"redirect": {Status: 302, Location: url + "/?" + simtest.KeyToken},
		"garbage":  {Body: `{"Success":true,"Items":"` + simtest.KeyToken + `"}`},
		"status": {Envelope: func(e map[string]any) {
			e["Items"] = []map[string]any{{"BackupSetDownloadTaskId": "a", "BackupSetDownloadStatus": url}}
		}},
	}
	marks := regexp.MustCompile(strings.Join([]string{
		simtest.KeyID, simtest.KeySecret, simtest.KeyToken,
		dbssim.CapabilityURL, dbssim.FreeText, dbssim.SecretDirectory, "evil", "https?://",
	}, "|"))
	// A name of the configuration is shown as text, and the name space of the
	// icon is no address.
	harmless := strings.NewReplacer("&lt;script&gt;evil&lt;/script&gt;", "", `\u003cscript\u003eevil\u003c/script\u003e`, "",
		"xmlns='http://www.w3.org/2000/svg'", "")
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa", Tasks: dbssim.Fixed(finished("a", time.Hour))}))
				sim.SetFault(dbssim.Everything, fault)
				c := simtest.Plans("", `dbsa, name: "<script>evil</script>"`)
				c.Targets[0].Discovery = []string{"enabled: true"}
				s := simulated(t, sim, c)
				pass(time.Minute)
				failing := strings.Contains(s.get("/api/v1/status"), `"state":"poll_failing"`)
				if want := name != "none" && name != "status"; failing != want {
					t.Errorf("the poll failed: %t, want %t", failing, want)
				}
				for _, path := range []string{"/", "/api/v1/status", "/metrics", "/-/ready", "/-/healthy"} {
					page := harmless.Replace(s.send(http.MethodGet, path).Body.String())
					if leaked := marks.FindAllString(page, -1); leaked != nil {
						t.Errorf("%q in %s:\n%s", leaked, path, page)
					}
				}
			})
		})
	}
}
