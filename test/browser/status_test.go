//go:build suites

package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/dbsapi/dbssim"

	"test/internal/exporter"
)

// api is a simulated DBS endpoint, and a service that gives credentials for it which end in a while.
type api struct {
	*dbssim.Simulator
	url         string
	credentials string
}

const (
	key    = "LTAI-key-mark"
	secret = "access-key-secret-mark"
	token  = "session-token-mark"
)

func newAPI(t *testing.T, plans ...dbssim.Plan) *api {
	t.Helper()
	a := &api{Simulator: dbssim.New(nil, dbssim.Account{AccessKeyID: key, AccessKeySecret: secret, SecurityToken: token, Plans: plans})}
	endpoint := httptest.NewServer(a)
	t.Cleanup(endpoint.Close)
	a.url = endpoint.URL
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"AccessKeyId":%q,"AccessKeySecret":%q,"SecurityToken":%q,"Expiration":%q}`,
			key, secret, token, time.Now().Add(time.Hour+30*time.Second).UTC().Format("2006-01-02T15:04:05Z"))
	}))
	t.Cleanup(service.Close)
	a.credentials = service.URL
	return a
}

// target is a target of a configuration, up to its plans.
func (a *api) target(account, region string) string {
	return fmt.Sprintf(`
  - account: %s
    region_id: %s
    endpoint: %s
    requests_per_second: 500
    max_concurrent_requests: 8
    credentials: {type: credentials_uri, url: %s}
`, account, region, a.url, a.credentials)
}

func ended(id, status string, age time.Duration) dbssim.Task {
	at := time.Now().Add(-age)
	return dbssim.Task{ID: id, Status: status, Bytes: 1000, Created: at.Add(-time.Hour), Finished: at}
}

func open(id, status string, age time.Duration) dbssim.Task {
	return dbssim.Task{ID: id, Status: status, Bytes: 1000, Created: time.Now().Add(-age)}
}

func healthy(t *testing.T) *exporter.Process {
	a := newAPI(t,
		dbssim.Plan{ID: "dbsorders01", Name: "orders-mysql", Region: "cn-hangzhou", DatabaseType: "MySQL", Status: "running", AutoDownload: true, DownloadGatewayID: 1, Tasks: dbssim.Fixed(
			open("e", "running", 40*time.Minute), ended("d", "finish", 3*time.Hour), ended("c", "finish", 27*time.Hour), ended("a", "stop", 70*time.Hour))},
		dbssim.Plan{ID: "dbsusers01", Name: "users-mongodb", Region: "cn-hangzhou", DatabaseType: "MongoDB", Status: "running", Tasks: dbssim.Fixed(
			open("h", "weird", time.Minute), open("g", "pause", time.Minute), open("f", "running", time.Minute), open("e", "schedule", time.Minute),
			open("d", "check_pass", time.Minute), open("c", "checking", time.Minute), ended("b", "finish", 10*time.Minute), ended("a", "stop", 5*24*time.Hour))},
		dbssim.Plan{ID: "dbsempty01", Name: "archive-oracle", Region: "cn-hangzhou", DatabaseType: "Oracle", Status: "running"},
	)
	for i, status := range []string{"OFFLINE", "ONLINE", "STOPPED", "UPGRADING", "DRAINING"} {
		a.SetGateway(dbssim.Gateway{ID: int64(i + 1), Name: "idc-hangzhou", Region: "cn-hangzhou", Status: status, Heartbeat: time.Now().Add(-time.Hour)})
	}
	p := exporter.Start(t, exporter.Options{
		Config: "targets:" + a.target("production", "cn-hangzhou") + "    discovery: {enabled: true}\n    gateways: {enabled: true}\n",
	})
	p.Ready()
	says(t, p, "/", "Gateway offline.")
	return p
}

// failing has every state of a plan, every reason for which a poll fails, and a file that cannot be loaded.
func failing(t *testing.T) *exporter.Process {
	faults := []struct {
		plan  string
		fault dbssim.Fault
	}{
		{"auth", dbssim.Failing(403, "InvalidAccessKeyId.NotFound")},
		{"clock", dbssim.Failing(400, "InvalidTimeStamp.Expired")},
		{"forbidden", dbssim.Failing(403, "Forbidden.RAM")},
		{"invalid", dbssim.Failing(400, "InvalidAction.NotFound")},
		{"server", dbssim.HTMLPage(502)},
		{"timeout", dbssim.Fault{Delay: time.Minute}},
		{"network", dbssim.Fault{Drop: true}},
		{"decode", dbssim.HTMLPage(200)},
		{"other", dbssim.Fault{Status: 302, Location: "https://" + dbssim.CapabilityURL}},
		{"throttled", dbssim.Throttled(time.Millisecond)}, // a poll waits for long pauses
	}
	plans := []dbssim.Plan{
		{ID: "dbsfailed", Tasks: dbssim.Fixed(ended("b", "stop", time.Minute), ended("a", "finish", 25*time.Hour))},
		{ID: "dbsprecheck", Tasks: dbssim.Fixed(open("b", "init", time.Minute))},
		{ID: "dbsoverdue", Tasks: dbssim.Fixed(ended("a", "finish", 27*time.Hour))},
		{ID: "dbscut", Tasks: dbssim.Fixed(ended("a", "finish", time.Hour))},
		{ID: "dbsstale", Tasks: dbssim.Fixed(ended("a", "finish", time.Hour))},
	}
	for _, f := range faults {
		plans = append(plans, dbssim.Plan{ID: "dbs" + f.plan})
	}
	a := newAPI(t, plans...)
	for _, f := range faults {
		a.SetFault("dbs"+f.plan, f.fault)
	}
	a.SetFault("dbscut", dbssim.WrongTotals(1, 7))
	a.SetFault("DescribeBackupPlanList", dbssim.Failing(403, "NoPermission"))
	a.SetFault("DescribeBackupGatewayList", dbssim.Failing(403, "NoPermission"))
	config := "poll_interval: 3s\npoll_timeout: 1s\nstale_after: 1h\ntargets:" + a.target("production", "cn-hangzhou") + `    discovery: {enabled: true}
    gateways: {enabled: true}
    plans:
      - {id: dbsfailed, name: orders-mysql}
      - {id: dbsprecheck, name: users-mongodb}
      - {id: dbsoverdue, name: ledger-postgresql, max_success_age: 26h}
      - {id: dbsstale, name: a-name-as-long-as-somebody-made-it-without-a-single-blank-to-break-it-at}
      - {id: dbscut, name: 订单数据库}
      - {id: dbsgone, name: deleted-upstream}
