package e2e

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"

	"aliyun_dbs_exporter/dbsapi/dbssim"

	"test/internal/exporter"
)

// The page comes in every format that Prometheus asks for, protobuf with native histograms.
func TestFormats(t *testing.T) {
	e := newEndpoint(t, dbssim.Plan{ID: "dbsa", Tasks: dbssim.Fixed(finished(3)...)})
	p := exporter.Start(t, exporter.Options{Config: e.config("", "dbsa")})
	p.Polled()
	for accept, contentType := range map[string]string{
		"":                         "text/plain; version=0.0.4",
		"*/*":                      "text/plain; version=0.0.4",
		exporter.AcceptText:        "text/plain; version=0.0.4",
		exporter.AcceptOpenMetrics: "application/openmetrics-text; version=1.0.0",
		exporter.AcceptProtobuf:    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
	} {
		answer := p.Do(http.MethodGet, "/metrics", "Accept: "+accept)
		if got := answer.Header.Get("Content-Type"); answer.Code != http.StatusOK || !strings.HasPrefix(got, contentType) {
			t.Errorf("%q gets %d, %q", accept, answer.Code, got)
		}
	}
	zipped := p.Do(http.MethodGet, "/metrics", "Accept-Encoding: gzip")
	if got := zipped.Header.Get("Content-Encoding"); got != "gzip" {
		t.Errorf("Content-Encoding is %q", got)
	}
	reader, err := gzip.NewReader(strings.NewReader(zipped.Body))
	if err != nil {
		t.Fatal(err)
	}
	if page, err := io.ReadAll(reader); err != nil || !strings.Contains(string(page), "aliyun_dbs_poll_success") {
		t.Errorf("the zipped page: %v", err)
	}

	// All three say the same.
	open := p.Get("/metrics", "Accept: "+exporter.AcceptOpenMetrics)
	if !strings.HasSuffix(open, "# EOF\n") {
		t.Error("the OpenMetrics page has no end")
	}
	want := sampleNames(t, p.Get("/metrics"))
	if diff := cmp.Diff(want, sampleNames(t, strings.TrimSuffix(open, "# EOF\n"))); diff != "" {
		t.Errorf("OpenMetrics differs from text: %s", diff)
	}
	text, protobuf := p.Families(exporter.AcceptText), p.Families(exporter.AcceptProtobuf)
	if diff := cmp.Diff(familyTypes(text), familyTypes(protobuf)); diff != "" {
		t.Errorf("protobuf differs from text: %s", diff)
	}
	for name, family := range protobuf {
		for _, m := range family.GetMetric() {
			if m.TimestampMs != nil {
				t.Errorf("%s carries a time of its own", name)
			}
		}
	}
	if n := nativeObservations(protobuf["aliyun_dbs_api_request_duration_seconds"]); n == 0 {
		t.Error("no API request is in a native histogram")
	}
}

// sampleNames counts the samples of a page by name.
func sampleNames(t *testing.T, text string) map[string]int {
	t.Helper()
	page, err := exporter.ParsePage(text)
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]int)
	for series := range page {
		name, _, _ := strings.Cut(series, "{")
		names[name]++
	}
	return names
}

// familyTypes are the types of the families and how many metrics each has, by name.
func familyTypes(families map[string]*dto.MetricFamily) map[string]string {
	types := make(map[string]string)
	for name, family := range families {
		types[name] = fmt.Sprintf("%d %v", len(family.GetMetric()), family.GetType())
	}
	return types
}

// nativeObservations is how many observations the native buckets of a family's histograms hold, 0 where classic buckets
// do not come with them.
func nativeObservations(family *dto.MetricFamily) (n int64) {
	for _, m := range family.GetMetric() {
		h := m.GetHistogram()
		if h.Schema == nil || len(h.GetBucket()) < 5 {
			return 0
		}
		inBucket := int64(0)
		for _, delta := range h.GetPositiveDelta() {
			inBucket += delta
			n += inBucket
		}
	}
	return n
}
