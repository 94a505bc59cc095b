// Package download decides which pages and tasks of a plan's list a poll must
// read, and turns rows into what the exporter shows of them: sums, the tasks that
// get series of their own, and the downloads that have ended since the last poll.
//
// It has no clock and no log, and its requests go through a [Source].
package download

import (
	"strings"
	"time"

	"aliyun_dbs_exporter/dbsapi"
)

// BackupType is the kind of backup that a task downloads.
type BackupType uint8

// The backup types. The API's set of job types is open.
const (
	BackupFull BackupType = iota
	BackupIncremental
	BackupUnknown
	// NumBackupTypes is the number of backup types.
	NumBackupTypes
)

var backupTypeNames = [NumBackupTypes]string{"full", "incremental", "unknown"}

// String returns the value of the label backup_type.
func (b BackupType) String() string { return backupTypeNames[b] }

func parseBackupType(jobType string) BackupType {
	switch jobType {
	case dbsapi.JobTypeFull:
		return BackupFull
	case dbsapi.JobTypeIncremental:
		return BackupIncremental
	}
	return BackupUnknown
}

// Task is a download task. Its texts are fit for label values: valid UTF-8 of
// at most 256 bytes.
type Task struct {
	ID          string
	Name        string
	BackupSetID string
	DBType      string
	DataFormat  string
	Way         string
	TargetType  string
	GatewayID   string

	Status     Status
	BackupType BackupType
	// DataBytes is the size of the backup set, 0 if it is not known.
	DataBytes int64
	// Created and Finished are zero if they are not known. Finished is as the
	// API sent it; see EndedAt.
	Created, Finished time.Time
}

// EndedAt returns when the task ended, or zero if it has not, or if its end is
// not known.
func (t *Task) EndedAt() time.Time {
	if !t.Status.Terminal() {
		return time.Time{}
	}
	return t.Finished
}

// Duration returns the time from creation to end of a task that has ended, and
// whether both are known and in order.
func (t *Task) Duration() (time.Duration, bool) {
	ended := t.EndedAt()
	if ended.IsZero() || t.Created.IsZero() || ended.Before(t.Created) {
		return 0, false
	}
	return ended.Sub(t.Created), true
}

// sortTime is when the task ended, else when it was created.
func (t *Task) sortTime() time.Time {
	if ended := t.EndedAt(); !ended.IsZero() {
		return ended
	}
	return t.Created
}

// setTexts takes the texts that are shown of a row, the ID excepted.
func (t *Task) setTexts(row *dbsapi.DownloadTask) {
	t.Name = LabelValue(row.Name)
	t.BackupSetID = LabelValue(row.BackupSetID)
	t.DBType = LabelValue(row.DBType)
	t.DataFormat = LabelValue(row.DataFormat)
	t.Way = LabelValue(row.Way)
	t.TargetType = LabelValue(row.TargetType)
	t.GatewayID = LabelValue(row.GatewayID)
}

// cloneTexts makes the task independent of the answer that it was decoded
// from. Texts with few distinct values share their memory through words.
func (t *Task) cloneTexts(words map[string]string) {
	t.ID = strings.Clone(t.ID)
	t.Name = strings.Clone(t.Name)
	t.BackupSetID = strings.Clone(t.BackupSetID)
	for _, text := range []*string{&t.DBType, &t.DataFormat, &t.Way, &t.TargetType, &t.GatewayID} {
		word, known := words[*text]
		if !known {
			word = strings.Clone(*text)
			words[word] = word
		}
		*text = word
	}
}

// maxLabelBytes bounds label values from the API, which may send texts of any
// length. Names in the console are far shorter.
const maxLabelBytes = 256

// LabelValue returns the text as a label value: valid UTF-8, at most
// maxLabelBytes, without the bytes of a character that was cut. A text that was
// cut holds on to no memory of the whole one.
func LabelValue(text string) string {
	if len(text) > maxLabelBytes {
		text = strings.Clone(text[:maxLabelBytes])
	}
	return strings.ToValidUTF8(text, "")
}
