// Package e2e tests the real binary from outside.
package e2e

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"aliyun_dbs_exporter/dbsapi/dbssim"

	"test/internal/exporter"
)

func TestMain(m *testing.M) {
	code := m.Run()
	exporter.Clean()
	os.Exit(code)
}

// Marks that must not show up in any output.
const (
	keyMark    = "LTAI-key-mark"
	secretMark = "access-key-secret-mark"
	tokenMark  = "session-token-mark"
)

// endpoint is a simulated API that can go away and come back at the same address.
type endpoint struct {
	*dbssim.Simulator
	t       *testing.T
	address string
	server  *http.Server
	served  chan struct{}
}

// newEndpoint serves plans to the marked key.
func newEndpoint(t *testing.T, plans ...dbssim.Plan) *endpoint {
	t.Helper()
	e := &endpoint{t: t, address: "127.0.0.1:0", Simulator: dbssim.New(nil, dbssim.Account{
		AccessKeyID: keyMark, AccessKeySecret: secretMark, SecurityToken: tokenMark, Plans: plans,
	})}
	e.up()
	t.Cleanup(e.down)
	return e
}

func (e *endpoint) up() {
	e.t.Helper()
	listener, err := net.Listen("tcp", e.address)
	if err != nil {
		e.t.Fatal(err)
	}
	e.address = listener.Addr().String()
	e.server = &http.Server{Handler: e.Simulator, ErrorLog: log.New(io.Discard, "", 0)}
	e.served = make(chan struct{})
	go func() { defer close(e.served); _ = e.server.Serve(listener) }()
}

// down closes the listener and every connection, in the middle of whatever they do.
func (e *endpoint) down() {
	e.server.Close()
	<-e.served
}

// config is a configuration that polls the plans every second, after more keys for the top of the file.
func (e *endpoint) config(top string, plans ...string) string {
	text := fmt.Sprintf(`poll_interval: 1s
%s
targets:
  - account: acme
    region_id: cn-hangzhou
    endpoint: http://%s
    requests_per_second: 100
    credentials:
      type: sts
      access_key_id: %s
      access_key_secret: %s
      security_token: %s
    plans:
`, top, e.address, keyMark, secretMark, tokenMark)
	for _, plan := range plans {
		text += "      - {id: " + plan + "}\n"
	}
	return text
}

// plan is a series of a plan with more label pairs, such as `,status="stop"`.
func plan(metric, id, more string) string {
	return fmt.Sprintf(`aliyun_dbs_%s{account="acme",region_id="cn-hangzhou",plan_id="%s"%s}`, metric, id, more)
}

// task is a series of a task.
func task(metric, plan, id, more string) string {
	return fmt.Sprintf(`aliyun_dbs_download_task_%s{account="acme",region_id="cn-hangzhou",plan_id="%s",task_id="%s"%s}`, metric, plan, id, more)
}

// finished are tasks that ended long ago.
func finished(n int) []dbssim.Task {
	list := make([]dbssim.Task, n)
	for i := range list {
		at := time.Now().Add(-time.Duration(48+i) * time.Hour)
		list[i] = dbssim.Task{
			ID: fmt.Sprintf("old%03d", i), Status: "finish", Bytes: 1000, Way: "auto", JobType: "cbs_backup_sub_full",
			Created: at.Add(-time.Hour), Finished: at,
		}
	}
	return list
}

// expectSoon waits until series have values.
func expectSoon(p *exporter.Process, t *testing.T, want map[string]float64) {
	t.Helper()
	exporter.Eventually(t, func() error {
		page := p.Metrics()
		for series, value := range want {
			if err := page.Is(series, value); err != nil {
				return err
			}
		}
		return nil
	})
}

// searchFor fails if a text holds any of the marks.
func searchFor(t *testing.T, what, text string) {
	t.Helper()
	for _, mark := range []string{
		keyMark, secretMark, tokenMark, dbssim.CapabilityURL, dbssim.FreeText, "free-text-mark", "directory-mark",
		"x-acs-", "X-Acs-", "BackupPlanId=", "Signature=", "PageNum=", "string to sign",
	} {
		if i := strings.Index(text, mark); i >= 0 {
			t.Errorf("%s holds %q: …%s…", what, mark, text[max(0, i-100):min(len(text), i+100)])
		}
	}
}
