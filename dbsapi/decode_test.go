package dbsapi_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/dbsapi"
)

// decode lists tasks from a server that answers every request with the same body.
func decode(t testing.TB, body string) ([]dbsapi.DownloadTask, int64, error) {
	c, err := dbsapi.New(dbsapi.Options{
		Endpoint:    "dbs.example",
		Credentials: testCredentials,
		HTTPClient: &http.Client{Transport: inMemory{http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, body)
		})}},
	})
	if err != nil {
		t.Fatal(err)
	}
	// Too short for a wait and another attempt: the server would say the same.
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	return list(ctx, c)
}

// The sample of the API page has an ErrCode in a good answer, texts that stand for nothing, and a plan ID without
// its prefix.
func TestDecodeDocumentedSample(t *testing.T) {
	body, err := os.ReadFile("testdata/documented_sample.json")
	if err != nil {
		t.Fatal(err)
	}
	tasks, total, err := decode(t, string(body))
	if err != nil {
		t.Fatal(err)
	}
	want := []dbsapi.DownloadTask{{
		ID:          "urxgrxt7****",
		Name:        "1h7za2yws****-ManualCont",
		BackupSetID: "1h7za2yws****",
		JobType:     dbsapi.JobTypeIncremental,
		DBType:      "MySQL",
		DataFormat:  "Native",
		Status:      dbsapi.StatusFinish,
		Way:         "manual",
		DataBytes:   237837,
		Created:     time.Date(2022, 1, 13, 3, 20, 1, 0, time.UTC),
		Finished:    time.Date(2022, 1, 13, 3, 20, 13, 0, time.UTC),
	}}
	if diff := cmp.Diff(want, tasks); diff != "" || total != 1 {
		t.Errorf("total %d, %s", total, diff)
	}
}

