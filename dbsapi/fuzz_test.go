package dbsapi_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"os"
	"regexp"
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
	if page.TotalElements < -1 || page.TotalPages < -1 || len(page.Items) > 100 {
		t.Errorf("page %d has %d rows of %d on %d pages", page.Number, len(page.Items), page.TotalElements, page.TotalPages)
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
// a list is a good one.
func checkGood(t *testing.T, status int, body string) {
	t.Helper()
	var answer map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("took something other than an object for a list: %v", err)
	}
	var value any
	_ = json.Unmarshal(answer["Success"], &value)
	success := strings.ToLower(fmt.Sprint(value))
	_, hasItems := answer["Items"]
	_, hasTotal := answer["TotalElements"]
	var bodyStatus int64
	_ = json.Unmarshal([]byte(strings.Trim(string(answer["HttpStatusCode"]), `"`)), &bodyStatus)
	switch {
	case status < 200, status > 299, bodyStatus >= 300,
		success == "false", success == "no", success == "1", success == "0",
		success == "true" && !hasItems && !hasTotal,
		success != "true" && (!hasItems || !hasTotal):
		t.Errorf("took HTTP %d %q for a list", status, body)
	}
}
