package dbsapi_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/textproto"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"aliyun_dbs_exporter/dbsapi"
)

// fixed answers every request alike.
type fixed struct {
	status int
	header http.Header
	body   string
}

func (f fixed) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: f.status, Header: f.header.Clone(), Body: io.NopCloser(strings.NewReader(f.body)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: -1, Request: r,
	}, nil
}

// maxFuzzPages is how many pages of an endless list are read.
const maxFuzzPages = 5

// errorText is what an error may look like.
var errorText = regexp.MustCompile(`^DescribeBackupSetDownloadTaskList: [a-z_]+(: [A-Za-z0-9', ]+)?` +
	`( \((HTTP -?[0-9]+)?(, )?(code [A-Za-z0-9.]{1,64})?(, )?(request [0-9A-Fa-f-]{36})?\))?$`)

// A client that gets an answer makes a bounded number of requests, and either
// fails with an error that shows nothing else of the answer than identifiers,
// or takes a list that the answer presents as a good one.
func FuzzAnswer(f *testing.F) {
	sample, err := os.ReadFile("testdata/documented_sample.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, body := range []string{
		string(sample),
		oneRow,
		`{"Success":true}`,
		`{"TotalElements":0,"HttpStatusCode":403,"ErrCode":"Request.Forbidden"}`,
		`{"Items":null,"HttpStatusCode":500}`,
		`{"Success":"no","Items":[],"TotalElements":0}`,
		`{"Success":true,"HttpStatusCode":500,"Items":[],"TotalElements":0}`,
		`{"Success":true,"Items":[1,"x",null,[]],"TotalElements":4}`,
		`{"Success":true,"TotalElements":1,"Items":[{"BackupSetDownloadTaskId":1,"BackupSetDataSize":"1e3","BackupSetDownloadCreateTime":1642044001000}]}`,
		`{"Success":true,"TotalElements":3,"Items":[{"BackupSetDataSize":"1_0"},{"BackupSetDataSize":"0x1p4"},{"BackupSetDataSize":9007199254740993.0}]}`,
		`{"Success":"true","TotalElements":"1","Items":{"BackupSetDownloadTaskDetail":{"BackupSetDownloadStatus":"无","BackupGatewayId":"无"}}}`,
		`{"TotalElements":1,"TotalPages":1,"PageSize":100,"PageNum":0,"Items":[{"BackupSetDownloadTaskDetail":[{}]}]}`,
		`{"Code":"Throttling.User","Message":"a server string to sign is:POST"}`,
		`{"Code":"SignatureDoesNotMatch","Message":"` + strings.Repeat("Ⱥ", 200) + ` server StringToSign is [` + testToken + `]","RequestId":"` + testToken + `"}`,
		`{"Success":true,"Items":[` + strings.Repeat(`{},`, 99) + `{}]}`,
		`{"Success":true,"Items":[` + strings.Repeat(`{},`, 100) + `{}]}`,
		`{"Success":true,"TotalElements":0,"Items":[],"Code":"Forbidden.RAM","Code":"200"}`,
		`{"Success":true,"TotalElements":0,"Items":[],"code":"Forbidden.RAM","Code":"200"}`,
		`{"Success":true,"TotalElements":0,"Items":[],"Code":{"x":"Forbidden"}}`,
		`{"Success":true,"TotalElements":0,"Items":[],"Code":"` + strings.Repeat("x", 2000) + `"}`,
		`{"Success":true,"TotalElements":0,"Items":[],"HttpStatusCode":"` + strings.Repeat("5", 2000) + `"}`,
		`{"Success":"` + strings.Repeat("f", 2000) + `","TotalElements":0,"Items":[]}`,
		`{"Success":true,"TotalElements":0,"Items":[],"Code":200,"HttpStatusCode":"2e2"}`,
		`{"Success":"N/A","TotalElements":0,"Items":[],"Code":"无","HttpStatusCode":null}`,
		"{\"Success\":true,\"Items\":\"\"}\x00",
		"<html>",
	} {
		f.Add(200, "Date: Fri, 02 Jan 2026 03:04:05 GMT\n", body)
		f.Add(400, "X-Ratelimit-User: Limit:1,Remain:0,TimeLeft:2000,Reset:1234\nX-Ratelimit-User-Api: TimeLeft:99999999999\n", body)
		f.Add(503, "Retry-After: Fri, 02 Jan 2026 03:04:05 GMT\n", body)
		f.Add(429, "Retry-After: 120\nLocation: http://elsewhere.example/\n", body)
	}
	f.Fuzz(func(t *testing.T, status int, head, body string) {
		header, err := textproto.NewReader(bufio.NewReader(strings.NewReader(head + "\r\n\r\n"))).ReadMIMEHeader()
		if err != nil {
			return
		}
		requests := 0
		c := newFuzzClient(t, fixed{status, http.Header(header), body}, func(a dbsapi.Attempt) {
			requests++
			for _, pause := range []time.Duration{a.Pause.Action, a.Pause.Account} {
				if pause < 0 || pause > 5*time.Minute {
					t.Errorf("pause is %+v", a.Pause)
				}
			}
		})
		pages := 0
		var last error
		for page, err := range c.DownloadTasks(t.Context(), dbsapi.TaskQuery{PlanID: testPlan}, dbsapi.Pace{Turn: new(schedule).turn, OneAttempt: true}) {
			if last = err; err != nil {
				break
			}
			checkPage(t, page)
			if pages++; pages == maxFuzzPages {
				break
			}
		}
		// Beside the pages that are yielded there may be one that repeats the
		// first, one that is empty, and four attempts of one that fails.
		if requests > maxFuzzPages+6 {
			t.Errorf("made %d requests for %d pages", requests, pages)
		}
		switch {
		case last == nil || errors.Is(last, dbsapi.ErrIncomplete):
			checkGood(t, status, body)
		case !errorText.MatchString(last.Error()) || strings.Contains(last.Error(), testToken):
			t.Errorf("error is %q", last)
		}
	})
}

