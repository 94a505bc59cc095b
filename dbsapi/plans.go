package dbsapi

import (
	"context"
	"iter"
)

// ActionBackupPlans is the operation behind [Client.BackupPlans]. Its RAM action has the prefix "dbs:".
const ActionBackupPlans = "DescribeBackupPlanList"

// BackupPlan is one row of DescribeBackupPlanList, reduced to what
// identifies a plan and how it downloads. Every field may be empty.
type BackupPlan struct {
	ID   string
	Name string
	// Status is wait, init, running, stop, pause, locked or check_pass, or a value that the API does not document.
	Status string
	// DatabaseType is the database engine, such as MySQL.
	DatabaseType string
	// AutoDownload reports whether every new backup set is downloaded to a server with a backup gateway.
	AutoDownload bool
	// AutoDownloadKnown is false if the row does not say.
	AutoDownloadKnown bool
}

// PlanStatuses are the statuses of a plan that the API documents
// (DescribeBackupPlanList).
var PlanStatuses = []string{"wait", "init", "running", "stop", "pause", "locked", "check_pass"}

// PlanQuery selects backup plans.
type PlanQuery struct {
	// Region limits the list to one region. Several regions share an endpoint, so it is needed to tell them apart.
	Region string
}

// BackupPlans lists backup plans page by page; errors come as from [Client.DownloadTasks].
func (c *Client) BackupPlans(ctx context.Context, q PlanQuery, pace Pace) iter.Seq2[Page[BackupPlan], error] {
	return pages(ctx, c, pace, listOperation[BackupPlan]{
		action:   ActionBackupPlans,
		params:   map[string]string{"Region": q.Region},
		listName: "BackupPlanDetail",
		field:    (*BackupPlan).field,
		id:       func(p BackupPlan) string { return p.ID },
	})
}

// field takes one member of a row.
func (p *BackupPlan) field(d *decoder, name []byte) (known bool, err error) {
	switch string(name) {
	case "BackupPlanId":
		p.ID, err = d.id()
	case "BackupPlanName":
		p.Name, err = d.string()
	case "BackupPlanStatus":
		p.Status, err = d.internedString()
	case "DatabaseType":
		p.DatabaseType, err = d.internedString()
	case "OpenBackupSetAutoDownload":
		var open flag
		open, err = d.flag()
		p.AutoDownload, p.AutoDownloadKnown = open == flagTrue, open == flagTrue || open == flagFalse
	default:
		return false, d.skip()
	}
	return true, err
}
