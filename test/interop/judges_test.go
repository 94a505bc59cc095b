package interop_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"

	openapi "github.com/alibabacloud-go/darabonba-openapi/v2/client"
	"github.com/alibabacloud-go/tea/dara"
	"github.com/alibabacloud-go/tea/tea"
	legacyerrors "github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/dbs"

	"aliyun_dbs_exporter/dbsapi"

	"test/interop/official"
)

// judge is an official client that lists everything, page by page. The rows are in the types of the legacy SDK, whose
// field names are those of the API.
type judge interface {
	tasks(ctx context.Context, planID string) ([]dbs.BackupSetDownloadTaskDetail, error)
	plans(ctx context.Context, region string) ([]dbs.BackupPlanDetail, error)
	gateways(ctx context.Context, region string) ([]dbs.BackupGateway, error)
}

// opener opens an official client.
type opener struct {
	name string
	open func(t *testing.T, host string, k official.Keys) judge
}

// judges opens every official client that this depth of the tests has.
var judges = slices.Concat([]opener{{"legacy Go SDK", openLegacy}, {"generic Go core", openCore}}, nodeJudges)

const pageSize = 100

// everyPage reads pages until one is not full.
func everyPage[T any](page func(num int) ([]T, error)) ([]T, error) {
	var all []T
	for num := range 10 {
		rows, err := page(num)
		if err != nil {
			return all, err
		}
		all = append(all, rows...)
		if len(rows) < pageSize {
			return all, nil
		}
	}
	return all, errors.New("the list does not end")
}

type legacy struct{ client *dbs.Client }

func openLegacy(t *testing.T, host string, k official.Keys) judge {
	client, err := official.Legacy(host, region, k)
	if err != nil {
		t.Fatal(err)
	}
	return legacy{client}
}

func (l legacy) tasks(_ context.Context, planID string) ([]dbs.BackupSetDownloadTaskDetail, error) {
	return everyPage(func(num int) ([]dbs.BackupSetDownloadTaskDetail, error) {
		request := dbs.CreateDescribeBackupSetDownloadTaskListRequest()
		request.BackupPlanId = planID
		request.PageNum, request.PageSize = requests.NewInteger(num), requests.NewInteger(pageSize)
		response, err := l.client.DescribeBackupSetDownloadTaskList(request)
		return response.Items.BackupSetDownloadTaskDetail, err
	})
}

func (l legacy) plans(_ context.Context, region string) ([]dbs.BackupPlanDetail, error) {
	return everyPage(func(num int) ([]dbs.BackupPlanDetail, error) {
		request := dbs.CreateDescribeBackupPlanListRequest()
		request.Region = region
		request.PageNum, request.PageSize = requests.NewInteger(num), requests.NewInteger(pageSize)
		response, err := l.client.DescribeBackupPlanList(request)
		return response.Items.BackupPlanDetail, err
	})
}

func (l legacy) gateways(_ context.Context, region string) ([]dbs.BackupGateway, error) {
	return everyPage(func(num int) ([]dbs.BackupGateway, error) {
		request := dbs.CreateDescribeBackupGatewayListRequest()
		request.Region = region
		request.PageNum, request.PageSize = requests.NewInteger(num), requests.NewInteger(pageSize)
		response, err := l.client.DescribeBackupGatewayList(request)
		return response.Items.BackupGateway, err
	})
}

type core struct{ client *openapi.Client }

func openCore(t *testing.T, host string, k official.Keys) judge {
	client, err := official.Core(host, k)
	if err != nil {
		t.Fatal(err)
	}
	return core{client}
}

func (c core) tasks(ctx context.Context, planID string) ([]dbs.BackupSetDownloadTaskDetail, error) {
	return everyPage(func(num int) ([]dbs.BackupSetDownloadTaskDetail, error) {
		var page struct {
			Items struct {
				BackupSetDownloadTaskDetail []dbs.BackupSetDownloadTaskDetail
			}
		}
		err := c.call(ctx, dbsapi.ActionDownloadTasks, num, map[string]string{"BackupPlanId": planID}, &page)
		return page.Items.BackupSetDownloadTaskDetail, err
	})
}

func (c core) plans(ctx context.Context, region string) ([]dbs.BackupPlanDetail, error) {
	return everyPage(func(num int) ([]dbs.BackupPlanDetail, error) {
		var page struct {
			Items struct{ BackupPlanDetail []dbs.BackupPlanDetail }
		}
		err := c.call(ctx, dbsapi.ActionBackupPlans, num, map[string]string{"Region": region}, &page)
		return page.Items.BackupPlanDetail, err
	})
}

func (c core) gateways(ctx context.Context, region string) ([]dbs.BackupGateway, error) {
	return everyPage(func(num int) ([]dbs.BackupGateway, error) {
		var page struct {
			Items struct{ BackupGateway []dbs.BackupGateway }
		}
		err := c.call(ctx, dbsapi.ActionBackupGateways, num, map[string]string{"Region": region}, &page)
		return page.Items.BackupGateway, err
	})
}

func (c core) call(ctx context.Context, action string, num int, params map[string]string, into any) error {
	params["PageNum"], params["PageSize"] = strconv.Itoa(num), strconv.Itoa(pageSize)
	result, err := c.client.CallApiWithCtx(ctx, official.Params(action), official.Query(params), &dara.RuntimeOptions{})
	if err != nil {
		return err
	}
	return dara.Convert(result["body"], into)
}

// codeOf returns the error code that a client, ours or an official one, took from the answer.
func codeOf(err error) string {
	var (
		ours     *dbsapi.Error
		server   legacyerrors.Error
		sdkError *tea.SDKError
		node     nodeError
	)
	switch {
	case err == nil:
		return "no error"
	case errors.As(err, &ours):
		return ours.Code
	case errors.As(err, &server):
		return server.ErrorCode()
	case errors.As(err, &sdkError):
		return tea.StringValue(sdkError.Code)
	case errors.As(err, &node):
		return node.code
	}
	return fmt.Sprintf("no code in %T: %v", err, err)
}

// nodeError is an error code that a Node.js core threw.
type nodeError struct{ code string }

func (e nodeError) Error() string { return "the Node.js core threw " + e.code }
