//go:build suites

package interop_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"testing"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/dbs"

	"aliyun_dbs_exporter/dbsapi"

	"test/internal/npm"
	"test/interop/official"
)

// nodeJudges are the cores of the Node.js SDKs.
var nodeJudges = []opener{
	{"npm openapi-client", openNode("@alicloud/openapi-client")},
	{"npm openapi-core", openNode("@alicloud/openapi-core")},
}

// node lists through one of the official Node.js cores.
type node struct {
	module string
	host   string
	keys   official.Keys
}

func openNode(module string) func(*testing.T, string, official.Keys) judge {
	return func(t *testing.T, host string, k official.Keys) judge {
		if err := npm.Installed(); err != nil {
			t.Fatal(err)
		}
		return node{module: module, host: host, keys: k}
	}
}

func (n node) tasks(ctx context.Context, planID string) ([]dbs.BackupSetDownloadTaskDetail, error) {
	var rows []dbs.BackupSetDownloadTaskDetail
	err := n.list(ctx, dbsapi.ActionDownloadTasks, "BackupSetDownloadTaskDetail", map[string]string{"BackupPlanId": planID}, &rows)
	return rows, err
}

func (n node) plans(ctx context.Context, region string) ([]dbs.BackupPlanDetail, error) {
	var rows []dbs.BackupPlanDetail
	err := n.list(ctx, dbsapi.ActionBackupPlans, "BackupPlanDetail", map[string]string{"Region": region}, &rows)
	return rows, err
}

func (n node) gateways(ctx context.Context, region string) ([]dbs.BackupGateway, error) {
	var rows []dbs.BackupGateway
	err := n.list(ctx, dbsapi.ActionBackupGateways, "BackupGateway", map[string]string{"Region": region}, &rows)
	return rows, err
}

// list lets the script read every page.
func (n node) list(ctx context.Context, action, listName string, query map[string]string, into any) error {
	order, err := json.Marshal(map[string]any{
		"module": n.module, "endpoint": n.host, "keys": n.keys, "action": action, "version": official.APIVersion,
		"query": query, "pageSize": pageSize, "listName": listName,
	})
	if err != nil {
		return err
	}
	var stdout, stderr bytes.Buffer
	script := exec.CommandContext(ctx, "node", "list.mjs")
	script.Dir, script.Stdin, script.Stdout, script.Stderr = npm.Dir, bytes.NewReader(order), &stdout, &stderr
	if err := script.Run(); err != nil {
		return fmt.Errorf("list.mjs: %w\n%s", err, stderr.Bytes())
	}
	var answer struct {
		Code string
		Rows json.RawMessage
	}
	if err := json.Unmarshal(stdout.Bytes(), &answer); err != nil {
		return fmt.Errorf("output of list.mjs: %w\n%s", err, stdout.Bytes())
	}
	if answer.Code != "" {
		return nodeError{answer.Code}
	}
	return json.Unmarshal(answer.Rows, into)
}