func newFuzzClient(t *testing.T, answers http.RoundTripper, observe func(dbsapi.Attempt)) *dbsapi.Client {
	return newClient(t, dbsapi.Options{Endpoint: "dbs.example", HTTPClient: &http.Client{Transport: answers}, Observe: observe})
}

// checkPage makes sure that a page can be used as it is.
func checkPage(t *testing.T, page dbsapi.Page[dbsapi.DownloadTask]) {
	t.Helper()
	if page.TotalElements < -1 || len(page.Items) > 100 {
		t.Errorf("page %d has %d rows of %d", page.Number, len(page.Items), page.TotalElements)
	}
	for _, task := range page.Items {
		for _, text := range []string{
			task.ID, task.Name, task.BackupSetID, task.JobType, task.DBType, task.DataFormat, task.Status, task.Way, task.TargetType, task.GatewayID,
		} {
			if !utf8.ValidString(text) || len(text) > 1024 {
				t.Errorf("text %q is too long or no UTF-8", text)
			}
		}
		if task.DataBytes < 0 || task.BadSize && task.DataBytes != 0 {
			t.Errorf("size is %d, bad %t", task.DataBytes, task.BadSize)
		}
		for _, at := range []time.Time{task.Created, task.Finished} {
			if !at.IsZero() && (at.Year() < 1973 || at.Year() > 9999) {
				t.Errorf("time is %v", at)
			}
		}
	}
}

// checkGood makes sure, with another decoder, that an answer that was taken for
// a list is a good one: whatever decides about it is there at most once, and is
// one of the few values that say so.
func checkGood(t *testing.T, status int, body string) {
	t.Helper()
	members, err := topMembers(body)
	if err != nil {
		t.Fatalf("took something other than an object for a list: %v", err)
	}
	code := slices.Concat(members["Code"], members["code"])
	hasItems, hasTotal := len(members["Items"]) == 1, len(members["TotalElements"]) == 1
	success := isTrue(members["Success"])
	switch {
	case status < 200, status > 299,
		len(members["Items"]) > 1, len(members["TotalElements"]) > 1,
		!success && !isNone(members["Success"]),
		!isNone(code) && !isGoodCode(code),
		!isNone(members["HttpStatusCode"]) && !isGoodStatus(members["HttpStatusCode"]),
		success && !hasItems && !hasTotal,
		!success && (!hasItems || !hasTotal):
		t.Errorf("took HTTP %d %q for a list", status, body)
	}
}

// topMembers returns the values of every member of an object, in their order.
func topMembers(body string) (map[string][]any, error) {
	if !json.Valid([]byte(body)) {
		return nil, errors.New("it is not JSON")
	}
	d := json.NewDecoder(strings.NewReader(body))
	d.UseNumber()
	if begin, err := d.Token(); err != nil || begin != json.Delim('{') {
		return nil, fmt.Errorf("it begins with %v, %w", begin, err)
	}
	members := make(map[string][]any)
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		var value any
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		members[name.(string)] = append(members[name.(string)], value)
	}
	return members, nil
}

// isNone reports whether a member is absent, or has a value that stands for
// nothing.
func isNone(values []any) bool {
	return len(values) == 0 || len(values) == 1 && slices.Contains([]any{nil, "", "无", "N/A"}, values[0])
}

func isTrue(values []any) bool {
	return len(values) == 1 && strings.EqualFold(fmt.Sprint(values[0]), "true")
}

func isGoodCode(values []any) bool {
	good := []any{"0", "200", "OK", "Success", json.Number("0"), json.Number("200")}
	return len(values) == 1 && slices.Contains(good, values[0])
}

// isGoodStatus reports whether a member is a whole number below 300.
func isGoodStatus(values []any) bool {
	if len(values) != 1 {
		return false
	}
	text := strings.TrimSpace(fmt.Sprint(values[0]))
	n, err := strconv.ParseFloat(text, 64)
	return err == nil && strings.Trim(text, "0123456789+-.eE") == "" && n == math.Trunc(n) && n >= 0 && n < 300
}
