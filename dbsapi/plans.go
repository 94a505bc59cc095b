package dbsapi

import (
	"context"
	"iter"
	"strings"
	"time"
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
	// DownloadGatewayID is the backup gateway that carries automatic downloads,
	// else empty. The row's other gateway, BackupGatewayId, is the one that reads
	// the source of the backups.
	DownloadGatewayID string
	// ResourceGroupID is the resource group, such as rg-aekzecovzti2abc.
	ResourceGroupID string
	// ChargeType is PREPAY for a plan that was bought for a time, else POSTPAY or
	// empty. Not every row has it.
	ChargeType string
	// Expires is when the time that was paid for ends. It is zero where the row
	// has no such time, or a bad one.
	Expires time.Time
}

// Prepaid reports whether the plan was bought for a time. A plan without a charge
// type counts as one if it expires.
func (p *BackupPlan) Prepaid() bool {
	return strings.EqualFold(p.ChargeType, "PREPAY") || p.ChargeType == "" && !p.Expires.IsZero()
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
	case "BackupSetDownloadGatewayId":
		p.DownloadGatewayID, err = d.gatewayID()
	case "ResourceGroupId":
		p.ResourceGroupID, err = d.internedString()
	case "InstanceChargeType":
		p.ChargeType, err = d.internedString()
	case "InstanceExpiredTimestamp":
		p.Expires, _, err = d.milliseconds()
	default:
		return false, d.skip()
	}
	return true, err
}
