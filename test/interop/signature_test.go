package interop_test

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	openapiutil "github.com/alibabacloud-go/darabonba-openapi/v2/utils"
	"github.com/alibabacloud-go/tea/dara"
	"github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/dbsapi"

	"test/interop/official"
)

// emptyHash is the SHA-256 of the empty body.
const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// Our client sends the same request as the official core, with the same signature.
func TestSameRequest(t *testing.T) {
	tasksOf := func(planID string) func(*testing.T, *dbsapi.Client) {
		return func(t *testing.T, c *dbsapi.Client) {
			all(t, c.DownloadTasks(t.Context(), dbsapi.TaskQuery{PlanID: planID}, dbsapi.Pace{}))
		}
	}
	taskByID := func(taskID string) func(*testing.T, *dbsapi.Client) {
		return func(t *testing.T, c *dbsapi.Client) {
			all(t, c.DownloadTasks(t.Context(), dbsapi.TaskQuery{TaskID: taskID}, dbsapi.Pace{}))
		}
	}
	plansIn := func(region string) func(*testing.T, *dbsapi.Client) {
		return func(t *testing.T, c *dbsapi.Client) {
			all(t, c.BackupPlans(t.Context(), dbsapi.PlanQuery{Region: region}, dbsapi.Pace{}))
		}
	}
	const odd = "a b*c~d/e+f中😀&g=h%20;i'(j)!@,:$?#[]\"<>\\^`{|}-_."
	tests := []struct {
		name   string
		keys   official.Keys
		ask    func(*testing.T, *dbsapi.Client)
		action string
		params map[string]string
	}{
		{"tasks", lastingKey, tasksOf(planID), dbsapi.ActionDownloadTasks, map[string]string{"BackupPlanId": planID}},
		{"tasks with token", temporaryKey, tasksOf(planID), dbsapi.ActionDownloadTasks, map[string]string{"BackupPlanId": planID}},
		{"tasks of an odd plan", lastingKey, tasksOf(odd), dbsapi.ActionDownloadTasks, map[string]string{"BackupPlanId": odd}},
		{"tasks of an odd plan with token", temporaryKey, tasksOf(odd), dbsapi.ActionDownloadTasks, map[string]string{"BackupPlanId": odd}},
		{"one task", lastingKey, taskByID("urxgrxt7"), dbsapi.ActionDownloadTasks, map[string]string{"BackupSetDownloadTaskId": "urxgrxt7"}},
		{"one odd task", lastingKey, taskByID(odd), dbsapi.ActionDownloadTasks, map[string]string{"BackupSetDownloadTaskId": odd}},
		{"plans", lastingKey, plansIn(region), dbsapi.ActionBackupPlans, map[string]string{"Region": region}},
		{"plans with token", temporaryKey, plansIn(region), dbsapi.ActionBackupPlans, map[string]string{"Region": region}},
		{"plans of an odd region", lastingKey, plansIn(odd), dbsapi.ActionBackupPlans, map[string]string{"Region": odd}},
		{"plans of all regions", lastingKey, plansIn(""), dbsapi.ActionBackupPlans, map[string]string{"Region": ""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			recorded, host := recorder(t)
			params := maps.Clone(tt.params)
			params["PageNum"], params["PageSize"] = "0", "100"

			tt.ask(t, openOurs(t, host, tt.keys))
			ours := <-recorded
			askCore(t.Context(), t, host, tt.keys, tt.action, params)
			theirs := <-recorded

			if diff := cmp.Diff(essence(t, theirs), essence(t, ours)); diff != "" {
				t.Errorf("the official core (-) and our client (+) send different requests:\n%s", diff)
			}
			if got, want := ours.header.Get("Authorization"), authorization(ours, host, tt.keys, tt.action, params); got != want {
				t.Errorf("our client signs\n%s, the official core\n%s", got, want)
			}
			if theirs.header.Get("X-Acs-Signature-Nonce") == ours.header.Get("X-Acs-Signature-Nonce") {
				t.Error("both requests have the same nonce")
			}
		})
	}
}

// request is what arrived.
type request struct {
	method, uri, host, body string
	header                  http.Header
}

// recorder answers every request with an empty list and hands the request out.
func recorder(t *testing.T) (recorded <-chan request, host string) {
	t.Helper()
	requests := make(chan request, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		requests <- request{r.Method, r.RequestURI, r.Host, string(body), r.Header}
		io.WriteString(w, `{"Success":true,"TotalElements":0,"Items":{}}`)
	}))
	t.Cleanup(server.Close)
	return requests, strings.TrimPrefix(server.URL, "http://")
}

func askCore(ctx context.Context, t *testing.T, host string, k official.Keys, action string, params map[string]string) {
	t.Helper()
	client, err := official.Core(host, k)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CallApiWithCtx(ctx, official.Params(action), official.Query(params), &dara.RuntimeOptions{}); err != nil {
		t.Fatal(err)
	}
}

// essence is what the API takes from a request, without what differs from one to the next. Headers that only say which
// client it is are left out: besides User-Agent, the core says where its keys are from.
func essence(t *testing.T, r request) any {
	t.Helper()
	uri, err := url.ParseRequestURI(r.uri)
	if err != nil {
		t.Fatal(err)
	}
	query, err := url.ParseQuery(uri.RawQuery)
	if err != nil {
		t.Fatal(err)
	}
	header := r.header.Clone()
	for _, name := range []string{
		"Authorization", "X-Acs-Date", "X-Acs-Signature-Nonce", "User-Agent", "X-Acs-Credentials-Provider",
	} {
		header.Del(name)
	}
	return map[string]any{"method": r.method, "path": uri.Path, "query": query, "host": r.host, "body": r.body, "header": header}
}

// authorization is the header with which the official core signs that question, at the time and with the nonce of a
// request. Nothing else is taken from the request: what it adds or leaves out is a difference.
func authorization(r request, host string, k official.Keys, action string, params map[string]string) string {
	header := map[string]*string{
		"host":                  &host,
		"x-acs-action":          &action,
		"x-acs-version":         new(official.APIVersion),
		"x-acs-content-sha256":  new(emptyHash),
		"x-acs-date":            new(r.header.Get("X-Acs-Date")),
		"x-acs-signature-nonce": new(r.header.Get("X-Acs-Signature-Nonce")),
	}
	if k.Token != "" {
		header["x-acs-accesskey-id"], header["x-acs-security-token"] = &k.ID, &k.Token
	}
	signed := &dara.Request{
		Method: new(http.MethodPost), Pathname: new("/"), Headers: header, Query: official.Query(params).Query,
	}
	return dara.StringValue(openapiutil.GetAuthorization(
		signed, new("ACS3-HMAC-SHA256"), new(emptyHash), &k.ID, &k.Secret))
}
