package main

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/alibabacloud-go/tea/dara"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/dbs"

	"aliyun_dbs_exporter/dbsapi"
	"aliyun_dbs_exporter/dbsapi/credentials"

	"test/interop/official"
)

const planID = "dbsqhnuhyw3abcd"

var keys = official.Keys{ID: "testid", Secret: "testsecret"}

// peer is a client that fetches the page and decodes it.
type peer struct {
	name  string
	want  contents
	fetch func(context.Context) (contents, error)
}

// contents tell whether a peer read the page.
type contents struct {
	tasks     int
	dataBytes int64
}

var wholePage = contents{tasks: pageTasks, dataBytes: pageDataBytes}

// newPeers returns the clients of a page server: ours, the core of the current official SDKs, the legacy SDK, and the
// floor under them all.
func newPeers(host string) ([]peer, error) {
	mine, err := dbsapi.New(dbsapi.Options{
		Endpoint:    "http://" + host,
		Credentials: credentials.NewStatic(keys.ID, keys.Secret, ""),
		HTTPClient:  &http.Client{Transport: &http.Transport{}},
	})
	if err != nil {
		return nil, err
	}
	core, err := corePeer(host)
	if err != nil {
		return nil, err
	}
	legacy, err := legacyPeer(host)
	if err != nil {
		return nil, err
	}
	return []peer{
		{"dbsapi", wholePage, func(ctx context.Context) (contents, error) { return fetchOurs(ctx, mine) }},
		{"darabonba-openapi", wholePage, core},
		{"alibaba-cloud-sdk-go", wholePage, legacy},
		{"http-only", contents{}, plainPeer(host)},
	}, nil
}

// fetchOurs reads one page, as the peers do: after a full page, the client would ask for another.
func fetchOurs(ctx context.Context, client *dbsapi.Client) (c contents, err error) {
	for page, err := range client.DownloadTasks(ctx, dbsapi.TaskQuery{PlanID: planID}, dbsapi.Pace{}) {
		if err != nil {
			return c, err
		}
		c.tasks += len(page.Items)
		for i := range page.Items {
			c.dataBytes += page.Items[i].DataBytes
		}
		break
	}
	return c, nil
}

func corePeer(host string) (func(context.Context) (contents, error), error) {
	client, err := official.Core(host, keys)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (c contents, err error) {
		request := official.Query(map[string]string{"BackupPlanId": planID, "PageNum": "0", "PageSize": "100"})
		result, err := client.CallApiWithCtx(ctx, official.Params(dbsapi.ActionDownloadTasks), request, &dara.RuntimeOptions{})
		if err != nil {
			return c, err
		}
		var response taskListResponse
		if err := dara.Convert(result, &response); err != nil {
			return c, err
		}
		for _, task := range response.Body.Items.BackupSetDownloadTaskDetail {
			c.tasks++
			c.dataBytes += dara.Int64Value(task.BackupSetDataSize)
		}
		return c, nil
	}, nil
}

func legacyPeer(host string) (func(context.Context) (contents, error), error) {
	client, err := official.Legacy(host, "cn-hangzhou", keys)
	if err != nil {
		return nil, err
	}
	return func(context.Context) (c contents, err error) {
		request := dbs.CreateDescribeBackupSetDownloadTaskListRequest()
		request.BackupPlanId = planID
		request.PageNum, request.PageSize = requests.NewInteger(0), requests.NewInteger(pageTasks)
		response, err := client.DescribeBackupSetDownloadTaskList(request)
		if err != nil {
			return c, err
		}
		for i := range response.Items.BackupSetDownloadTaskDetail {
			c.tasks++
			c.dataBytes += response.Items.BackupSetDownloadTaskDetail[i].BackupSetDataSize
		}
		return c, nil
	}, nil
}

// plainPeer fetches the page, unsigned, and throws it away.
func plainPeer(host string) func(context.Context) (contents, error) {
	client := &http.Client{Transport: &http.Transport{}}
	return func(ctx context.Context) (c contents, err error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+host+"/", nil)
		if err != nil {
			return c, err
		}
		response, err := client.Do(request)
		if err != nil {
			return c, err
		}
		defer response.Body.Close()
		_, err = io.Copy(io.Discard, response.Body)
		return c, err
	}
}

// check makes sure that a peer reads the page before it is measured.
func (p peer) check(ctx context.Context) error {
	got, err := p.fetch(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	if got != p.want {
		return fmt.Errorf("%s read %+v, want %+v", p.name, got, p.want)
	}
	return nil
}
