// Package interop_test lets official clients judge the simulated DBS API and our client: all read the same lists from
// it, and it rejects the same requests of each.
package interop_test

import (
	"errors"
	"iter"
	"strconv"
	"testing"
	"time"

	legacyerrors "github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/dbs"
	"github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/dbsapi"

	"test/interop/official"
)

func TestSameTasks(t *testing.T) {
	statuses := []string{"checking", "init", "check_pass", "schedule", "running", "pause", "stop", "finish", "archived"}
	everyJudge(t, func(t *testing.T, client *dbsapi.Client, j judge) {
		ours := all(t, client.DownloadTasks(t.Context(), dbsapi.TaskQuery{PlanID: planID}, dbsapi.Pace{}))
		if len(ours) != taskCount {
			t.Errorf("our client reads %d tasks, want %d", len(ours), taskCount)
		}
		count := make(map[string]int)
		for _, task := range ours {
			count[task.Status]++
		}
		for _, status := range statuses {
			if count[status] == 0 {
				t.Errorf("no task is %s", status)
			}
		}

		rows, err := j.tasks(t.Context(), planID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(convert(rows, downloadTask), ours); diff != "" {
			t.Errorf("the official client (-) and ours (+) read different tasks:\n%s", diff)
		}
	})
}

func TestSamePlans(t *testing.T) {
	everyJudge(t, func(t *testing.T, client *dbsapi.Client, j judge) {
		ours := all(t, client.BackupPlans(t.Context(), dbsapi.PlanQuery{Region: region}, dbsapi.Pace{}))
		if len(ours) != planCount {
			t.Errorf("our client reads %d plans, want %d", len(ours), planCount)
		}
		rows, err := j.plans(t.Context(), region)
		if err != nil {
			t.Fatal(err)
		}
		for i := range ours { // the types of the legacy SDK lack these members
			ours[i].ChargeType, ours[i].Expires = "", time.Time{}
		}
		if diff := cmp.Diff(convert(rows, backupPlan), ours); diff != "" {
			t.Errorf("the official client (-) and ours (+) read different plans:\n%s", diff)
		}
	})
}

func TestSameGateways(t *testing.T) {
	everyJudge(t, func(t *testing.T, client *dbsapi.Client, j judge) {
		ours := all(t, client.BackupGateways(t.Context(), dbsapi.GatewayQuery{Region: region}, dbsapi.Pace{}))
		if len(ours) != gatewayCount {
			t.Errorf("our client reads %d gateways, want %d", len(ours), gatewayCount)
		}
		rows, err := j.gateways(t.Context(), region)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(convert(rows, backupGateway), ours); diff != "" {
			t.Errorf("the official client (-) and ours (+) read different gateways:\n%s", diff)
		}
	})
}

// everyJudge runs check with every kind of keys and every official client. Check lets our client list something first,
// then the official one: both must have asked for the same three pages with the same keys.
func everyJudge(t *testing.T, check func(*testing.T, *dbsapi.Client, judge)) {
	for _, keys := range []official.Keys{lastingKey, temporaryKey} {
		for _, j := range judges {
			t.Run(j.name+" with "+keys.ID, func(t *testing.T) {
				simulator, host := serve(t)
				check(t, openOurs(t, host, keys), j.open(t, host, keys))

				asked := simulator.Requests()
				for i := range asked {
					asked[i].Nonce, asked[i].At = "", time.Time{}
				}
				if len(asked) != 6 {
					t.Fatalf("the simulator accepted %d requests, want 3 of each client", len(asked))
				}
				if diff := cmp.Diff(asked[3:], asked[:3]); diff != "" {
					t.Errorf("the official client (-) and ours (+) ask differently:\n%s", diff)
				}
				if last := asked[2]; last.Page != 2 || last.AccessKeyID != keys.ID || last.Token != keys.Token {
					t.Errorf("our last request is %+v, want page 2 with %+v", last, keys)
				}
			})
		}
	}
}

// all reads our client's listing to its end.
func all[T any](t *testing.T, pages iter.Seq2[dbsapi.Page[T], error]) []T {
	t.Helper()
	var items []T
	for page, err := range pages {
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, page.Items...)
	}
	return items
}

func convert[From, To any](rows []From, one func(From) To) []To {
	converted := make([]To, len(rows))
	for i, row := range rows {
		converted[i] = one(row)
	}
	return converted
}

