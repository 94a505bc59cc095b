package poll_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"aliyun_dbs_exporter/dbsapi/dbssim"
	"aliyun_dbs_exporter/dbsapi/dbssim/simtest"
)

// Polling every plan once takes longer than stale_after if there are many. All of
// them are shown at the end.
func TestOnceShowsEveryPlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var plans []dbssim.Plan
		var ids []string
		for i := range 400 {
			id := fmt.Sprintf("dbs%03d", i)
			plans, ids = append(plans, dbssim.Plan{ID: id}), append(ids, id)
		}
		c := simtest.Plans("poll_interval: 5s", ids...)
		c.Targets[0].Rate = 10
		f := newFixture(t, dbssim.New(nil, account(plans...)), c)
		if err := f.poller.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, p := range f.target().Plans {
			if p.Listing == nil {
				t.Fatalf("plan %s is not shown", p.ID)
			}
		}
	})
}
