package dbsapi

import (
	"context"
	"iter"
	"strconv"
	"time"
)

// ActionBackupGateways is the operation behind [Client.BackupGateways]. Its RAM action has the prefix "dbs:".
const ActionBackupGateways = "DescribeBackupGatewayList"

// The documented values of [BackupGateway.Status].
const (
	GatewayOnline    = "ONLINE"
	GatewayOffline   = "OFFLINE"
	GatewayStopped   = "STOPPED"
	GatewayUpgrading = "UPGRADING"
)

// BackupGateway is one row of DescribeBackupGatewayList: a program on a
// customer's host that pulls backup sets there. Every field may be empty. The
// host's name and addresses are not decoded.
type BackupGateway struct {
	// ID is the same text as [BackupPlan.DownloadGatewayID] and
	// [DownloadTask.GatewayID] have for the gateway.
	ID string
	// Name is the one that the console shows.
	Name string
	// Status is one of the Gateway constants, or a value that the API does not document.
	Status string
	// LastHeartbeat is when the gateway last reported to the service. It is zero
	// where the row has no such time, or a bad one.
	LastHeartbeat time.Time
}

// GatewayQuery selects backup gateways.
type GatewayQuery struct {
	// Region is the one of the gateways. The API requires it.
	Region string
}

// BackupGateways lists backup gateways page by page; errors come as from [Client.DownloadTasks].
func (c *Client) BackupGateways(ctx context.Context, q GatewayQuery, pace Pace) iter.Seq2[Page[BackupGateway], error] {
	return pages(ctx, c, pace, listOperation[BackupGateway]{
		action:   ActionBackupGateways,
		params:   map[string]string{"Region": q.Region},
		listName: "BackupGateway",
		field:    (*BackupGateway).field,
		id:       func(g BackupGateway) string { return g.ID },
	})
}

// field takes one member of a row.
func (g *BackupGateway) field(d *decoder, name []byte) (known bool, err error) {
	switch string(name) {
	case "BackupGatewayId":
		g.ID, err = d.gatewayID()
	case "DisplayName":
		g.Name, err = d.string()
	case "BackupGatewayStatus":
		g.Status, err = d.internedString()
	case "LastHeartbeatTime":
		g.LastHeartbeat, _, err = d.milliseconds()
	default:
		return false, d.skip()
	}
	return true, err
}

// gatewayID reads the ID of a gateway. The API documents it as a string in the
// list of gateways and as an int64 in tasks and plans, where 0 means none: what
// is a number in either form becomes decimal text, so that the IDs are equal.
func (d *decoder) gatewayID() (string, error) {
	text, err := d.internedString()
	if len(text) > maxID {
		return "", err
	}
	var digits [20]byte
	switch n := parseInteger(text); {
	case n.malformed:
		return text, err
	case n.value == 0:
		return "", err
	default:
		return d.intern(strconv.AppendInt(digits[:0], n.value, 10)), err
	}
}
