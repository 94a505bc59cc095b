package poll

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/go-kit/log/level"

	"aliyun_dbs_exporter/collector/download"
	"aliyun_dbs_exporter/dbsapi"
)

// GatewayStatus is the status of a backup gateway.
type GatewayStatus string

// The documented statuses of a gateway, and what stands for all others.
const (
	GatewayOnline    GatewayStatus = "online"
	GatewayOffline   GatewayStatus = "offline"
	GatewayStopped   GatewayStatus = "stopped"
	GatewayUpgrading GatewayStatus = "upgrading"
	GatewayUnknown   GatewayStatus = "unknown"
)

func parseGatewayStatus(raw string) GatewayStatus {
	switch raw {
	case dbsapi.GatewayOnline:
		return GatewayOnline
	case dbsapi.GatewayOffline:
		return GatewayOffline
	case dbsapi.GatewayStopped:
		return GatewayStopped
	case dbsapi.GatewayUpgrading:
		return GatewayUpgrading
	}
	return GatewayUnknown
}

// Gateway is a backup gateway. It has no host name and no address.
type Gateway struct {
	// ID is decimal text, unless the API sends something else.
	ID     string
	Name   string
	Status GatewayStatus
	// LastHeartbeat is zero if the API does not say it.
	LastHeartbeat time.Time
}

// GatewayList is the outcome of a target's lists of backup gateways.
type GatewayList struct {
	List
	// Rows are the gateways, by ID; nil once the last successful list is too old.
	Rows []Gateway
}

// Find returns the gateway of an ID, nil if there is none or if it is not known.
func (l *GatewayList) Find(id string) *Gateway {
	if l == nil {
		return nil
	}
	i := slices.IndexFunc(l.Rows, func(g Gateway) bool { return g.ID == id })
	if i < 0 {
		return nil
	}
	return &l.Rows[i]
}

// gatewayIDPattern is wider than the IDs that the API gives, which are decimal.
var gatewayIDPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// gatewaySource lists a target's backup gateways.
func (p *Poller) gatewaySource(t *target) source[dbsapi.BackupGateway] {
	return source[dbsapi.BackupGateway]{
		action:   dbsapi.ActionBackupGateways,
		noun:     "gateway",
		failed:   "List of backup gateways failed, the last successful one ages",
		interval: time.Duration(t.config.Gateways.Interval),
		pages: func(ctx context.Context, pace dbsapi.Pace) iter.Seq2[dbsapi.Page[dbsapi.BackupGateway], error] {
			return t.client.BackupGateways(ctx, dbsapi.GatewayQuery{Region: t.id.RegionID}, pace)
		},
		id:      func(row dbsapi.BackupGateway) string { return row.ID },
		usable:  gatewayIDPattern.MatchString,
		keep:    keptGateway,
		tooMany: errTooManyGateways,
		publish: func(r listed[dbsapi.BackupGateway]) {
			p.update(t.id, func(now, before *target) bool {
				if !before.gateways.continues(t.gateways) {
					return false
				}
				now.gateways = before.gateways.next(r, time.Now())
				p.logGateways(now, before)
				return true
			})
		},
	}
}

// errTooManyGateways is the failure of a list of gateways that is too long.
var errTooManyGateways = fmt.Errorf("gateway list has more than %d gateways", maxRows)

// keptGateway returns what is kept of a row: texts no longer than a label.
func keptGateway(row, _ dbsapi.BackupGateway) dbsapi.BackupGateway {
	row.Name, row.Status = download.LabelValue(row.Name), download.LabelValue(row.Status)
	return row
}

// logGateways writes what a list has that cannot be understood.
func (p *Poller) logGateways(now, before *target) {
	if n := now.gateways.unusable; n != before.gateways.unusable && n > 0 {
		level.Warn(now.logger).Log("msg", "Backup gateways whose ID is not usable are not shown", "gateways", n)
	}
	for id, row := range now.gateways.rows {
		if parseGatewayStatus(row.Status) == GatewayUnknown {
			p.unknown.logGateway(now.logger, id, row.Status)
		}
	}
}

// gatewayRows returns the gateways of the last successful list, by ID.
func (t *target) gatewayRows() []Gateway {
	gateways := make([]Gateway, 0, len(t.gateways.rows))
	for _, id := range slices.SortedFunc(maps.Keys(t.gateways.rows), compareIDs) {
		row := t.gateways.rows[id]
		gateways = append(gateways, Gateway{
			ID:            id,
			Name:          row.Name,
			Status:        parseGatewayStatus(row.Status),
			LastHeartbeat: row.LastHeartbeat,
		})
	}
	return gateways
}

// compareIDs orders decimal numbers by their value.
func compareIDs(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) }
