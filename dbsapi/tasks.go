package dbsapi

import (
	"context"
	"errors"
	"iter"
	"time"
)

// ActionDownloadTasks is the operation behind [Client.DownloadTasks]. Its RAM action has the prefix "dbs:".
const ActionDownloadTasks = "DescribeBackupSetDownloadTaskList"

// The documented values of [DownloadTask.Status].
const (
	// StatusChecking: the precheck is running.
	StatusChecking = "checking"
	// StatusInit: the precheck failed and the task is not started.
	StatusInit = "init"
	// StatusCheckPass: the precheck is passed.
	StatusCheckPass = "check_pass"
	// StatusSchedule: the task waits to be scheduled.
	StatusSchedule = "schedule"
	// StatusRunning: the task is running.
	StatusRunning = "running"
	// StatusPause: the task is paused.
	StatusPause = "pause"
	// StatusStop: the task failed.
	StatusStop = "stop"
	// StatusFinish: the task is complete.
	StatusFinish = "finish"
)

// The documented values of [DownloadTask.JobType].
const (
	// JobTypeFull is a logical full backup.
	JobTypeFull = "cbs_backup_sub_full"
	// JobTypeIncremental is a logical incremental backup.
	JobTypeIncremental = "cbs_backup_sub_cont"
)

// DownloadTask is one row of DescribeBackupSetDownloadTaskList. Every field may
// be empty; texts are as the API sent them, but valid UTF-8, IDs are cut at 128
// bytes, and the literals 无 and N/A read as empty. The download URLs, the
// target directory and the error text of a row are not decoded: the URLs are
// capabilities, the rest is free text.
type DownloadTask struct {
	ID   string
	Name string
	// BackupSetID is the backup set that is downloaded.
	BackupSetID string
	// JobType tells full from incremental backups; the set of values is open.
	JobType string
	// DBType is the database engine, such as MySQL; the set of values is open.
	DBType string
	// DataFormat is Native, SQL, CSV or JSON.
	DataFormat string
	// Status is one of the Status constants, or a value that the API does not document.
	Status string
	// Way is manual or auto.
	Way string
	// TargetType is agent for an automatic download to a server with a backup gateway, else empty.
	TargetType string
	// GatewayID is the backup gateway of an automatic download, else empty.
	GatewayID string

	// DataBytes is the size of the backup set in bytes, 0 where it is absent or bad. The API page gives no unit;
	// the successor API documents the same value in bytes.
	DataBytes int64
	// BadSize reports whether the size is not a whole number or is negative.
	BadSize bool

	// Created and Finished have a precision of milliseconds; they are zero where the row has no such time, or a bad one.
	Created, Finished time.Time
	// BadTime reports whether a time is not a plausible number of milliseconds
	// since 1970.
	BadTime bool
}

// TaskQuery selects download tasks: all of a backup plan, or one by its ID. Exactly one field must be set.
type TaskQuery struct {
	PlanID string
	TaskID string
}

// DownloadTasks lists download tasks page by page, in the order of the API,
// which is not documented. A row may come twice if the list changes while it is
// read, and [Page.Number] 0 starts the list again.
//
// An error comes once, last, together with no page: an [*Error], the error of a
// context or of [Pace.Turn], or [ErrIncomplete].
func (c *Client) DownloadTasks(ctx context.Context, q TaskQuery, pace Pace) iter.Seq2[Page[DownloadTask], error] {
	params := map[string]string{"BackupPlanId": q.PlanID}
	if q.TaskID != "" {
		params = map[string]string{"BackupSetDownloadTaskId": q.TaskID}
	}
	if (q.PlanID == "") == (q.TaskID == "") {
		return errSeq[DownloadTask](errors.New("list download tasks: either a plan ID or a task ID must be set"))
	}
	return pages(ctx, c, pace, taskOperation(params))
}

func taskOperation(params map[string]string) listOperation[DownloadTask] {
	return listOperation[DownloadTask]{
		action:   ActionDownloadTasks,
		params:   params,
		listName: "BackupSetDownloadTaskDetail",
		field:    (*DownloadTask).field,
		id:       func(t DownloadTask) string { return t.ID },
	}
}

// field takes one member of a row.
func (t *DownloadTask) field(d *decoder, name []byte) (known bool, err error) {
	switch string(name) {
	case "BackupSetDownloadTaskId":
		t.ID, err = d.id()
	case "BackupSetDownloadTaskName":
		t.Name, err = d.string()
	case "BackupSetId":
		t.BackupSetID, err = d.id()
	case "BackupSetJobType":
		t.JobType, err = d.internedString()
	case "BackupSetDbType":
		t.DBType, err = d.internedString()
	case "BackupSetDataFormat":
		t.DataFormat, err = d.internedString()
	case "BackupSetDownloadStatus":
		t.Status, err = d.internedString()
	case "BackupSetDownloadWay":
		t.Way, err = d.internedString()
	case "BackupSetDownloadTargetType":
		t.TargetType, err = d.internedString()
	case "BackupGatewayId":
		t.GatewayID, err = d.gatewayID()
	case "BackupSetDataSize":
		t.DataBytes, t.BadSize, err = d.size()
	case "BackupSetDownloadCreateTime":
		err = t.time(d, &t.Created)
	case "BackupSetDownloadFinishTime":
		err = t.time(d, &t.Finished)
	default:
		return false, d.skip()
	}
	return true, err
}

func (t *DownloadTask) time(d *decoder, into *time.Time) error {
	at, bad, err := d.milliseconds()
	*into, t.BadTime = at, t.BadTime || bad
	return err
}

// size reads a number of bytes.
func (d *decoder) size() (bytes int64, bad bool, err error) {
	n, err := d.integer()
	if n.malformed || n.value < 0 {
		return 0, true, err
	}
	return n.value, false, err
}

// Times outside of these bounds are in another unit: 1e11 ms is 1973, and as seconds the year 5138;
// 253402300799999 ms is the end of the year 9999.
const (
	minMilliseconds = 100_000_000_000
	maxMilliseconds = 253_402_300_799_999
)

// milliseconds reads a time; 0 stands for "not yet".
func (d *decoder) milliseconds() (at time.Time, bad bool, err error) {
	n, err := d.integer()
	switch {
	case !n.malformed && n.value == 0:
		return time.Time{}, false, err
	case n.malformed, n.value < minMilliseconds, n.value > maxMilliseconds:
		return time.Time{}, true, err
	}
	return time.UnixMilli(n.value).UTC(), false, err
}
