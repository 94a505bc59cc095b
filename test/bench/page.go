package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"sync"
	"time"
)

const (
	// pageTasks is the largest page that the API gives.
	pageTasks = 100
	// pageDataBytes is the sum of the tasks' sizes: task i, counted from 1, has i times taskDataBytes.
	pageDataBytes = taskDataBytes * pageTasks * (pageTasks + 1) / 2
	taskDataBytes = 1_000_003
)

// renderPage writes one page of tasks with every documented member. Every other task is a manual download with signed
// URLs.
func renderPage() ([]byte, error) {
	created := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	const signature = "?Expires=1767323045&OSSAccessKeyId=LTAI5tExampleExampleExam&Signature=YSBzaWduYXR1cmUgb2YgSE1BQ1M%3D"
	rows := make([]map[string]any, pageTasks)
	for i := range rows {
		id := fmt.Sprintf("u%011x", 0x9e3779b97f*(i+1))
		rows[i] = map[string]any{
			"BackupPlanId":                 "qhnuhyw3abcd",
			"BackupSetDownloadTaskId":      id,
			"BackupSetDownloadTaskName":    id + "-AutoCont",
			"BackupSetId":                  "1" + id,
			"BackupSetCode":                fmt.Sprintf("mysql-bin.%06d", i),
			"BackupSetJobType":             "cbs_backup_sub_cont",
			"BackupSetDbType":              "MySQL",
			"BackupSetDataFormat":          "Native",
			"BackupSetDataSize":            taskDataBytes * (i + 1),
			"BackupSetDownloadStatus":      "finish",
			"BackupSetDownloadWay":         "auto",
			"BackupSetDownloadCreateTime":  created.UnixMilli(),
			"BackupSetDownloadFinishTime":  created.Add(time.Hour).UnixMilli(),
			"BackupSetDownloadTargetType":  "agent",
			"BackupSetDownloadDir":         "/var/lib/backups/orders",
			"BackupGatewayId":              160813,
			"BackupSetDownloadInternetUrl": "",
			"BackupSetDownloadIntranetUrl": "",
			"ErrMessage":                   "",
		}
		if i%2 == 0 {
			rows[i]["BackupSetDownloadWay"] = "manual"
			rows[i]["BackupSetDownloadInternetUrl"] = "https://dbs-backup-cn-hangzhou.oss-cn-hangzhou.aliyuncs.com/" + id + ".zip" + signature
			rows[i]["BackupSetDownloadIntranetUrl"] = "https://dbs-backup-cn-hangzhou.oss-cn-hangzhou-internal.aliyuncs.com/" + id + ".zip" + signature
		}
	}
	var page bytes.Buffer
	encoder := json.NewEncoder(&page)
	encoder.SetEscapeHTML(false) // an escaped & costs some decoders more than others
	err := encoder.Encode(map[string]any{
		"HttpStatusCode": 200, "RequestId": "4F1888AC-1138-4995-B9FE-D2734F61C058", "Success": true,
		"ErrCode": "", "ErrMessage": "", "PageNum": 0, "PageSize": pageTasks, "TotalPages": 1, "TotalElements": pageTasks,
		"Items": map[string]any{"BackupSetDownloadTaskDetail": rows},
	})
	return page.Bytes(), err
}

// servePage answers every request to a loopback port with the same bytes, until it is stopped. It runs in the process
// that is measured, so it works below net/http and allocates nothing for a request: all of what is counted is the
// client's.
func servePage(ctx context.Context, body []byte) (host string, stop func(), err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("listen for the page server: %w", err)
	}
	answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nDate: Fri, 02 Jan 2026 03:04:05 GMT\r\n"+
		"Content-Type: application/json;charset=utf-8\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	ctx, cancel := context.WithCancel(ctx)
	var open sync.WaitGroup
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	open.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			open.Go(func() { answerAll(ctx, conn, answer) })
		}
	})
	stop = func() {
		cancel()
		open.Wait()
	}
	return listener.Addr().String(), stop, nil
}

// answerAll answers the requests of one connection. They have no bodies.
func answerAll(ctx context.Context, conn net.Conn, answer []byte) {
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	defer func() { _ = conn.Close() }()
	requests := bufio.NewReader(conn)
	for {
		line, err := requests.ReadSlice('\n')
		if err != nil {
			return
		}
		if len(bytes.TrimSpace(line)) > 0 {
			continue // a header
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}
