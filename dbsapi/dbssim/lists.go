package dbssim

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Plan is a backup plan.
type Plan struct {
	ID           string
	Name         string
	Region       string
	Status       string
	DatabaseType string
	AutoDownload bool
	// DownloadGatewayID is the backup gateway of automatic downloads, 0 for none.
	DownloadGatewayID int64
	ResourceGroupID   string
	// Expires is when a prepaid plan expires. A plan without it is a postpaid one.
	Expires time.Time
	// Tasks returns the plan's download tasks at a time, in the order of the
	// list; nil means none. Every request calls it, so a long list should be a
	// [History].
	Tasks func(now time.Time) []Task
}

// Fixed is a plan's Tasks that do not change.
func Fixed(tasks ...Task) func(time.Time) []Task {
	return func(time.Time) []Task { return tasks }
}

// Task is a download task. Times that are zero are sent as 0, as the API does for a task that is not finished.
type Task struct {
	ID, Name, BackupSetID string
	JobType, DBType       string
	Format, Status, Way   string
	TargetType            string
	GatewayID             int64
	Bytes                 int64
	Created, Finished     time.Time
	// Raw replaces members of the row by name; a nil value removes the member.
	Raw map[string]any

	// arrival and change number the tasks and changes of a History.
	arrival, change int64
}

// row writes a task as the API does, with the members that must never leave a client: capability URLs, a directory
// and error text.
func (t Task) row(planID string) map[string]any {
	row := map[string]any{
		"BackupPlanId":                   strings.TrimPrefix(planID, "dbs"),
		"BackupSetDownloadTaskId":        t.ID,
		"BackupSetDownloadTaskName":      t.Name,
		"BackupSetId":                    t.BackupSetID,
		"BackupSetCode":                  t.BackupSetID,
		"BackupSetJobType":               t.JobType,
		"BackupSetDbType":                t.DBType,
		"BackupSetDataFormat":            t.Format,
		"BackupSetDataSize":              t.Bytes,
		"BackupSetDownloadStatus":        t.Status,
		"BackupSetDownloadWay":           t.Way,
		"BackupSetDownloadCreateTime":    milliseconds(t.Created),
		"BackupSetDownloadFinishTime":    milliseconds(t.Finished),
		"BackupSetDownloadTargetType":    orNone(t.TargetType),
		"BackupSetDownloadDir":           orNone(""),
		"BackupGatewayId":                t.GatewayID,
		"BackupSetDownloadInternetUrl":   `"//` + CapabilityURL + `/` + t.ID + `"`,
		"BackupSetDownloadIntranetUrl":   `"//` + CapabilityURL + `/` + t.ID + `?internal"`,
		"ErrMessage":                     FreeText,
		"BackupSetDownloadUndocumented":  map[string]any{"Nested": []int{1, 2, 3}},
		"BackupSetDownloadUndocumented2": nil,
	}
	if t.Way == "auto" {
		row["BackupSetDownloadDir"] = SecretDirectory
	}
	for name, value := range t.Raw {
		row[name] = value
		if value == nil {
			delete(row, name)
		}
	}
	return row
}

// Marks of what every row carries and no exporter may show; tests search outputs for them.
const (
	CapabilityURL   = "dbs-capability-url-mark.oss.example"
	FreeText        = "java.lang.IllegalStateException: free-text-mark"
	SecretDirectory = "/secret-directory-mark/backups"
)

func milliseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func orNone(s string) string { return cmp.Or(s, "无") }

