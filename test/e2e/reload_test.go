package e2e

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"aliyun_dbs_exporter/dbsapi/dbssim"

	"test/internal/exporter"
)

const reloadOK = "aliyun_dbs_exporter_config_last_reload_successful"

// A reload by signal or over HTTP is all or nothing.
func TestReload(t *testing.T) {
	e := newEndpoint(t, dbssim.Plan{ID: "dbsa", Tasks: dbssim.Fixed(finished(2)...)}, dbssim.Plan{ID: "dbsb"})
	file := exporter.WriteFile(t, "config.yml", e.config("", "dbsa"))
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := exporter.Start(t, exporter.Options{Args: []string{"--config.file", file, "--web.enable-lifecycle"}})
	p.Polled()
	polls := p.Metrics().Sum("aliyun_dbs_polls_total")

	write(e.config("", "dbsa", "dbsb"))
	p.Signal(syscall.SIGHUP)
	expectSoon(p, t, map[string]float64{plan("poll_success", "dbsb", ""): 1, reloadOK: 1})
	if now := p.Metrics()[exporter.Series(plan("polls_total", "dbsa", ""))]; now < polls {
		t.Errorf("the plan that stays has %v polls after %v", now, polls)
	}

	write(strings.Replace(e.config("", "dbsa"), "region_id", "access_key_secret: "+secretMark+"\n    region_id", 1))
	p.Signal(syscall.SIGHUP)
	expectSoon(p, t, map[string]float64{reloadOK: 0, plan("poll_success", "dbsb", ""): 1})
	answer := p.Do(http.MethodPost, "/-/reload")
	if want := "targets[0].access_key_secret: unknown key; the keys here are "; answer.Code != http.StatusBadRequest || !strings.Contains(answer.Body, want) {
		t.Errorf("a bad file answers %d: %q", answer.Code, answer.Body)
	}

	write(e.config("", "dbsb"))
	if answer := p.Do(http.MethodPost, "/-/reload"); answer.Code != http.StatusOK {
		t.Errorf("a good file answers %d: %q", answer.Code, answer.Body)
	}
	page := p.Get("/metrics")
	if strings.Contains(page, "dbsa") || !strings.Contains(page, "dbsb") {
		t.Error("the page after the reload has the plans of before")
	}
	if answer := p.Do(http.MethodGet, "/-/reload"); answer.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET answers %d", answer.Code)
	}
	searchFor(t, "output", p.Stderr.String()+answer.Body)
}

func TestReloadOverHTTPIsOffByDefault(t *testing.T) {
	p := exporter.Start(t, exporter.Options{Args: []string{"--demo"}})
	if answer := p.Do(http.MethodPost, "/-/reload"); answer.Code != http.StatusForbidden || !strings.Contains(answer.Body, "--web.enable-lifecycle") {
		t.Errorf("answers %d: %s", answer.Code, answer.Body)
	}
}

// Many reloads, 20 a second, half of them bad, while the exporter is scraped and polls: no scrape fails, no
// plan that stays loses its data, no counter goes down or counts twice, no goroutine stays behind.
func TestReloadStorm(t *testing.T) {
	t.Parallel()
	const pause = 50 * time.Millisecond
	e := newEndpoint(t, dbssim.Plan{ID: "dbsstays", Tasks: dbssim.Fixed(finished(150)...)}, dbssim.Plan{ID: "dbscomes"}, dbssim.Plan{ID: "dbsslow"})
	e.SetFault("dbsslow", dbssim.Fault{Delay: 300 * time.Millisecond})
	with, without := e.config("", "dbsstays", "dbscomes", "dbsslow"), e.config("", "dbsstays", "dbsslow")
	bad := strings.Replace(with, "poll_interval", "poll_intervall", 1)
	file := exporter.WriteFile(t, "config.yml", with)
	p := exporter.Start(t, exporter.Options{Args: []string{"--config.file", file, "--web.enable-lifecycle"}})
	p.Polled()
	before := p.Metrics()

	stop := make(chan struct{})
	var scrapes sync.WaitGroup
	for range 2 {
		scrapes.Go(func() {
			polls := 0.0
			for n := 0; ; n++ {
				select {
				case <-stop:
					if n < stormReloads/4 {
						t.Errorf("only %d scrapes", n)
					}
					return
				default:
				}
				answer, err := p.Try(http.MethodGet, "/metrics")
				if err != nil || answer.Code != http.StatusOK {
					t.Errorf("a scrape fails: %v, %d %s", err, answer.Code, answer.Body)
					return
				}
				page, err := exporter.ParsePage(answer.Body)
				if err != nil {
					t.Error(err)
					return
				}
				if err := page.Is(plan("download_tasks", "dbsstays", `,status="finish"`), 150); err != nil {
					t.Error(err)
				}
				if now := page[exporter.Series(plan("polls_total", "dbsstays", ""))]; now < polls {
					t.Errorf("polls went from %v to %v", polls, now)
				} else {
					polls = now
				}
			}
		})
	}
	begin := time.Now()
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for i := range stormReloads {
		text, want := with, http.StatusOK
		switch i % 4 {
		case 1, 3:
			text, want = bad, http.StatusBadRequest
		case 2:
			text = without
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if answer := p.Do(http.MethodPost, "/-/reload"); answer.Code != want {
			t.Errorf("reload %d answers %d: %s", i, answer.Code, answer.Body)
		}
		<-tick.C
	}
	took := time.Since(begin)
	close(stop)
	scrapes.Wait()

	if err := os.WriteFile(file, []byte(with), 0o600); err != nil {
		t.Fatal(err)
	}
	p.Do(http.MethodPost, "/-/reload")
	expectSoon(p, t, map[string]float64{plan("poll_success", "dbscomes", ""): 1})
	after := p.Metrics()
	polls := func(page exporter.Page) float64 { return page[exporter.Series(plan("polls_total", "dbsstays", ""))] }
	if n, most := polls(after)-polls(before), took.Seconds()+3; n < took.Seconds()/2 || n > most {
		t.Errorf("%v polls of the plan that stays in %v", n, took)
	}
	if n := after.Sum("aliyun_dbs_download_tasks_finished_total"); n != 0 {
		t.Errorf("%v tasks finished, none did", n)
	}
	exporter.Eventually(t, func() error {
		if now := p.Metrics()["go_goroutines"]; now > before["go_goroutines"]+10 {
			return fmt.Errorf("%v goroutines after %v", now, before["go_goroutines"])
		}
		return nil
	})
	t.Logf("%d reloads in %v, %v goroutines before and %v after", stormReloads, took, before["go_goroutines"], after["go_goroutines"])
}
