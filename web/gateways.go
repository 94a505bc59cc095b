package web

import (
	"time"

	"aliyun_dbs_exporter/collector/poll"
)

// gatewaysStatus is the outcome of a target's lists of backup gateways.
type gatewaysStatus struct {
	listStatus
	// Gateways are those of the last successful list, unless it is too old.
	Gateways []gatewayStatus `json:"gateways"`
}

// gatewayStatus is a backup gateway, without its host's name and addresses.
type gatewayStatus struct {
	ID     string `json:"gateway_id"`
	Name   string `json:"gateway_name,omitempty"`
	Status string `json:"status"`
	// LastHeartbeatAt is when the gateway last reported to DBS.
	LastHeartbeatAt time.Time `json:"last_heartbeat_at,omitzero"`
}

const (
	// gatewayNotListed is the status of a gateway that a plan names and the account
	// does not have in the region.
	gatewayNotListed = "not_listed"
	// gatewaySilent is the state of one that counts as online and has not reported
	// for long.
	gatewaySilent = "silent"
)

func newGatewaysStatus(l *poll.GatewayList) *gatewaysStatus {
	status := &gatewaysStatus{listStatus: newListStatus(&l.List), Gateways: make([]gatewayStatus, 0, len(l.Rows))}
	for i := range l.Rows {
		status.Gateways = append(status.Gateways, newGatewayStatus(&l.Rows[i]))
	}
	return status
}

func newGatewayStatus(g *poll.Gateway) gatewayStatus {
	return gatewayStatus{ID: g.ID, Name: g.Name, Status: string(g.Status), LastHeartbeatAt: g.LastHeartbeat}
}

// Tally counts the gateways by status, in the order of the legend.
func (s *gatewaysStatus) Tally() (tally []gatewayCount) {
	for _, state := range gatewayStates {
		n := 0
		for _, g := range s.Gateways {
			if g.Status == state.Value {
				n++
			}
		}
		if n > 0 {
			tally = append(tally, gatewayCount{state, n})
		}
	}
	return tally
}

type gatewayCount struct {
	State    badge
	Gateways int
}

// planGateway is the gateway that carries the downloads of a plan.
type planGateway struct {
	gatewayStatus
	// Blocks reports whether the plan's automatic downloads wait for the gateway: it
	// is listed and not online, or it has not reported for long.
	Blocks bool `json:"blocks_downloads"`
	// State is what the page says: the status, or gatewaySilent.
	State string `json:"-"`
}

// silentAfter is how long a gateway that counts as online may not have reported,
// as in the alert.
const silentAfter = 10 * time.Minute

// newPlanGateway returns the gateway of a plan, nil if it is not known.
func newPlanGateway(l *poll.GatewayList, info *poll.PlanInfo) *planGateway {
	if l == nil || !l.Fresh || info.DownloadGatewayID == "" {
		return nil
	}
	row := l.Find(info.DownloadGatewayID)
	if row == nil {
		return &planGateway{gatewayStatus: gatewayStatus{ID: info.DownloadGatewayID, Status: gatewayNotListed}, State: gatewayNotListed}
	}
	g := &planGateway{gatewayStatus: newGatewayStatus(row), State: string(row.Status)}
	silent := !row.LastHeartbeat.IsZero() && l.SucceededAt.Sub(row.LastHeartbeat) > silentAfter
	if silent && row.Status == poll.GatewayOnline {
		g.State = gatewaySilent
	}
	auto := info.AutoDownload == nil || *info.AutoDownload
	g.Blocks = auto && g.State != string(poll.GatewayOnline)
	return g
}
