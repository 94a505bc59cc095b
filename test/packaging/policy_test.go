package packaging

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/dbsapi"

	"test/internal/exporter"
)

// Each policy grants what an extent of use calls, and nothing else, also where readers paste one from.
func TestPolicies(t *testing.T) {
	files, err := os.ReadDir(filepath.Join(exporter.Root(t), "deploy/ram"))
	if err != nil || len(files) != 3 {
		t.Errorf("%d files in deploy/ram, %v", len(files), err)
	}
	discovery := []string{dbsapi.ActionDownloadTasks, dbsapi.ActionBackupPlans}
	for name, policy := range map[string]struct {
		pattern string
		actions []string
	}{
		"deploy/ram/configured-plans.json": {`(?s)^(.*)$`, []string{dbsapi.ActionDownloadTasks}},
		"deploy/ram/policy.json":           {`(?s)^(.*)$`, discovery},
		"deploy/ram/gateways.json":         {`(?s)^(.*)$`, append(discovery, dbsapi.ActionBackupGateways)},
		"README.md":                        {"(?s)```json\n(.*?)```", discovery},
		"docs/README.zh-CN.md":             {"(?s)```json\n(.*?)```", discovery},
	} {
		text, err := os.ReadFile(filepath.Join(exporter.Root(t), filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		blocks := regexp.MustCompile(policy.pattern).FindAllSubmatch(text, -1)
		if len(blocks) != 1 {
			t.Fatalf("%s has %d blocks of JSON, want the policy alone", name, len(blocks))
		}
		var got any
		if err := json.Unmarshal(blocks[0][1], &got); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		granted := make([]any, len(policy.actions))
		for i, action := range policy.actions {
			granted[i] = "dbs:" + action
		}
		want := map[string]any{
			"Version":   "1",
			"Statement": []any{map[string]any{"Effect": "Allow", "Action": granted, "Resource": "*"}},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
