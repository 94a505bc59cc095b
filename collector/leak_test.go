package collector_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"

	"aliyun_dbs_exporter/collector"
	"aliyun_dbs_exporter/dbsapi/dbssim"
)

// Every way to fail, with marked secrets on both sides: nothing of them reaches the log, the metrics or an error.
func TestNothingLeaks(t *testing.T) {
	faults := map[string]dbssim.Fault{
		"good":      {},
		"signature": {Status: 400, Body: `{"Code":"SignatureDoesNotMatch","Message":"x server string to sign is:` + secretMark + tokenMark + `"}`},
		"html":      dbssim.HTMLPage(502),
		"html 200":  dbssim.HTMLPage(200),
		"code":      dbssim.Failing(400, tokenMark),
		"request":   {Status: 403, Body: `{"Code":"Forbidden.RAM","RequestId":"https://` + dbssim.CapabilityURL + `","Message":"` + keyMark + `"}`},
		"throttled": dbssim.Throttled(time.Second),
		"drop":      {Drop: true},
		"truncate":  {Truncate: true},
		"slow":      {Delay: time.Hour},
		"redirect":  {Status: 302, Location: "https://" + dbssim.CapabilityURL + "/?" + tokenMark},
		"garbage":   {Body: `{"Success":true,"Items":"` + tokenMark + `"}`},
		"refused": {Envelope: func(e map[string]any) {
			e["Success"], e["ErrCode"], e["ErrMessage"] = false, "Forbidden "+secretMark, dbssim.FreeText
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
				b := newBench(t, sim, configText("", "dbsa"))
				c, err := collector.New(parse(t, configText("", "dbsa")), collector.Options{
					Dial: b.network.dial,
					OnPoll: func(r collector.PollResult) {
						if r.Err != nil {
							errs.WriteString(r.Err.Error() + r.Advice)
						}
					},
				}, log.NewLogfmtLogger(b.log))
				if err != nil {
					t.Fatal(err)
				}
				b.collector, b.registry = c, prometheus.NewPedanticRegistry()
				b.registry.MustRegister(c)
				defer b.run()()
				b.pass(10 * time.Minute)
				output := map[string]string{"log": b.log.String(), "page": b.page(), "errors": errs.String()}
				for where, text := range output {
					for _, mark := range []string{
						keyMark, secretMark, tokenMark, dbssim.CapabilityURL, dbssim.FreeText, dbssim.SecretDirectory,
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