`
	for _, f := range faults[:len(faults)-1] {
		config += "      - {id: dbs" + f.plan + "}\n"
	}
	config += a.target("busy", "cn-hangzhou") + "    plans: [{id: dbsthrottled}]\n"
	config += strings.Replace(a.target("nobody", "cn-hangzhou"), a.credentials, "http://127.0.0.1:1/"+secret, 1) + "    plans: [{id: dbsnobody}]\n"
	config += strings.Replace(a.target("small", "cn-hangzhou"), "500", "0.5", 1) + "    plans: [{id: dbsfailed}, {id: dbsoverdue}]\n"
	file := exporter.WriteFile(t, "config.yml", config)
	p := exporter.Start(t, exporter.Options{Args: []string{"--config.file=" + file, "--web.enable-lifecycle", "--web.enable-pprof"}})
	p.Ready()
	a.SetFault("dbsstale", dbssim.Failing(403, "Forbidden.RAM"))
	if err := os.WriteFile(file, []byte(strings.Replace(config, "account:", "acount:", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if answer := p.Do(http.MethodPost, "/-/reload"); answer.Code != http.StatusBadRequest {
		t.Fatalf("reload answers %d: %s", answer.Code, answer.Body)
	}
	says(t, p, "/?q=a-name", "as of <time")
	says(t, p, "/", "dbs:DescribeBackupGatewayList")
	return p
}

func empty(t *testing.T) *exporter.Process {
	a := newAPI(t)
	p := exporter.Start(t, exporter.Options{Config: "targets:" + a.target("production", "cn-hangzhou") + "    discovery: {enabled: true}\n"})
	p.Ready()
	return p
}

// pending has not polled anything yet.
func pending(t *testing.T) *exporter.Process {
	a := newAPI(t, dbssim.Plan{ID: "dbsslow"}, dbssim.Plan{ID: "dbsslower"})
	a.SetFault(dbssim.Everything, dbssim.Fault{Delay: time.Minute})
	p := exporter.Start(t, exporter.Options{Config: "targets:" + a.target("production", "cn-hangzhou") +
		"    discovery: {enabled: true}\n    plans: [{id: dbsslow, name: orders-mysql}, {id: dbsslower}]\n"})
	says(t, p, "/", "2</strong> not polled yet")
	return p
}

// many has 500 plans, of which 20 fail.
func many(t *testing.T) *exporter.Process {
	var plans []dbssim.Plan
	for i := range 500 {
		newest := ended("b", "finish", time.Duration(i)*time.Minute)
		if i%25 == 0 {
			newest = ended("b", "stop", time.Duration(i)*time.Minute)
		}
		plans = append(plans, dbssim.Plan{
			ID: fmt.Sprintf("dbs%04d", i), Name: fmt.Sprintf("orders-%03d", i), Region: "cn-hangzhou", DatabaseType: "MySQL", Status: "running",
			Tasks: dbssim.Fixed(newest, ended("a", "finish", time.Duration(i+1440)*time.Minute)),
		})
	}
	a := newAPI(t, plans...)
	p := exporter.Start(t, exporter.Options{Config: "targets:" + a.target("production", "cn-hangzhou") + "    discovery: {enabled: true}\n"})
	says(t, p, "/", "<strong>480</strong> good")
	return p
}

// says waits until a page holds a text.
func says(t *testing.T, p *exporter.Process, path, text string) {
	t.Helper()
	exporter.Eventually(t, func() error {
		if page := p.Get(path); !strings.Contains(page, text) {
			return fmt.Errorf("%s does not say %q", path, text)
		}
		return nil
	})
}

// Every state of the page, in both color schemes, on a desk and on a phone: nothing is asked of other hosts, nothing is
// against the page's own policy, nothing is cut off, and axe-core has nothing to say.
func TestStatusPage(t *testing.T) {
	scenarios := []struct {
		name  string
		start func(*testing.T) *exporter.Process
	}{
		{"healthy", healthy}, {"failing", failing}, {"empty", empty}, {"pending", pending}, {"many", many},
	}
	for _, scenario := range scenarios {
		t.Run(scenario.name, func(t *testing.T) {
			p := scenario.start(t)
			b := newTab(t)
			for _, v := range views {
				b.use(v)
				b.do(chromedp.Navigate(p.URL + "/"))
				b.screenshot(scenario.name + "-" + v.name)
				b.fits()
				b.quiet(p.URL)
				// The folded parts must be checked too.
				eval[bool](b, `document.querySelectorAll('details').forEach(d => d.open = true), true`)
				b.accessible()
				b.fits()
				b.screenshot(scenario.name + "-" + v.name + "-open")
			}
			b.use(view{width: 320, height: 640, scheme: "light"}) // a wide window at a zoom of 400 %
			b.fits()
		})
	}
}

// rows are the names of the plans on the page.
func (b *tab) rows() []string {
	b.Helper()
	return eval[[]string](b, `[...document.querySelectorAll('tbody.plan th .name')].map(e => e.textContent)`)
}

// focus says what has the keyboard, and whether one can see that.
func (b *tab) focus() (what string, visible bool) {
	b.Helper()
	type focus struct {
		What    string
		Visible bool
	}
	f := eval[focus](b, `(e => ({
		What: e.labels?.[0]?.textContent.trim() || e.textContent.trim(),
		Visible: e.matches(':focus-visible') && getComputedStyle(e).outlineStyle !== 'none' && e.getBoundingClientRect().left >= 0,
	}))(document.activeElement)`)
	return f.What, f.Visible
}

// The page works without a mouse.
func TestKeyboard(t *testing.T) {
	p := many(t)
	b := newTab(t)
	b.use(views[0])
	b.do(chromedp.Navigate(p.URL + "/"))
	tabTo := func(want string) {
		t.Helper()
		for range 20 {
			b.do(chromedp.KeyEvent("\t"))
			what, visible := b.focus()
			if !visible {
				t.Errorf("one cannot see that %q has the focus", what)
			}
			if what == want {
				return
			}
		}
		t.Fatalf("20 times the tabulator does not lead to %q", want)
	}
	expect := func(rows int, first, shown string) {
		t.Helper()
		got := b.rows()
		if len(got) != rows || rows > 0 && got[0] != first {
			t.Errorf("%d plans, %.3q; want %d from %s on", len(got), got, rows, first)
		}
		if said := eval[string](b, `document.querySelector('.shown, .empty').textContent`); said != shown {
			t.Errorf("the page says %q, want %q", said, shown)
		}
	}

	expect(100, "orders-000", "Plans 1 to 100 of 500, failing ones first.")
	var order []string
	for range 6 {
		b.do(chromedp.KeyEvent("\t"))
		what, _ := b.focus()
		order = append(order, what)
	}
	if diff := cmp.Diff([]string{"Skip to the plans", "Metrics", "Health", "Readiness", "JSON", "Filter by name, plan ID, account or region"}, order); diff != "" {
		t.Errorf("the order of the tabulator: %s", diff)
	}
	b.do(chromedp.KeyEvent("ERS-04"))
	b.press("\r")
	expect(10, "orders-040", "10 of 500 plans match.")
	if value := eval[string](b, `document.getElementById('q').value`); value != "ERS-04" {
		t.Errorf("the filter shows %q", value)
	}
	b.screenshot("filtered-wide")

	tabTo("Failing only")
	b.do(chromedp.KeyEvent(" "))
	b.press("\r")
	expect(0, "", "No plan matches.")
	b.screenshot("nothing-wide")
	tabTo("Show all")
	b.press("\r")
	expect(100, "orders-000", "Plans 1 to 100 of 500, failing ones first.")
	tabTo("Failing only")
	b.do(chromedp.KeyEvent(" "))
	tabTo("Filter")
	b.press("\r")
	expect(20, "orders-000", "20 of 500 plans match.")
	tabTo("Show all")
	b.press("\r")
	tabTo("Next")
	b.press("\r")
	expect(100, "orders-084", "Plans 101 to 200 of 500, failing ones first.")
	b.quiet(p.URL)
}
