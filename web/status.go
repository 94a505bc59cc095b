package web

import (
	"bytes"
	"cmp"
	_ "embed" // the page and its style
	"encoding/json"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/version"

	"aliyun_dbs_exporter/collector"
)

var (
	//go:embed assets/status.html
	pageText string
	//go:embed assets/status.css
	style []byte
)

const (
	// pageSize is how many plans one page shows; more are slow to read, for people and for phones.
	pageSize = 100
	// maxQuery bounds what the filter takes; the longest name has 256 bytes.
	maxQuery = 256
)

// about is what does not change while the process lives.
type about struct {
	Version    string    `json:"version"`
	Revision   string    `json:"revision"`
	StartedAt  time.Time `json:"started_at"`
	ConfigFile string    `json:"config_file"`
}

// document is what /api/v1/status answers.
type document struct {
	about
	Uptime float64 `json:"uptime_seconds"`
	*collector.Status
}

// statusPages show the state of targets and plans, to people and to programs.
type statusPages struct {
	about     about
	collector *collector.Collector
	// metrics is the path of the metrics page, relative to the status page; profiles tells whether there are any.
	metrics  string
	profiles bool
	html     *template.Template
	logger   *slog.Logger
}

func newStatusPages(o Options) (*statusPages, error) {
	html, err := template.New("status").Funcs(words).Parse(pageText)
	if err != nil {
		return nil, err
	}
	return &statusPages{
		about: about{
			Version:    version.Version,
			Revision:   version.GetRevision(),
			StartedAt:  time.Now(),
			ConfigFile: o.ConfigFile,
		},
		collector: o.Collector,
		metrics:   strings.TrimPrefix(o.TelemetryPath, "/"),
		profiles:  o.EnablePprof,
		html:      html,
		logger:    o.Logger,
	}, nil
}

func (s *statusPages) document() document {
	status := s.collector.Status()
	return document{about: s.about, Uptime: status.At.Sub(s.about.StartedAt).Seconds(), Status: status}
}

// serveJSON answers with the whole document, all plans included.
func (s *statusPages) serveJSON(w http.ResponseWriter, _ *http.Request) {
	body, err := json.Marshal(s.document())
	if err != nil {
		s.logger.Error("Status not written as JSON", "err", err)
		http.Error(w, "The status cannot be written as JSON.", http.StatusInternalServerError)
		return
	}
	answer(w, "application/json", append(body, '\n'))
}

// serveHTML answers with the page that the query asks for.
func (s *statusPages) serveHTML(w http.ResponseWriter, r *http.Request) {
	var body bytes.Buffer
	if err := s.html.Execute(&body, s.page(r.URL.Query())); err != nil {
		s.logger.Error("Status page not written", "err", err)
		http.Error(w, "The status page cannot be written.", http.StatusInternalServerError)
		return
	}
	answer(w, "text/html; charset=utf-8", body.Bytes())
}

// answer sends a state of this moment, which nobody is to keep.
func answer(w http.ResponseWriter, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body)
}

// page is what the template shows.
type page struct {
	document
	Metrics  string
	Profiles bool
	// Tally counts all plans by state, and Failing those whose state needs a person.
	Tally   map[string]int
	Failing int
	// Query and FailingOnly are the filter.
	Query       string
	FailingOnly bool
	// Matches is how many plans pass the filter, Rows are those of this page, the first of which is number First.
	Matches int
	First   int
	Rows    []*collector.PlanStatus
	// Number is that of this page, from 1 to Pages.
	Number, Pages int
}

func (s *statusPages) page(query url.Values) *page {
	p := &page{
		document:    s.document(),
		Metrics:     s.metrics,
		Profiles:    s.profiles,
		Tally:       make(map[string]int),
		Query:       searchText(query.Get("q")),
		FailingOnly: query.Get("show") == "failing",
	}
	var matches []*collector.PlanStatus
	wanted := strings.ToLower(p.Query)
	for _, plan := range p.Plans {
		p.Tally[string(plan.State)]++
		if plan.State.Failing() {
			p.Failing++
		}
		if contains(plan, wanted) && (!p.FailingOnly || plan.State.Failing()) {
			matches = append(matches, plan)
		}
	}
	p.Matches = len(matches)
	p.Pages = max(1, (p.Matches+pageSize-1)/pageSize)
	number, _ := strconv.Atoi(query.Get("page")) // what is no number is page 1
	p.Number = min(max(number, 1), p.Pages)
	first := (p.Number - 1) * pageSize
	p.First = first + 1
	p.Rows = matches[first:min(first+pageSize, p.Matches)]
	return p
}

// searchText makes an input fit to be searched for and shown.
func searchText(s string) string {
	return strings.ToValidUTF8(strings.TrimSpace(s[:min(len(s), maxQuery)]), "")
}

// contains tells whether a plan has a text, in lower case, in one of the fields that people know it by.
func contains(p *collector.PlanStatus, text string) bool {
	for _, field := range []string{p.Name, p.ID, p.Account, p.RegionID} {
		if strings.Contains(strings.ToLower(field), text) {
			return true
		}
	}
	return false
}

// Moment prepares a time to be shown.
func (p *page) Moment(t time.Time) moment { return moment{t, p.At} }

// Last is the number of the last plan on the page.
func (p *page) Last() int { return p.First + len(p.Rows) - 1 }

// Filtered tells whether a filter is set.
func (p *page) Filtered() bool { return p.Query != "" || p.FailingOnly }

// Link returns the address of another page of the same filter, relative to the status page.
func (p *page) Link(number int) string {
	query := make(url.Values)
	if p.Query != "" {
		query.Set("q", p.Query)
	}
	if p.FailingOnly {
		query.Set("show", "failing")
	}
	if number > 1 {
		query.Set("page", strconv.Itoa(number))
	}
	return "./?" + cmp.Or(query.Encode(), "page=1") + "#plans"
}
