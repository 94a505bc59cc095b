package packaging

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/dbsapi"

	"test/internal/exporter"
)

// The policy grants what the exporter calls, and nothing else.
func TestPolicy(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(exporter.Root(t), "deploy/ram/policy.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"Version": "1",
		"Statement": []any{map[string]any{
			"Effect":   "Allow",
			"Action":   []any{"dbs:" + dbsapi.ActionDownloadTasks, "dbs:" + dbsapi.ActionBackupPlans},
			"Resource": "*",
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("deploy/ram/policy.json (-want +got):\n%s", diff)
	}
}