// downloadTask is an official row in our terms: the literals for "nothing" are nothing, times are times.
func downloadTask(row dbs.BackupSetDownloadTaskDetail) dbsapi.DownloadTask {
	return dbsapi.DownloadTask{
		ID:          row.BackupSetDownloadTaskId,
		Name:        row.BackupSetDownloadTaskName,
		BackupSetID: row.BackupSetId,
		JobType:     row.BackupSetJobType,
		DBType:      orNothing(row.BackupSetDbType),
		DataFormat:  row.BackupSetDataFormat,
		Status:      row.BackupSetDownloadStatus,
		Way:         row.BackupSetDownloadWay,
		TargetType:  orNothing(row.BackupSetDownloadTargetType),
		DataBytes:   row.BackupSetDataSize,
		Created:     milliseconds(row.BackupSetDownloadCreateTime),
		Finished:    milliseconds(row.BackupSetDownloadFinishTime),
		GatewayID:   decimal(row.BackupGatewayId),
	}
}

func backupPlan(row dbs.BackupPlanDetail) dbsapi.BackupPlan {
	return dbsapi.BackupPlan{
		ID:                row.BackupPlanId,
		Name:              row.BackupPlanName,
		Status:            row.BackupPlanStatus,
		DatabaseType:      row.DatabaseType,
		AutoDownload:      row.OpenBackupSetAutoDownload,
		AutoDownloadKnown: true,
		DownloadGatewayID: decimal(row.BackupSetDownloadGatewayId),
		ResourceGroupID:   row.ResourceGroupId,
	}
}

func backupGateway(row dbs.BackupGateway) dbsapi.BackupGateway {
	return dbsapi.BackupGateway{
		ID:            row.BackupGatewayId,
		Name:          row.DisplayName,
		Status:        row.BackupGatewayStatus,
		LastHeartbeat: milliseconds(row.LastHeartbeatTime),
	}
}

// decimal is the ID of a gateway as text; 0 means none.
func decimal(id int64) string {
	if id == 0 {
		return ""
	}
	return strconv.FormatInt(id, 10)
}

func orNothing(s string) string {
	if s == "无" || s == "N/A" {
		return ""
	}
	return s
}

func milliseconds(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// The simulator rejects what the real endpoint would, whoever asks, and every client learns why.
func TestRejected(t *testing.T) {
	tests := []struct {
		name string
		keys official.Keys
		want string
	}{
		{"right key", lastingKey, "no error"},
		{"wrong secret", official.Keys{ID: lastingKey.ID, Secret: "testsecreT"}, "SignatureDoesNotMatch"},
		{"wrong secret with token", official.Keys{ID: temporaryKey.ID, Secret: "testsecret", Token: temporaryKey.Token}, "SignatureDoesNotMatch"},
		{"unknown key", official.Keys{ID: "nobody", Secret: lastingKey.Secret}, "InvalidAccessKeyId.NotFound"},
		{"wrong token", official.Keys{ID: temporaryKey.ID, Secret: temporaryKey.Secret, Token: "CAISother"}, "InvalidSecurityToken.MismatchWithAccessKey"},
		{"no token", official.Keys{ID: temporaryKey.ID, Secret: temporaryKey.Secret}, "InvalidSecurityToken.MismatchWithAccessKey"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, host := serve(t)
			var err error
			for _, err = range openOurs(t, host, tt.keys).DownloadTasks(t.Context(), dbsapi.TaskQuery{PlanID: planID}, dbsapi.Pace{}) {
				if err != nil {
					break
				}
			}
			if got := codeOf(err); got != tt.want {
				t.Errorf("our client: %s, want %s", got, tt.want)
			}
			for _, j := range judges {
				_, err := j.open(t, host, tt.keys).tasks(t.Context(), planID)
				if got := codeOf(err); got != tt.want {
					t.Errorf("%s: %s, want %s", j.name, got, tt.want)
				}
			}
		})
	}
}

// The legacy SDK compares the signed text that the answer repeats with its own: only where both agree does it
// recommend to look at the secret.
func TestEchoOfSignedText(t *testing.T) {
	_, host := serve(t)
	_, err := openLegacy(t, host, official.Keys{ID: lastingKey.ID, Secret: "wrong"}).tasks(t.Context(), planID)
	var server *legacyerrors.ServerError
	if !errors.As(err, &server) {
		t.Fatalf("got %v, want an error of the server", err)
	}
	if got, want := server.Recommend(), "InvalidAccessKeySecret: Please check you AccessKeySecret"; got != want {
		t.Errorf("the SDK recommends %q, want %q", got, want)
	}
}