func TestDecodeShapes(t *testing.T) {
	const row = `{"BackupSetDownloadTaskId":"a","Unknown":{"x":[1,{"y":null}]}}`
	const row2 = `{"BackupSetDownloadTaskId":"b"}`
	const good = `"Success":true`
	tests := []struct {
		name, body string
		want       string // IDs, or the error
	}{
		{"object with list", `{` + good + `,"Items":{"BackupSetDownloadTaskDetail":[` + row + `,` + row2 + `]}}`, "a b"},
		{"object with one object", `{` + good + `,"Items":{"BackupSetDownloadTaskDetail":` + row + `}}`, "a"},
		{"object with null", `{` + good + `,"Items":{"BackupSetDownloadTaskDetail":null}}`, ""},
		{"object with empty text", `{` + good + `,"Items":{"BackupSetDownloadTaskDetail":""}}`, ""},
		{"object with other members", `{` + good + `,"Items":{"Other":[1],"BackupSetDownloadTaskDetail":[` + row + `]}}`, "a"},
		{"list", `{` + good + `,"Items":[` + row + `,` + row2 + `]}`, "a b"},
		{"list of wrapped objects", `{` + good + `,"Items":[{"BackupSetDownloadTaskDetail":` + row + `},{"BackupSetDownloadTaskDetail":[` + row2 + `]}]}`, "a b"},
		{"one object", `{` + good + `,"Items":` + row + `}`, "a"},
		{"list with null and empty object", `{` + good + `,"Items":[null,{},` + row + `]}`, "a"},
		{"empty list", `{` + good + `,"Items":[]}`, ""},
		{"empty object", `{` + good + `,"Items":{}}`, ""},
		{"null", `{` + good + `,"Items":null}`, ""},
		{"empty text", `{` + good + `,"Items":""}`, ""},
		{"missing", `{` + good + `}`, ""},
		{"Success as text", `{"Success":"True","Items":[` + row + `]}`, "a"},
		{"Success as number", `{"Success":1,"Items":[` + row + `]}`, "a"},
		{"Success last", `{"Items":[` + row + `],"TotalElements":1,` + good + `}`, "a"},
		{"no Success", `{"Items":[` + row + `]}`, "a"},
		{"no Success, good code", `{"Code":"200","TotalElements":0}`, ""},
		{"totals as text", `{` + good + `,"TotalElements":"1","TotalPages":"1","PageSize":"100","Items":[` + row + `]}`, "a"},
		{"totals that are no numbers", `{` + good + `,"TotalElements":{},"TotalPages":"many","PageSize":-5,"Items":[` + row + `]}`, "a"},
		{"member twice", `{` + good + `,` + good + `,"Items":[` + row + `]}`, "a"},
		{"white space", " \n{" + good + ",\t\"Items\" : [" + row + "] }\r\n ", "a"},
		{"escaped names", `{"\u0053uccess":true,"Items":[{"BackupSetDownloadTask\u0049d":"a"}]}`, "a"},

		{"nothing", ``, "decode: the answer is not the JSON that DBS sends (HTTP 200)"},
		{"empty object answer", `{}`, "decode: the answer is not the JSON that DBS sends (HTTP 200)"},
		{"another API's answer", `{"RequestId":"X-1","Vpcs":[]}`, "decode: the answer is not the JSON that DBS sends (HTTP 200, request X-1)"},
		{"list answer", `[1]`, "decode: the answer is not the JSON that DBS sends (HTTP 200)"},
		{"text answer", `"Success"`, "decode: the answer is not the JSON that DBS sends (HTTP 200)"},
		{"cut off", `{` + good + `,"Items":[` + row, "decode: the answer is not the JSON that DBS sends (HTTP 200)"},
		{"two answers", `{` + good + `}{` + good + `}`, "decode: the answer is not the JSON that DBS sends (HTTP 200)"},
		{"text behind", `{` + good + `} x`, "decode: the answer is not the JSON that DBS sends (HTTP 200)"},
		{"Items as number", `{` + good + `,"Items":7}`, "decode: the answer is not the JSON that DBS sends (HTTP 200)"},
		{"Items as text", `{` + good + `,"Items":"none"}`, "decode: the answer is not the JSON that DBS sends (HTTP 200)"},
		{"list of texts", `{` + good + `,"Items":["a"]}`, "decode: the answer is not the JSON that DBS sends (HTTP 200)"},
		{"lists without end", `{` + good + `,"Items":[[[[[[[[` + row + `]]]]]]]]}`, "decode: the answer is not the JSON that DBS sends (HTTP 200)"},
		{"deep garbage", strings.Repeat(`{"Items":`, 20000), "decode: the answer is not the JSON that DBS sends (HTTP 200)"},
		{"code only", `{"code":"Forbidden.RAM","requestId":"Y-2","message":"m"}`, "forbidden (HTTP 200, code Forbidden.RAM, request Y-2)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tasks, _, err := decode(t, tt.body)
			var ids []string
			for _, task := range tasks {
				ids = append(ids, task.ID)
			}
			got := strings.Join(ids, " ")
			if err != nil {
				got = strings.TrimPrefix(err.Error(), dbsapi.ActionDownloadTasks+": ")
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// A list of nothing is one thing if the API says so and another if it does not say how much there is.
func TestTotalElements(t *testing.T) {
	tests := map[string]int64{
		`"TotalElements":0`:            0,
		`"TotalElements":"7"`:          7,
		`"TotalElements":null`:         -1,
		`"TotalElements":""`:           -1,
		`"TotalElements":-3`:           -1,
		`"TotalElements":{"Value":12}`: -1,
		`"TotalPages":0`:               -1,
	}
	for total, want := range tests {
		_, got, err := decode(t, `{"Success":true,"Items":[{"BackupSetDownloadTaskId":"a"}],`+total+`}`)
		if got != want || err != nil {
			t.Errorf("%s: got %d and %v, want %d", total, got, err, want)
		}
	}
}

func TestDecodeValues(t *testing.T) {
	at := func(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
	tests := []struct {
		name, row string
		want      dbsapi.DownloadTask
	}{
		{
			"numbers as text", `"BackupSetDataSize":"237837","BackupSetDownloadCreateTime":"1642044001000","BackupGatewayId":"160813"`,
			dbsapi.DownloadTask{DataBytes: 237837, Created: at(1642044001000), GatewayID: "160813"},
		},
		{
			"texts as numbers", `"BackupSetDownloadTaskName":17,"BackupSetId":true,"BackupGatewayId":160813`,
			dbsapi.DownloadTask{Name: "17", BackupSetID: "true", GatewayID: "160813"},
		},
		{"no gateway", `"BackupGatewayId":0`, dbsapi.DownloadTask{}},
		{"largest size", `"BackupSetDataSize":9223372036854775807`, dbsapi.DownloadTask{DataBytes: 9223372036854775807}},
		{"exact beyond doubles", `"BackupSetDataSize":9007199254740993`, dbsapi.DownloadTask{DataBytes: 9007199254740993}},
		{
			"double", `"BackupSetDownloadCreateTime":1.642044001E12,"BackupSetDataSize":"12.0"`,
			dbsapi.DownloadTask{Created: at(1642044001000), DataBytes: 12},
		},
		{"milliseconds", `"BackupSetDownloadFinishTime":1642044013007`, dbsapi.DownloadTask{Finished: at(1642044013007)}},
		{
			"nothing in every way", `"BackupSetDataSize":null,"BackupSetDownloadCreateTime":"","BackupSetDownloadFinishTime":"无","BackupGatewayId":"N/A","BackupSetDownloadTargetType":"无","BackupSetDbType":"N/A"`,
			dbsapi.DownloadTask{},
		},
		{"not yet", `"BackupSetDownloadFinishTime":0`, dbsapi.DownloadTask{}},
		{"size that overflows", `"BackupSetDataSize":9223372036854775808`, dbsapi.DownloadTask{BadSize: true}},
		{"negative size", `"BackupSetDataSize":-1`, dbsapi.DownloadTask{BadSize: true}},
		{"size with a unit", `"BackupSetDataSize":"12 GB"`, dbsapi.DownloadTask{BadSize: true}},
		{"half a byte", `"BackupSetDataSize":1.5`, dbsapi.DownloadTask{BadSize: true}},
		{"size as true", `"BackupSetDataSize":true`, dbsapi.DownloadTask{BadSize: true}},
		{"size as object", `"BackupSetDataSize":{"Value":1}`, dbsapi.DownloadTask{}},
		{"time in seconds", `"BackupSetDownloadCreateTime":1642044001`, dbsapi.DownloadTask{BadTime: true}},
		{"time in microseconds", `"BackupSetDownloadCreateTime":1642044001000000`, dbsapi.DownloadTask{BadTime: true}},
		{"time as date", `"BackupSetDownloadFinishTime":"2022-01-13T03:20:01Z"`, dbsapi.DownloadTask{BadTime: true}},
		{"negative time", `"BackupSetDownloadFinishTime":-5,"BackupSetDownloadCreateTime":1642044001000`, dbsapi.DownloadTask{Created: at(1642044001000), BadTime: true}},
		{"text that is not UTF-8", "\"BackupSetDownloadTaskName\":\"a\xffb\",\"BackupSetDbType\":\"\xc3\"", dbsapi.DownloadTask{Name: "a\uFFFDb", DBType: "\uFFFD"}},
		{"escapes", `"BackupSetDownloadTaskName":"\u4e2d\n\"\ud83d\ude00"`, dbsapi.DownloadTask{Name: "中\n\"😀"}},
		{"lists in the place of texts", `"BackupSetDownloadTaskName":["x"],"BackupSetDownloadStatus":{"s":"finish"}`, dbsapi.DownloadTask{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tasks, _, err := decode(t, `{"Success":true,"Items":[{"BackupSetDownloadTaskId":"a",`+tt.row+`}]}`)
			if err != nil {
				t.Fatal(err)
			}
			tt.want.ID = "a"
			if diff := cmp.Diff([]dbsapi.DownloadTask{tt.want}, tasks); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// One row must not lend values to the next.
func TestRowsAreIndependent(t *testing.T) {
	tasks, _, err := decode(t, `{"Success":true,"Items":[{"BackupSetDownloadTaskId":"a","BackupSetDataSize":-1,"BackupSetDownloadWay":"auto"},{"BackupSetDownloadTaskId":"b"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	want := []dbsapi.DownloadTask{{ID: "a", BadSize: true, Way: "auto"}, {ID: "b"}}
	if diff := cmp.Diff(want, tasks); diff != "" {
		t.Error(diff)
	}
}

// Whatever a server sends, decoding ends, and what comes out is usable.
func FuzzDecode(f *testing.F) {
	sample, err := os.ReadFile("testdata/documented_sample.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(sample))
	f.Add(`{"Success":true,"Items":[{"BackupSetDownloadTaskId":1,"BackupSetDataSize":"1e3","BackupSetDownloadCreateTime":1642044001000}]}`)
	f.Add(`{"Success":"true","TotalElements":"2","Items":{"BackupSetDownloadTaskDetail":{"BackupSetDownloadStatus":"无"}}}`)
	f.Add(`{"Code":"Throttling.User","Message":"a server string to sign is:POST"}`)
	f.Add("{\"Success\":true,\"Items\":\"\"}\x00")
	f.Fuzz(func(t *testing.T, body string) {
		tasks, total, err := decode(t, body)
		if err != nil && strings.ContainsAny(err.Error(), "\n\"") {
			t.Errorf("error repeats the answer: %q", err)
		}
		if total < -1 {
			t.Errorf("total is %d", total)
		}
		for _, task := range tasks {
			text := task.ID + task.Name + task.BackupSetID + task.JobType + task.DBType + task.DataFormat + task.Status + task.Way + task.TargetType + task.GatewayID
			if !utf8.ValidString(text) {
				t.Errorf("text %q is no UTF-8", text)
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
	})
}
