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

// Gateway is a backup gateway: a program on a customer's host.
type Gateway struct {
	ID     int64
	Name   string
	Region string
	// Status and Heartbeat are what the list says, unless Outages does.
	Status    string
	Heartbeat time.Time
	// Outages, where it has any, makes the gateway go offline and come back.
	Outages Outages
	// Raw replaces members of the row by name; a nil value removes the member.
	Raw map[string]any
}

// Marks of what every row of a gateway carries and no exporter may show.
const (
	HostName    = "hostname-mark.internal"
	HostAddress = "192.0.2.77"
)

// sourceGatewayID is the gateway that reads the source of every plan's backups. It has no part in downloads.
const sourceGatewayID = 827362187368736

// row writes a gateway as the API does: its ID is text here and a number in plans and tasks, and its identifier is
// something else than its ID.
func (g Gateway) row(now time.Time) map[string]any {
	status, heartbeat := g.Status, g.Heartbeat
	if g.Outages.Every > 0 {
		status, heartbeat = g.Outages.State(now)
	}
	row := map[string]any{
		"BackupGatewayId":          strconv.FormatInt(g.ID, 10),
		"Identifier":               "e" + strconv.FormatInt(g.ID*31, 36),
		"DisplayName":              g.Name,
		"Region":                   g.Region,
		"BackupGatewayStatus":      cmp.Or(status, "ONLINE"),
		"LastHeartbeatTime":        milliseconds(heartbeat),
		"BackupGatewayCreateTime":  milliseconds(now.Add(-365 * 24 * time.Hour)),
		"SourceEndpointHostname":   HostName,
		"SourceEndpointInternetIP": HostAddress,
		"SourceEndpointIntranetIP": HostAddress,
	}
	for name, value := range g.Raw {
		row[name] = value
		if value == nil {
			delete(row, name)
		}
	}
	return row
}

// listGateways answers DescribeBackupGatewayList.
func (s *Simulator) listGateways(account *Account, call Request, params url.Values, fault *Fault) (map[string]any, *gatewayError) {
	size := number(params.Get("PageSize"), 30)
	if !slices.Contains([]int{30, 50, 100}, size) || call.Page < 0 {
		return nil, gateway(http.StatusBadRequest, "InvalidParameter", "The specified parameter PageSize or PageNum is not valid.")
	}
	if call.Region == "" {
		return nil, gateway(http.StatusBadRequest, "MissingRegion", "Region is mandatory for this action.")
	}
	now := s.now()
	var rows []map[string]any
	for _, g := range account.Gateways {
		row := g.row(now)
		wanted := params.Get("Identifier")
		if g.Region == call.Region && (wanted == "" || slices.Contains(strings.Split(wanted, ","), row["Identifier"].(string))) {
			rows = append(rows, row)
		}
	}
	return page(len(rows), func(i int) map[string]any { return rows[i] }, "BackupGateway", call.Page, size, fault), nil
}

// SetGateway adds a gateway to the first account, or replaces the one of the same ID in any.
func (s *Simulator) SetGateway(g Gateway) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.accounts {
		for i := range a.Gateways {
			if a.Gateways[i].ID == g.ID {
				a.Gateways[i] = g
				return
			}
		}
	}
	s.accounts[0].Gateways = append(s.accounts[0].Gateways, g)
}

// chargeType is how a plan is paid for.
func (p Plan) chargeType() string {
	if p.Expires.IsZero() {
		return "POSTPAY"
	}
	return "PREPAY"
}

// Outages are times at which a gateway is offline: one of the length For in each period Every, the first from Start
// on. The zero value has none.
type Outages struct {
	Start      time.Time
	Every, For time.Duration
}

// heartbeatEvery is how often a gateway reports while it is online.
const heartbeatEvery = 30 * time.Second

// State returns a gateway's status and last heartbeat at a time.
func (o Outages) State(now time.Time) (status string, heartbeat time.Time) {
	if from, down := o.at(now); down {
		return "OFFLINE", from
	}
	return "ONLINE", now.Truncate(heartbeatEvery)
}

// at reports whether a time is in an outage, and since when.
func (o Outages) at(t time.Time) (from time.Time, down bool) {
	if o.Every <= 0 || t.Before(o.Start) {
		return time.Time{}, false
	}
	from = o.Start.Add(t.Sub(o.Start) / o.Every * o.Every)
	return from, t.Before(from.Add(o.For))
}

// After returns when work that begins at a time and takes d is done: it rests during outages.
func (o Outages) After(t time.Time, d time.Duration) time.Time {
	if o.Every <= o.For {
		return t.Add(d) // there are none, or no time between them
	}
	for {
		if from, down := o.at(t); down {
			t = from.Add(o.For)
		}
		next := o.Start
		if from, _ := o.at(t); !from.IsZero() {
			next = from.Add(o.Every)
		}
		if !t.Add(d).After(next) {
			return t.Add(d)
		}
		d -= next.Sub(t)
		t = next
	}
}
