package dbssim

import (
	"context"
	_ "embed"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

//go:embed demo.yml
var demoConfig string

// DemoConfig returns the exporter configuration that polls the simulator of [Demo] at an endpoint.
func DemoConfig(endpoint string) []byte {
	return []byte(strings.ReplaceAll(demoConfig, "ENDPOINT", endpoint))
}

// Sizes for the demo.
const (
	megabyte = 1_000_000
	gigabyte = 1_000 * megabyte
	terabyte = 1_000 * gigabyte
)

// Demo returns a simulator with an account whose tasks have a past of days and show every status within a minute of
// the given time.
func Demo(now time.Time) *Simulator {
	const (
		full        = "cbs_backup_sub_full"
		incremental = "cbs_backup_sub_cont"
	)
	orders := Life{
		Name: "orders", Start: now.Add(-time.Hour), Every: 15 * time.Second,
		JobType: incremental, DBType: "MySQL", Format: "Native", Way: "auto", GatewayID: 160813,
		MinBytes: 40 * megabyte, MaxBytes: 900 * megabyte, BytesPerSecond: 20 * megabyte,
		Checking: 5 * time.Second, Queued: 12 * time.Second, FailEvery: 17,
	}
	reports := Life{
		Name: "reports", Start: now.Add(-30*24*time.Hour - 2*time.Hour), Every: 24 * time.Hour,
		JobType: full, DBType: "PostgreSQL", Format: "SQL", Way: "auto", GatewayID: 160813,
		MinBytes: 2 * terabyte, MaxBytes: 3 * terabyte, BytesPerSecond: 150 * megabyte,
		Checking: 4 * time.Minute, Queued: 20 * time.Minute, FailEvery: 14,
	}
	users := Life{
		Name: "users", Start: now.Add(-2 * time.Hour), Every: 35 * time.Second,
		JobType: full, DBType: "MongoDB", Format: "JSON", Way: "manual",
		MinBytes: 5 * gigabyte, MaxBytes: 60 * gigabyte, BytesPerSecond: gigabyte,
		Checking: 8 * time.Second, Queued: 24 * time.Second, FailEvery: 9, PauseEvery: 25, PrecheckEvery: 12,
	}
	billing := Life{
		Name: "billing", Start: now.Add(-3 * time.Hour), Every: 90 * time.Second,
		JobType: full, DBType: "MySQL", Format: "CSV", Way: "auto", GatewayID: 160814,
		MinBytes: 100 * gigabyte, MaxBytes: 700 * gigabyte, BytesPerSecond: 5 * gigabyte,
		Checking: 6 * time.Second, Queued: 20 * time.Second, FailEvery: 40, PauseEvery: 60,
	}
	// A task takes 70 to 230 s, so about five have not ended; the other ten
	// thousand of those that are kept have.
	ledger := Life{
		Name: "ledger", Start: now.Add(-10_005 * 30 * time.Second), Every: 30 * time.Second,
		JobType: incremental, DBType: "MySQL", Format: "Native", Way: "auto", GatewayID: 160814,
		MinBytes: 400 * megabyte, MaxBytes: 2 * gigabyte, BytesPerSecond: 10 * megabyte,
		Checking: 10 * time.Second, Queued: 20 * time.Second,
	}
	keep := func(l Life, newest int) func(time.Time) []Task {
		return l.History(NewestFirst, Retention{Newest: newest}).Tasks
	}
	billing.GatewayID, billing.Outages = demoGatewayOutages, demoOutages(now)
	return New(nil, withGateways(now, Account{
		AccessKeyID:     "demo",
		AccessKeySecret: "demo-secret",
		Plans: []Plan{
			{ID: "dbsdemoorders01", Name: "orders-mysql", Region: "cn-hangzhou", DatabaseType: "MySQL", AutoDownload: true, Tasks: keep(orders, 130)},
			{ID: "dbsdemoreport01", Name: "reports-postgresql", Region: "cn-hangzhou", DatabaseType: "PostgreSQL", AutoDownload: true, Tasks: keep(reports, 30)},
			{ID: "dbsdemoempty001", Name: "archive-oracle", Region: "cn-hangzhou", DatabaseType: "Oracle"},
			{ID: "dbsdemousers001", Name: "users-mongodb", Region: "cn-shanghai", DatabaseType: "MongoDB", Tasks: keep(users, 60)},
			{ID: "dbsdemobilling1", Name: "billing-mysql", Region: "cn-shanghai", DatabaseType: "MySQL", AutoDownload: true, Tasks: keep(billing, 230)},
			{ID: "dbsdemoledger01", Name: "ledger-mysql", Region: "cn-shanghai", DatabaseType: "MySQL", AutoDownload: true, Tasks: keep(ledger, 10_005)},
		},
	}))
}

// DemoServer serves the simulator of [Demo] on a loopback port.
type DemoServer struct {
	server   http.Server
	listener net.Listener
	ended    chan struct{}
}

// StartDemo starts a demo server. Close ends it.
func StartDemo(ctx context.Context) (*DemoServer, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the simulated API: %w", err)
	}
	d := &DemoServer{listener: listener, ended: make(chan struct{})}
	d.server.Handler = Demo(time.Now())
	d.server.ReadHeaderTimeout = 10 * time.Second
	go func() {
		defer close(d.ended)
		d.server.Serve(listener) // returns when Close is called
	}()
	return d, nil
}

// Config returns the exporter configuration that polls the server.
func (d *DemoServer) Config() []byte { return DemoConfig("http://" + d.listener.Addr().String()) }

// Close ends the server and its connections.
func (d *DemoServer) Close() {
	d.server.Close()
	<-d.ended
}
