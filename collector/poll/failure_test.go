package poll_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_dbs_exporter/collector/poll"
	"aliyun_dbs_exporter/dbsapi"
	"aliyun_dbs_exporter/dbsapi/dbssim"
	"aliyun_dbs_exporter/dbsapi/dbssim/simtest"
)

// A refusal of the API names the permission to grant. One without an error code,
// such as the page of a proxy, does not: no permission would change it.
func TestAdviceForRefusals(t *testing.T) {
	const proxy = "Check the proxy or gateway on the way to the endpoint: the refusal has no error code of the API."
	for name, tt := range map[string]struct {
		fault              dbssim.Fault
		permission, advice string
	}{
		"RAM": {
			dbssim.Failing(http.StatusForbidden, "Forbidden.RAM"), "dbs:DescribeBackupSetDownloadTaskList",
			"Grant the RAM action dbs:DescribeBackupSetDownloadTaskList on resource * to the identity in use.",
		},
		"page":    {dbssim.HTMLPage(http.StatusForbidden), "", proxy},
		"no code": {dbssim.Failing(http.StatusForbidden, ""), "", proxy},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa"}))
				sim.SetFault("dbsa", tt.fault)
				f := newFixture(t, sim, simtest.Plans("", "dbsa"))
				f.run()
				f.until(time.Minute, time.Second, func() bool { return f.plan("dbsa").Poll.Failure != nil })
				got := f.plan("dbsa").Poll.Failure
				if want := (poll.Failure{Reason: dbsapi.ReasonForbidden, Text: got.Text, Advice: tt.advice, Permission: tt.permission}); *got != want {
					t.Errorf("got %+v, want %+v", *got, want)
				}
			})
		})
	}
}
