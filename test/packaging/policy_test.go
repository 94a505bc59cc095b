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

// The policy grants what the exporter calls, and nothing else, also where readers paste it from.
func TestPolicy(t *testing.T) {
	want := map[string]any{
		"Version": "1",
		"Statement": []any{map[string]any{
			"Effect":   "Allow",
			"Action":   []any{"dbs:" + dbsapi.ActionDownloadTasks, "dbs:" + dbsapi.ActionBackupPlans},
			"Resource": "*",
		}},
	}
	for name, pattern := range map[string]string{
		"deploy/ram/policy.json": `(?s)^(.*)$`,
		"README.md":              "(?s)```json\n(.*?)```",
		"docs/README.zh-CN.md":   "(?s)```json\n(.*?)```",
	} {
		text, err := os.ReadFile(filepath.Join(exporter.Root(t), filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		blocks := regexp.MustCompile(pattern).FindAllSubmatch(text, -1)
		if len(blocks) != 1 {
			t.Fatalf("%s has %d blocks of JSON, want the policy alone", name, len(blocks))
		}
		var got any
		if err := json.Unmarshal(blocks[0][1], &got); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
