package collector_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_dbs_exporter/collector/poll"
	"aliyun_dbs_exporter/dbsapi/dbssim"
	"aliyun_dbs_exporter/dbsapi/dbssim/simtest"
)

// Every way to fail, with marked secrets on both sides: nothing of them reaches the log, the metrics or an error.
func TestNothingLeaks(t *testing.T) {
	faults := map[string]dbssim.Fault{
		"good":      {},
		"signature": {Status: 400, Body: `{"Code":"SignatureDoesNotMatch","Message":"x server string to sign is:` + simtest.KeySecret + simtest.KeyToken + `"}`},
		"html":      dbssim.HTMLPage(502),
		"html 200":  dbssim.HTMLPage(200),
		"code":      dbssim.Failing(400, simtest.KeyToken),
		"request":   {Status: 403, Body: `{"Code":"Forbidden.RAM","RequestId":"https://` + dbssim.CapabilityURL + `","Message":"` + simtest.KeyID + `"}`},
		"throttled": dbssim.Throttled(time.Second),
		"drop":      {Drop: true},
		"truncate":  {Truncate: true},
		"slow":      {Delay: time.Hour},
		"redirect":  {Status: 302, Location: "https://" + dbssim.CapabilityURL + "/?" + simtest.KeyToken},
		"garbage":   {Body: `{"Success":true,"Items":"` + simtest.KeyToken + `"}`},
		"refused": {Envelope: func(e map[string]any) {
			e["Success"], e["ErrCode"], e["ErrMessage"] = false, "Forbidden "+simtest.KeySecret, dbssim.FreeText
		}},
		"status": {Envelope: func(e map[string]any) {
			e["Items"] = []map[string]any{{"BackupSetDownloadTaskId": "a", "BackupSetDownloadStatus": "http://" + dbssim.CapabilityURL}}
		}},
	}
	auto := dbssim.Task{ID: "a", Status: "stop", Way: "auto", Created: ago(time.Hour), Finished: ago(time.Minute)}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa", Tasks: dbssim.Fixed(auto)}))
				sim.SetFault("dbsa", fault)
				var errs strings.Builder
				f := newFixture(t, sim, simtest.Plans("", "dbsa"))
				f.start(simtest.Plans("", "dbsa"), poll.Options{
					Dial: f.network.Dial,
					Hooks: poll.Hooks{Polled: func(_ poll.TargetID, p poll.Plan) {
						if failure := p.Poll.Failure; failure != nil {
							errs.WriteString(failure.Text + failure.Advice)
						}
					}},
				})
				f.run()
				f.pass(10 * time.Minute)
				output := map[string]string{"log": f.log.String(), "page": f.page(), "errors": errs.String()}
				for where, text := range output {
					for _, mark := range []string{
						simtest.KeyID, simtest.KeySecret, simtest.KeyToken, dbssim.CapabilityURL, dbssim.FreeText, dbssim.SecretDirectory,
						"Signature=", "BackupPlanId=", "free-text-mark",
					} {
						if strings.Contains(text, mark) {
							t.Errorf("%s holds %q:\n%s", where, mark, text)
						}
					}
				}
			})
		})
	}
}
