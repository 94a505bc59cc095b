package download

import (
	"time"

	"aliyun_dbs_exporter/dbsapi"
)

// InvalidReason is something wrong with a row.
type InvalidReason uint8

// The reasons why a row is invalid. A row may have several.
const (
	// MissingID: the row has no task ID.
	MissingID InvalidReason = iota
	// DuplicateID: another row of the listing has the same ID.
	DuplicateID
	// BadTime: a time is missing or implausible. A task in status stop may
	// lack a finish time, since it may have failed before it started.
	BadTime
	// NegativeDuration: the task ended before it was created.
	NegativeDuration
	// BadSize: the size is not a whole number, or negative.
	BadSize
	// NumInvalidReasons is the number of reasons.
	NumInvalidReasons
)

var invalidReasonNames = [NumInvalidReasons]string{
	"missing_id", "duplicate_id", "bad_time", "negative_duration", "bad_size",
}

// String returns the value of the label reason.
func (r InvalidReason) String() string { return invalidReasonNames[r] }

// state is what a row says about a task, its texts excepted: all that sums and
// ends need.
type state struct {
	id string
	// created and finished are in milliseconds since 1970, 0 if not known.
	created, finished int64
	bytes             int64
	// row is the number of the row in the listing.
	row        int32
	status     Status
	backupType BackupType
	// invalid has a bit for each InvalidReason.
	invalid uint8
}

// judge decides what a row says and what is wrong with it.
func judge(row *dbsapi.DownloadTask) state {
	s := state{
		// Cut before it is compared: two IDs that are cut to the same text
		// would make the same series.
		id:         LabelValue(row.ID),
		created:    milliseconds(row.Created),
		finished:   milliseconds(row.Finished),
		bytes:      max(0, row.DataBytes),
		status:     ParseStatus(row.Status),
		backupType: parseBackupType(row.JobType),
	}
	s.mark(MissingID, s.id == "")
	s.mark(BadTime, row.BadTime || s.created == 0 || s.status == StatusFinish && s.finished == 0)
	s.mark(NegativeDuration, s.status.Terminal() && s.finished != 0 && s.finished < s.created)
	s.mark(BadSize, row.BadSize || row.DataBytes < 0)
	return s
}

func (s *state) mark(r InvalidReason, invalid bool) {
	if invalid {
		s.invalid |= 1 << r
	}
}

func (s *state) has(r InvalidReason) bool { return s.invalid&(1<<r) != 0 }

// sortTime is when the task ended, else when it was created.
func (s *state) sortTime() int64 {
	if s.status.Terminal() && s.finished != 0 {
		return s.finished
	}
	return s.created
}

// task returns the task without its texts, the ID excepted.
func (s *state) task() Task {
	return Task{
		ID:         s.id,
		Status:     s.status,
		BackupType: s.backupType,
		DataBytes:  s.bytes,
		Created:    timeOf(s.created),
		Finished:   timeOf(s.finished),
	}
}

func milliseconds(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixMilli()
}

func timeOf(milliseconds int64) time.Time {
	if milliseconds == 0 {
		return time.Time{}
	}
	return time.UnixMilli(milliseconds).UTC()
}
