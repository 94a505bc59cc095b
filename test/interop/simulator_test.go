package interop_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"aliyun_dbs_exporter/dbsapi"
	"aliyun_dbs_exporter/dbsapi/credentials"
	"aliyun_dbs_exporter/dbsapi/dbssim"

	"test/interop/official"
)

const (
	region = "cn-hangzhou"
	planID = "dbsqhnuhyw3abcd"
	// All lists fill two pages and a part of a third.
	taskCount    = 237
	planCount    = 231
	gatewayCount = 229
)

// The accounts of the simulator: a lasting key and temporary credentials.
var (
	lastingKey   = official.Keys{ID: "testid", Secret: "testsecret"}
	temporaryKey = official.Keys{ID: "STS.testid", Secret: "testsecret2", Token: "CAISt/token+with=chars&%20 ~*"}
)

// serve runs a simulator with the same plans for both accounts and returns its host.
func serve(t *testing.T) (*dbssim.Simulator, string) {
	t.Helper()
	var accounts []dbssim.Account
	for _, k := range []official.Keys{lastingKey, temporaryKey} {
		accounts = append(accounts, dbssim.Account{AccessKeyID: k.ID, AccessKeySecret: k.Secret, SecurityToken: k.Token, Plans: simulatedPlans(), Gateways: simulatedGateways()})
	}
	simulator := dbssim.New(nil, accounts...)
	server := httptest.NewServer(simulator)
	t.Cleanup(server.Close)
	return simulator, strings.TrimPrefix(server.URL, "http://")
}

// simulatedTasks have every documented status, an undocumented one, sizes up to what a JavaScript number holds, and
// texts that need escapes.
func simulatedTasks() []dbssim.Task {
	start := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	life := dbssim.Life{
		Name: "interop", Start: start, Every: time.Minute,
		JobType: "cbs_backup_sub_cont", DBType: "MySQL", Format: "Native", Way: "auto", GatewayID: 160813,
		MinBytes: 1, MaxBytes: 9_007_199_254_740_991, BytesPerSecond: 9_007_199_254_740,
		Checking: 2 * time.Minute, Queued: 8 * time.Minute, FailEvery: 7, PauseEvery: 11, PrecheckEvery: 13,
	}
	odd := dbssim.Task{
		ID: "uodd", Name: `备份 "a" \ <b> & 😀 +%2B`, BackupSetID: "1h7za2yws", JobType: "cbs_backup_sub_full", DBType: "N/A",
		Format: "CSV", Status: "archived", Way: "manual", Created: start,
	}
	list := life.History(dbssim.NewestFirst, dbssim.Retention{Newest: taskCount - 1})
	return append(list.Tasks(start.Add(taskCount*time.Minute)), odd)
}

// simulatedPlans are those of the region, and as many of another one that shares its endpoint.
func simulatedPlans() []dbssim.Plan {
	statuses := []string{"wait", "init", "running", "stop", "pause", "locked", "check_pass"}
	plans := []dbssim.Plan{
		{ID: planID, Name: `订单 "orders" \ & <b>`, Region: region, DatabaseType: "MySQL", Tasks: dbssim.Fixed(simulatedTasks()...)},
	}
	for i := 1; i < planCount; i++ {
		plans = append(plans,
			dbssim.Plan{
				ID: fmt.Sprintf("dbshangzhou%04d", i), Name: fmt.Sprintf("plan %d", i), Region: region,
				Status: statuses[i%len(statuses)], DatabaseType: "PostgreSQL", AutoDownload: i%3 == 0,
				DownloadGatewayID: int64(i % 3 * 160813), ResourceGroupID: fmt.Sprintf("rg-%d", i%2),
			},
			dbssim.Plan{ID: fmt.Sprintf("dbsshanghai%04d", i), Region: "cn-shanghai"})
	}
	return plans
}

// simulatedGateways are those of the region, and as many of another one.
func simulatedGateways() []dbssim.Gateway {
	statuses := []string{"ONLINE", "OFFLINE", "STOPPED", "UPGRADING", "DRAINING"}
	var gateways []dbssim.Gateway
	for i := range gatewayCount {
		gateways = append(gateways,
			dbssim.Gateway{
				ID: int64(160813 + i), Name: fmt.Sprintf("机房 %d", i), Region: region, Status: statuses[i%len(statuses)],
				Heartbeat: time.Date(2026, 1, 2, 3, 4, i, 678e6, time.UTC),
			},
			dbssim.Gateway{ID: int64(270813 + i), Region: "cn-shanghai"})
	}
	return gateways
}

// openOurs returns the client that is judged.
func openOurs(t *testing.T, host string, k official.Keys) *dbsapi.Client {
	t.Helper()
	client, err := dbsapi.New(dbsapi.Options{
		Endpoint:    "http://" + host,
		Credentials: credentials.NewStatic(k.ID, k.Secret, k.Token),
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}
