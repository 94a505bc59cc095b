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

// record is what is kept of a task from poll to poll: what a row says, its texts
// excepted. A plan may list 100,000 tasks, so a record has 40 bytes.
type record struct {
	// created and finished are in milliseconds since 1970, 0 if not known.
	created, finished int64
	bytes             int64
	// id is where the ID begins in table.ids, idLen its length.
	id    uint32
	idLen uint16
	// since is when the status was first seen, in seconds since 1970.
	since      uint32
	status     Status
	backupType BackupType
	// invalid has a bit for each InvalidReason.
	invalid uint8
	flags   flags
}

type flags uint8

const (
	// settled: the task need not be read with each poll.
	settled flags = 1 << iota
	// awaited: the task's end is done with, and its finish time is not known.
	awaited
)

// judge decides what a row says and what is wrong with it.
func judge(row *dbsapi.DownloadTask) (id string, r record) {
	// Cut before it is compared: two IDs that are cut to the same text would
	// make the same series.
	id = LabelValue(row.ID)
	r = record{
		created:    milliseconds(row.Created),
		finished:   milliseconds(row.Finished),
		bytes:      max(0, row.DataBytes),
		status:     ParseStatus(row.Status),
		backupType: parseBackupType(row.JobType),
	}
	r.mark(MissingID, id == "")
	r.mark(BadTime, row.BadTime || r.created == 0 || r.status == StatusFinish && r.finished == 0)
	r.mark(NegativeDuration, r.status.Terminal() && r.finished != 0 && r.finished < r.created)
	r.mark(BadSize, row.BadSize || row.DataBytes < 0)
	return id, r
}

func (r *record) mark(reason InvalidReason, invalid bool) {
	if invalid {
		r.invalid |= 1 << reason
	}
}

func (r *record) has(reason InvalidReason) bool { return r.invalid&(1<<reason) != 0 }

func (r *record) is(f flags) bool { return r.flags&f != 0 }

func (r *record) set(f flags, on bool) {
	r.flags &^= f
	if on {
		r.flags |= f
	}
}

// same reports whether two rows of a task say the same, texts excepted.
func (r *record) same(other *record) bool {
	return r.created == other.created && r.finished == other.finished && r.bytes == other.bytes &&
		r.status == other.status && r.backupType == other.backupType && r.invalid == other.invalid
}

// sortTime is when the task ended, else when it was created.
func (r *record) sortTime() int64 {
	if r.status.Terminal() && r.finished != 0 {
		return r.finished
	}
	return r.created
}

// task returns the task without its texts, the ID excepted.
func (r *record) task(id string) Task {
	return Task{
		ID:         id,
		Status:     r.status,
		BackupType: r.backupType,
		DataBytes:  r.bytes,
		Created:    timeOf(r.created),
		Finished:   timeOf(r.finished),
	}
}

// taskWithTexts returns the task with the texts of its row.
func (r *record) taskWithTexts(id string, row *dbsapi.DownloadTask) Task {
	t := r.task(id)
	t.setTexts(row)
	return t
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