// listTasks answers DescribeBackupSetDownloadTaskList.
func (s *Simulator) listTasks(account *Account, call Request, params url.Values, fault *Fault) (map[string]any, *gatewayError) {
	size := number(params.Get("PageSize"), 30)
	if !slices.Contains([]int{30, 50, 100}, size) || call.Page < 0 {
		return nil, gateway(http.StatusBadRequest, "InvalidParameter", "The specified parameter PageSize or PageNum is not valid.")
	}
	if (call.PlanID == "") == (call.TaskID == "") {
		return nil, gateway(http.StatusBadRequest, "MissingBackupPlanId", "BackupPlanId or BackupSetDownloadTaskId is mandatory for this action.")
	}
	for _, p := range account.Plans {
		if call.PlanID != "" && p.ID != call.PlanID {
			continue
		}
		var tasks []Task
		if p.Tasks != nil {
			tasks = p.Tasks(s.now())
		}
		if call.TaskID != "" {
			i := slices.IndexFunc(tasks, func(t Task) bool { return t.ID == call.TaskID })
			if i < 0 {
				continue
			}
			tasks = tasks[i : i+1]
		}
		row := func(i int) map[string]any { return tasks[i].row(p.ID) }
		return page(len(tasks), row, "BackupSetDownloadTaskDetail", call.Page, size, fault), nil
	}
	return nil, gateway(http.StatusBadRequest, "Param.NotFound", "The specified parameter BackupPlanId value is not valid.")
}

// listPlans answers DescribeBackupPlanList.
func (s *Simulator) listPlans(account *Account, call Request, params url.Values, fault *Fault) (map[string]any, *gatewayError) {
	size := number(params.Get("PageSize"), 30)
	if size < 1 || size > 100 || call.Page < 0 {
		return nil, gateway(http.StatusBadRequest, "InvalidParameter", "The specified parameter PageSize or PageNum is not valid.")
	}
	var rows []map[string]any
	for _, p := range account.Plans {
		status := cmp.Or(p.Status, "running")
		if call.Region != "" && p.Region != call.Region ||
			call.PlanID != "" && !slices.Contains(strings.Split(call.PlanID, ","), p.ID) ||
			params.Get("BackupPlanName") != "" && params.Get("BackupPlanName") != p.Name ||
			params.Get("BackupPlanStatus") != "" && params.Get("BackupPlanStatus") != status {
			continue
		}
		rows = append(rows, map[string]any{
			"BackupPlanId":              p.ID,
			"BackupPlanName":            p.Name,
			"BackupPlanStatus":          status,
			"DatabaseType":              p.DatabaseType,
			"OpenBackupSetAutoDownload": p.AutoDownload,
			"OSSBucketRegion":           p.Region,
			"SourceEndpointUserName":    "dbs",
			"SourceEndpointIpPort":      "192.0.2.1:3306",
			"BackupSetDownloadDir":      SecretDirectory,
			"ErrMessage":                FreeText,

			"BackupGatewayId":            sourceGatewayID,
			"BackupSetDownloadGatewayId": p.DownloadGatewayID,
			"ResourceGroupId":            p.ResourceGroupID,
			"InstanceChargeType":         p.chargeType(),
			"InstanceExpiredTimestamp":   milliseconds(p.Expires),
		})
	}
	return page(len(rows), func(i int) map[string]any { return rows[i] }, "BackupPlanDetail", call.Page, size, fault), nil
}

// page makes the rows of one page out of total and wraps them. ErrCode is filled
// in good answers too, as the documented samples have it.
func page(total int, row func(i int) map[string]any, listName string, num, size int, fault *Fault) map[string]any {
	if fault != nil {
		num = fault.pageNum(num)
		if fault.MaxPageSize > 0 {
			size = min(size, fault.MaxPageSize)
		}
	}
	items := []map[string]any{}
	if num <= total/size {
		for i := num * size; i < min(num*size+size, total); i++ {
			items = append(items, row(i))
		}
	}
	envelope := map[string]any{
		"HttpStatusCode": http.StatusOK,
		"RequestId":      requestID(),
		"Success":        true,
		"ErrCode":        "Param.NotFound",
		"ErrMessage":     "The specified parameter %s value is not valid.",
		"PageNum":        num,
		"PageSize":       size,
		"TotalPages":     (total + size - 1) / size,
		"TotalElements":  total,
		"Items":          map[string]any{listName: items},
	}
	if fault != nil && fault.Envelope != nil {
		fault.Envelope(envelope)
	}
	return envelope
}

// number reads a parameter, which the API documents as an integer of 32 bits. Anything else is an invalid -1.
func number(s string, absent int) int {
	if s == "" {
		return absent
	}
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil {
		return -1
	}
	return int(n)
}
