package dbsapi_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

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
	// The server would say the same to a second attempt, and turns keep no pause.
	return listAt(context.Background(), c, dbsapi.Pace{Turn: new(schedule).turn, OneAttempt: true})
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
	const none = good + `,"TotalElements":0`
	const uuid = "4F1888AC-1138-4995-B9FE-D2734F61C058"
	const notDBS = "decode: the answer is not the JSON that DBS sends (HTTP 200)"
	tests := []struct {
		name, body string
		want       string // IDs, or the error
	}{
		{"object with list", `{` + good + `,"Items":{"BackupSetDownloadTaskDetail":[` + row + `,` + row2 + `]}}`, "a b"},
		{"object with one object", `{` + good + `,"Items":{"BackupSetDownloadTaskDetail":` + row + `}}`, "a"},
		{"object with null", `{` + none + `,"Items":{"BackupSetDownloadTaskDetail":null}}`, ""},
		{"object with empty text", `{` + none + `,"Items":{"BackupSetDownloadTaskDetail":""}}`, ""},
		{"object with other members", `{` + good + `,"Items":{"Other":[1],"BackupSetDownloadTaskDetail":[` + row + `]}}`, "a"},
		{"list", `{` + good + `,"Items":[` + row + `,` + row2 + `]}`, "a b"},
		{"list of wrapped objects", `{` + good + `,"Items":[{"BackupSetDownloadTaskDetail":` + row + `},{"BackupSetDownloadTaskDetail":[` + row2 + `]}]}`, "a b"},
		{"one object", `{` + good + `,"Items":` + row + `}`, "a"},
		{"ID that is too long", `{` + good + `,"Items":[{"BackupSetDownloadTaskId":"` + strings.Repeat("A", 1024) + `"},` + row + `]}`, strings.Repeat("A", 64) + " a"},
		{"list with empty object", `{` + good + `,"Items":[{},` + row + `]}`, " a"},
		{"empty list", `{` + none + `,"Items":[]}`, ""},
		{"empty object", `{` + none + `,"Items":{}}`, ""},
		{"null", `{` + none + `,"Items":null}`, ""},
		{"empty text", `{` + none + `,"Items":""}`, ""},
		{"missing", `{` + none + `}`, ""},
		{"Success as text", `{"Success":"True","Items":[` + row + `]}`, "a"},
		{"Success last", `{"Items":[` + row + `],"TotalElements":1,` + good + `}`, "a"},
		{"no Success", `{"Items":[` + row + `],"TotalElements":1}`, "a"},
		{"no Success, good code", `{"Code":"200","TotalElements":0,"Items":[]}`, ""},
		{"no Success, good status in the body", `{"HttpStatusCode":200,"TotalElements":0,"Items":{}}`, ""},
		{"no Success, ErrCode alone", `{"ErrCode":"Request.Forbidden","TotalElements":0,"Items":{}}`, ""},
		{"good status in the body", `{` + none + `,"HttpStatusCode":"200"}`, ""},
		{"totals as text", `{` + good + `,"TotalElements":"1","TotalPages":"1","PageSize":"100","Items":[` + row + `]}`, "a"},
		{"totals that are no numbers", `{` + good + `,"TotalElements":{},"TotalPages":"many","PageSize":-5,"Items":[` + row + `]}`, "a"},
		{"member without meaning twice", `{` + good + `,"X":1,"X":2,"Items":[` + row + `]}`, "a"},
		{"null status in the body", `{` + none + `,"HttpStatusCode":null}`, ""},
		{"white space", " \n{" + good + ",\t\"Items\" : [" + row + "] }\r\n ", "a"},
		{"escaped names", `{"\u0053uccess":true,"Items":[{"BackupSetDownloadTask\u0049d":"a"}]}`, "a"},

		{"nothing", ``, notDBS},
		{"empty object answer", `{}`, notDBS},
		{"another API's answer", `{"RequestId":"` + uuid + `","Vpcs":[]}`, "decode: the answer is not the JSON that DBS sends (HTTP 200, request " + uuid + ")"},
		{"invalid request ID", `{"RequestId":"X-1","Vpcs":[]}`, notDBS},
		{"Success alone", `{` + good + `}`, notDBS},
		{"Success as number", `{"Success":1,"Items":[` + row + `]}`, notDBS},
		{"Success as other text", `{"Success":"no","Items":[` + row + `],"TotalElements":1}`, notDBS},
		{"Success as object", `{"Success":{},"Items":[` + row + `],"TotalElements":1}`, notDBS},
		{"Success null is none", `{"Success":null,"Items":[` + row + `]}`, notDBS},
		{"no Success, no total", `{"Items":[` + row + `]}`, notDBS},
		{"no Success, no rows", `{"TotalElements":0}`, notDBS},
		{"total without rows", `{` + good + `,"TotalElements":3}`, notDBS},
		{"no rows, no total", `{` + good + `,"Items":[]}`, "decode: the first page is empty and does not say that the list is (HTTP 200)"},
		{"no rows, other total", `{` + good + `,"Items":[],"TotalElements":3}`, "decode: the first page is empty though the list has 3 elements (HTTP 200)"},
		{"forbidden in the body", `{"TotalElements":0,"Items":[],"HttpStatusCode":403,"ErrCode":"Request.Forbidden"}`, "forbidden (HTTP 403, code Request.Forbidden)"},
		{"failure in the body", `{"Items":null,"HttpStatusCode":500}`, "server (HTTP 500)"},
		{"Success and failure in the body", `{` + none + `,"HttpStatusCode":500}`, "server (HTTP 500)"},
		{"status in the body as text", `{` + none + `,"Items":{},"HttpStatusCode":"Forbidden"}`, notDBS},
		{"broken status in the body", `{` + none + `,"HttpStatusCode":403.5}`, notDBS},
		{"negative status in the body", `{` + none + `,"HttpStatusCode":-1}`, notDBS},
		{"status in the body as object", `{` + none + `,"HttpStatusCode":{"Value":403}}`, notDBS},
		{"failure with a broken status", `{"Success":false,"HttpStatusCode":"x","Code":"Forbidden.RAM"}`, "forbidden (HTTP 200, code Forbidden.RAM)"},
		{"Success twice", `{"Success":false,"TotalElements":0,"Success":true}`, "other (HTTP 200)"},
		{"Success twice alike", `{` + good + `,` + none + `}`, notDBS},
		{"Items twice", `{` + good + `,"Items":[` + row + `],"Items":[` + row2 + `]}`, notDBS},
		{"TotalElements twice", `{` + none + `,"TotalElements":2,"Items":[]}`, notDBS},
		{"status in the body twice", `{` + none + `,"HttpStatusCode":200,"HttpStatusCode":500}`, notDBS},
		{"error in the place of rows", `{` + none + `,"Items":{"Error":"Forbidden"}}`, notDBS},
		{"list under a wrong name", `{` + good + `,"TotalElements":1,"Items":{"Other":[` + row + `]}}`, notDBS},
		{"error in the place of the list", `{` + none + `,"Items":{"BackupSetDownloadTaskDetail":{"Error":"Forbidden"}}}`, notDBS},
		{"no Success, null", `{"TotalElements":0,"Items":null}`, notDBS},
		{"no Success, empty text", `{"TotalElements":0,"Items":""}`, notDBS},
		{"absurd status in the body", `{` + none + `,"HttpStatusCode":9223372036854775807}`, "server (HTTP 999)"},
		{"Success, bad code", `{"Success":true,"Items":[],"TotalElements":0,"Code":"Forbidden.RAM"}`, "forbidden (HTTP 200, code Forbidden.RAM)"},
		{"no Success, bad code", `{"Items":[],"TotalElements":0,"Code":"Forbidden.RAM"}`, "forbidden (HTTP 200, code Forbidden.RAM)"},
		{"code twice", `{` + none + `,"Items":[],"Code":"Forbidden.RAM","Code":"200"}`, "forbidden (HTTP 200, code Forbidden.RAM)"},
		{"code twice, the good one first", `{` + none + `,"Items":[],"Code":"200","Code":"Forbidden.RAM"}`, notDBS},
		{"code in both cases", `{` + none + `,"Items":[],"code":"Forbidden.RAM","Code":"200"}`, "forbidden (HTTP 200, code Forbidden.RAM)"},
		{"code in both cases, the good one first", `{` + none + `,"Items":[],"Code":"OK","code":"Forbidden.RAM"}`, notDBS},
		{"code as object", `{` + none + `,"Items":[],"Code":{"x":"Forbidden"}}`, notDBS},
		{"code as list", `{` + none + `,"Items":[],"Code":["Forbidden"]}`, notDBS},
		{"code that is too long", `{` + none + `,"Items":[],"Code":"` + strings.Repeat("x", 2000) + `"}`, notDBS},
		{"code that is far too long", `{` + none + `,"Items":[],"Code":"` + strings.Repeat("x", 9000) + `"}`, notDBS},
		{"no Success, code as object", `{"TotalElements":0,"Items":[],"code":{}}`, notDBS},
		{"null code", `{` + none + `,"Code":null}`, ""},
		{"code of nothing", `{` + none + `,"Code":"无"}`, ""},
		{"code as number", `{` + none + `,"Code":200}`, ""},
		{"status in the body that is too long", `{` + none + `,"Items":[],"HttpStatusCode":"` + strings.Repeat("5", 2000) + `"}`, notDBS},
		{"status in the body as a number that is too long", `{` + none + `,"Items":[],"HttpStatusCode":` + strings.Repeat("5", 9000) + `}`, notDBS},
		{"Success that is too long", `{"Success":"` + strings.Repeat("f", 2000) + `","TotalElements":0,"Items":[]}`, notDBS},
		{"Success as list", `{"Success":[],"TotalElements":0,"Items":[]}`, notDBS},
		{"Success false, code as object", `{"Success":false,"Code":{"x":1},"ErrCode":"Request.Forbidden"}`, "forbidden (HTTP 200, code Request.Forbidden)"},
		{"Success false, code that is too long", `{"Success":false,"Code":"` + strings.Repeat("x", 2000) + `"}`, "other (HTTP 200)"},
		{"failure in the body, code twice", `{"HttpStatusCode":500,"Code":"InternalError","code":"x"}`, "server (HTTP 500, code InternalError)"},
		{"more rows than asked for", `{` + good + `,"Items":[` + strings.Repeat("{},", 100) + row + `]}`, "decode: the answer has more rows than were asked for (HTTP 200)"},
		{"list answer", `[1]`, notDBS},
		{"text answer", `"Success"`, notDBS},
		{"cut off", `{` + good + `,"Items":[` + row, notDBS},
		{"two answers", `{` + good + `}{` + good + `}`, notDBS},
		{"text behind", `{` + good + `} x`, notDBS},
		{"Items as number", `{` + good + `,"Items":7}`, notDBS},
		{"Items as text", `{` + good + `,"Items":"none"}`, notDBS},
		{"list with null", `{` + good + `,"Items":[null,` + row + `]}`, notDBS},
		{"list with empty text", `{` + good + `,"Items":["",` + row + `]}`, notDBS},
		{"list in list", `{` + good + `,"Items":[[` + row + `]]}`, notDBS},
		{"row that holds rows", `{` + good + `,"Items":[{"BackupSetDownloadTaskId":"x","BackupSetDownloadTaskDetail":[` + row + `]}]}`, notDBS},
		{"list of texts", `{` + good + `,"Items":["a"]}`, notDBS},
		{"lists without end", `{` + good + `,"Items":[[[[[[[[` + row + `]]]]]]]]}`, notDBS},
		{"deep garbage", strings.Repeat(`{"Items":`, 20000), notDBS},
		{"code only", `{"code":"Forbidden.RAM","requestId":"` + uuid + `","message":"m"}`, "forbidden (HTTP 200, code Forbidden.RAM, request " + uuid + ")"},
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
		`"TotalElements":"1"`:          1,
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
	if _, got, err := decode(t, `{"Success":true,"Items":[],"TotalElements":0}`); got != 0 || err != nil {
		t.Errorf("no rows: got %d and %v, want 0", got, err)
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
		{"digits with underscore", `"BackupSetDataSize":"1_0"`, dbsapi.DownloadTask{BadSize: true}},
		{"hexadecimal float", `"BackupSetDataSize":"0x1p4"`, dbsapi.DownloadTask{BadSize: true}},
		{"infinite size", `"BackupSetDataSize":"Inf"`, dbsapi.DownloadTask{BadSize: true}},
		{"double that is not exact", `"BackupSetDataSize":9007199254740993.0`, dbsapi.DownloadTask{BadSize: true}},
		{"largest exact double", `"BackupSetDataSize":9007199254740991.0`, dbsapi.DownloadTask{DataBytes: 9007199254740991}},
		{"size as object", `"BackupSetDataSize":{"Value":1}`, dbsapi.DownloadTask{BadSize: true}},
		{"time in seconds", `"BackupSetDownloadCreateTime":1642044001`, dbsapi.DownloadTask{BadTime: true}},
		{"time in microseconds", `"BackupSetDownloadCreateTime":1642044001000000`, dbsapi.DownloadTask{BadTime: true}},
		{"time as date", `"BackupSetDownloadFinishTime":"2022-01-13T03:20:01Z"`, dbsapi.DownloadTask{BadTime: true}},
		{"negative time", `"BackupSetDownloadFinishTime":-5,"BackupSetDownloadCreateTime":1642044001000`, dbsapi.DownloadTask{Created: at(1642044001000), BadTime: true}},
		{"text that is not UTF-8", "\"BackupSetDownloadTaskName\":\"a\xffb\",\"BackupSetDbType\":\"\xc3\"", dbsapi.DownloadTask{Name: "a\uFFFDb", DBType: "\uFFFD"}},
		{
			"invalid gateway", `"BackupGatewayId":"无","BackupSetDataSize":7,"BackupSetDownloadStatus":"finish"`,
			dbsapi.DownloadTask{DataBytes: 7, Status: "finish"},
		},
		{"longest text", `"BackupSetDownloadTaskName":"` + strings.Repeat("\u0041", 1024) + `"`, dbsapi.DownloadTask{Name: strings.Repeat("A", 1024)}},
		{"text that is too long", `"BackupSetDownloadTaskName":"` + strings.Repeat("A", 1025) + `","BackupSetDbType":"` + strings.Repeat("A", 9000) + `"`, dbsapi.DownloadTask{}},
		{"number that is too long for a text", `"BackupSetDownloadTaskName":` + strings.Repeat("7", 1025) + `,"BackupSetDbType":` + strings.Repeat("7", 9000), dbsapi.DownloadTask{}},
		{"longest ID", `"BackupSetId":"` + strings.Repeat("A", 64) + `"`, dbsapi.DownloadTask{BackupSetID: strings.Repeat("A", 64)}},
		{"ID that is too long", `"BackupSetId":"` + strings.Repeat("A", 65) + `"`, dbsapi.DownloadTask{BackupSetID: strings.Repeat("A", 64)}},
		{"ID that is cut in a character", `"BackupSetId":"` + strings.Repeat("中", 43) + `"`, dbsapi.DownloadTask{BackupSetID: strings.Repeat("中", 21)}},
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
