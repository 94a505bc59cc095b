package download_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/collector/download"
	"aliyun_dbs_exporter/dbsapi"
)

func TestStatus(t *testing.T) {
	tests := []struct {
		raw       string
		want      download.Status
		name      string
		terminal  bool
		attention bool
	}{
		{"checking", download.StatusChecking, "checking", false, false},
		{"init", download.StatusInit, "init", false, true},
		{"check_pass", download.StatusCheckPass, "check_pass", false, false},
		{"schedule", download.StatusSchedule, "schedule", false, false},
		{"running", download.StatusRunning, "running", false, false},
		{"pause", download.StatusPause, "pause", false, true},
		{"stop", download.StatusStop, "stop", true, true},
		{"finish", download.StatusFinish, "finish", true, false},
		{"\tfinish ", download.StatusFinish, "finish", true, false},
		{"", download.StatusUnknown, "unknown", false, false},
		{"unknown", download.StatusUnknown, "unknown", false, false},
		{"Finish", download.StatusUnknown, "unknown", false, false},
		{"archived", download.StatusUnknown, "unknown", false, false},
	}
	for _, tt := range tests {
		s := download.ParseStatus(tt.raw)
		if s != tt.want || s.String() != tt.name || s.Terminal() != tt.terminal || s.NeedsAttention() != tt.attention {
			t.Errorf("%q is %v (terminal %t, needs attention %t), want %v (%t, %t)",
				tt.raw, s, s.Terminal(), s.NeedsAttention(), tt.name, tt.terminal, tt.attention)
		}
	}
}

// The names are label values, which dashboards and alerts rely on.
func TestLabelValues(t *testing.T) {
	var names []string
	for s := range download.NumStatuses {
		names = append(names, s.String())
	}
	for r := range download.NumInvalidReasons {
		names = append(names, r.String())
	}
	for b := range download.NumBackupTypes {
		names = append(names, b.String())
	}
	want := []string{
		"checking", "init", "check_pass", "schedule", "running", "pause", "stop", "finish", "unknown",
		"missing_id", "duplicate_id", "bad_time", "negative_duration", "bad_size",
		"full", "incremental", "unknown",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
}

func TestTask(t *testing.T) {
	full := dbsapi.DownloadTask{
		ID: "id", Name: "name", BackupSetID: "set", JobType: dbsapi.JobTypeIncremental, DBType: "MySQL", DataFormat: "SQL",
		Status: "finish", Way: "auto", TargetType: "agent", GatewayID: "7",
		DataBytes: 42, Created: ago(time.Hour), Finished: ago(time.Minute),
	}
	want := download.Task{
		ID: "id", Name: "name", BackupSetID: "set", DBType: "MySQL", DataFormat: "SQL",
		Way: "auto", TargetType: "agent", GatewayID: "7",
		Status: download.StatusFinish, BackupType: download.BackupIncremental,
		DataBytes: 42, Created: ago(time.Hour), Finished: ago(time.Minute),
	}
	l := list(t, everything, full)
	if diff := cmp.Diff([]download.Task{want}, l.Series); diff != "" {
		t.Error(diff)
	}
}

func TestDuration(t *testing.T) {
	tests := []struct {
		name              string
		status            string
		created, finished time.Time
		ended             time.Time
		want              string
	}{
		{"finished", "finish", ago(time.Hour), ago(time.Minute), ago(time.Minute), "59m0s"},
		{"failed", "stop", ago(time.Hour), ago(time.Minute), ago(time.Minute), "59m0s"},
		{"no time at all", "finish", ago(time.Hour), ago(time.Hour), ago(time.Hour), "0s"},
		{"still running", "running", ago(time.Hour), ago(time.Minute), never, "unknown"},
		{"created at an unknown time", "finish", never, ago(time.Minute), ago(time.Minute), "unknown"},
		{"ended at an unknown time", "finish", ago(time.Hour), never, never, "unknown"},
		{"ended before it was created", "finish", ago(time.Hour), ago(2 * time.Hour), ago(2 * time.Hour), "unknown"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			task := list(t, everything, row("a", tt.status, tt.created, tt.finished)).Series[0]
			got := "unknown"
			if d, ok := task.Duration(); ok {
				got = d.String()
			}
			if got != tt.want || !task.EndedAt().Equal(tt.ended) {
				t.Errorf("duration %s, ended at %v; want %s, %v", got, task.EndedAt(), tt.want, tt.ended)
			}
		})
	}
}

func TestBackupType(t *testing.T) {
	for jobType, want := range map[string]string{
		"cbs_backup_sub_full": "full", "cbs_backup_sub_cont": "incremental", "": "unknown", "cbs_backup_sub_new": "unknown",
	} {
		r := row("a", "finish", ago(time.Hour), ago(time.Minute))
		r.JobType = jobType
		if got := list(t, everything, r).Series[0].BackupType.String(); got != want {
			t.Errorf("%q is %s, want %s", jobType, got, want)
		}
	}
}

// Texts from the API become valid label values, in every field.
func TestTexts(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"plain", "nightly 備份", "nightly 備份"},
		{"special in the exposition format", "\"\\\n{}=,\x00", "\"\\\n{}=,\x00"},
		{"not UTF-8", "a\xff\xfeb", "ab"},
		{"256 bytes", strings.Repeat("x", 256), strings.Repeat("x", 256)},
		{"257 bytes", strings.Repeat("x", 257), strings.Repeat("x", 256)},
		{"cut within a character", strings.Repeat("中", 200), strings.Repeat("中", 85)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := row(tt.text, tt.text, ago(time.Hour), never)
			r.Name, r.BackupSetID, r.DBType, r.DataFormat = tt.text, tt.text, tt.text, tt.text
			r.Way, r.TargetType, r.GatewayID = tt.text, tt.text, tt.text
			l := list(t, everything, r)
			got := l.Series[0]
			want := download.Task{
				ID: tt.want, Name: tt.want, BackupSetID: tt.want, DBType: tt.want, DataFormat: tt.want,
				Way: tt.want, TargetType: tt.want, GatewayID: tt.want,
				Status: download.StatusUnknown, BackupType: download.BackupFull, DataBytes: 1, Created: ago(time.Hour),
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]string{tt.want}, l.Unknown); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Two IDs that are cut to the same text are one task: else their series would
// collide and fail the scrape.
func TestLongIDs(t *testing.T) {
	long := strings.Repeat("x", 256)
	l := list(t, everything, row(long+"a", "stop", ago(2*time.Hour), never), row(long+"b", "stop", ago(time.Hour), never))
	got := fmt.Sprint(l.Tasks, len(l.Series), l.Invalid[download.DuplicateID])
	if got != "1 1 1" {
		t.Errorf("tasks, series, duplicates: %s, want 1 1 1", got)
	}
}
