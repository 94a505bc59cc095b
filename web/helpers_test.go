package web_test

import (
	"encoding/json"
	"fmt"
	"html"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/version"

	"aliyun_dbs_exporter/collector/config"
	"aliyun_dbs_exporter/collector/poll"
	"aliyun_dbs_exporter/dbsapi/dbssim/simtest"
	"aliyun_dbs_exporter/web"
)

func parse(t testing.TB, c simtest.Config) *config.Config {
	t.Helper()
	parsed, err := config.Parse([]byte(c.String()), "config.yml")
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// snapshot returns the state of a configuration before the first poll.
func snapshot(t testing.TB, c simtest.Config) *poll.Snapshot {
	t.Helper()
	s := &poll.Snapshot{At: time.Now(), Config: parse(t, c)}
	for i := range s.Config.Targets {
		block := &s.Config.Targets[i]
		target := poll.Target{
			ID:     poll.TargetID{Account: block.Account, RegionID: block.RegionID},
			Config: block,
			Budget: poll.Budget{Plans: len(block.Plans), Unlisted: len(block.Plans), Allowed: 60_000},
		}
		if block.Discovery.Enabled {
			target.PlanList = &poll.PlanList{List: poll.List{Due: s.At}}
		}
		for _, plan := range block.Plans {
			info := &poll.PlanInfo{Name: plan.Name, MaxSuccessAge: time.Duration(plan.MaxSuccessAge)}
			target.Plans = append(target.Plans, poll.Plan{ID: plan.ID, Info: info, Poll: poll.Poll{Due: s.At}})
		}
		s.Targets = append(s.Targets, target)
	}
	return s
}

// site is the exporter's pages.
type site struct {
	testing.TB
	options web.Options
	handler http.Handler
	// file is the text that the next reload reads.
	file string
}

// newSite returns the pages of a process that has just loaded its
// configuration. A test may change their options.
func newSite(t testing.TB, snapshot func() *poll.Snapshot, change ...func(*web.Options)) *site {
	t.Helper()
	version.Version, version.Revision = "1.2.3", "0123456789abcdef"
	s := &site{TB: t, file: simtest.Plans("", "dbsa").String()}
	s.options = web.Options{
		Snapshot: snapshot,
		Reload: config.NewReloader(
			func() (*config.Config, error) { return config.Parse([]byte(s.file), "config.yml") },
			func(*config.Config) error { return nil },
			log.NewNopLogger(),
		),
		Ready:         func() error { return nil },
		Healthy:       func() error { return nil },
		Registry:      prometheus.NewRegistry(),
		ConfigFile:    "/etc/aliyun_dbs_exporter/config.yml",
		TelemetryPath: "/metrics",
		Logger:        slog.New(slog.DiscardHandler),
	}
	for _, f := range change {
		f(&s.options)
	}
	if err := s.options.Reload.Reload(); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.handler, err = web.Handler(s.options); err != nil {
		t.Fatal(err)
	}
	return s
}

// onePlan returns the pages of a process with one plan.
func onePlan(t testing.TB, change ...func(*web.Options)) *site {
	t.Helper()
	return newSite(t, func() *poll.Snapshot { return snapshot(t, simtest.Plans("", "dbsa")) }, change...)
}

// send makes a request with headers, given as name and value in turn.
func (s *site) send(method, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, http.NoBody)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

// get returns a page that must exist.
func (s *site) get(path string) string {
	s.Helper()
	w := s.send(http.MethodGet, path)
	if w.Code != http.StatusOK {
		s.Fatalf("GET %s: %d %s", path, w.Code, w.Body)
	}
	return w.Body.String()
}

var (
	markup = regexp.MustCompile(`(?s)<!.*?>|<head>.*?</head>|</?[a-z][^>]*>`)
	inline = regexp.MustCompile(`</?(span|time|strong|a|input|label|button)\b[^>]*>`)
	blanks = regexp.MustCompile(`\s*\n\s*`)
)

// text returns the text of a page, a block a line.
func text(page string) string {
	page = inline.ReplaceAllString(page, "")
	page = markup.ReplaceAllString(page, "\n")
	return strings.TrimSpace(html.UnescapeString(blanks.ReplaceAllString(page, "\n"))) + "\n"
}

// lines returns a JSON document with a key a line, and below the key of a list
// with an element a line.
func lines(t testing.TB, document string) string {
	t.Helper()
	var values map[string]json.RawMessage
	if err := json.Unmarshal([]byte(document), &values); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, key := range slices.Sorted(maps.Keys(values)) {
		var list []json.RawMessage
		if json.Unmarshal(values[key], &list) != nil {
			fmt.Fprintf(&out, "%s: %s\n", key, values[key])
			continue
		}
		fmt.Fprintf(&out, "%s:\n", key)
		for _, element := range list {
			fmt.Fprintf(&out, "  %s\n", element)
		}
	}
	return out.String()
}

// golden compares the status, as page and as document, with files. Parts that
// match varying differ from run to run.
func (s *site) golden(name string, varying ...*regexp.Regexp) {
	s.Helper()
	page, document := text(s.get("/")), lines(s, s.get("/api/v1/status"))
	page, _, _ = strings.Cut(page, "\nLegend\n") // the same on every page
	for _, v := range varying {
		page, document = v.ReplaceAllString(page, "VARYING"), v.ReplaceAllString(document, "VARYING")
	}
	name = strings.NewReplacer(" ", "_", ",", "").Replace(name)
	simtest.Golden(s, "status/"+name+".txt", page+"\n")
	simtest.Golden(s, "status/"+name+".json.txt", document)
}
