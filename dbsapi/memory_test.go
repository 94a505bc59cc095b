package dbsapi_test

import (
	"bufio"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_dbs_exporter/dbsapi"
)

// Four plans of one target, each answered with a flood, stay under 256 MB: what
// they allocate in all bounds what they hold at a time.
func TestFloodsOfFourPlans(t *testing.T) {
	floods := map[string]string{
		"tiny rows":    `{"Success":true,"Items":[` + strings.Repeat(`{"BackupSetDownloadTaskId":1},`, 270_000),
		"empty rows":   `{"Success":true,"Items":[` + strings.Repeat(`{},`, 2_700_000),
		"tiny members": manyMembers(`"Success":true,"Items":[{`),
		"long texts": `{"Success":true,"Items":[` + strings.Repeat(`{"BackupSetDownloadTaskId":"`+strings.Repeat("x", 70_000)+`"},`, 100) +
			`{}],"TotalElements":100}`,
	}
	for name, body := range floods {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				answer := ok(body)
				n := network{server: func(c net.Conn) {
					if s := (&conn{c, bufio.NewReader(c)}); s.request() {
						s.send(answer)
					}
				}}
				transport := door(&n, nil)
				client := newClient(t, dbsapi.Options{Endpoint: "http://127.0.0.1", HTTPClient: &http.Client{Transport: transport}})
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				var wg sync.WaitGroup
				for range 4 {
					wg.Go(func() {
						if _, _, err := listAt(t.Context(), client, budget(30*time.Second)); err == nil {
							t.Error("took a flood for a list")
						}
					})
				}
				wg.Wait()
				runtime.ReadMemStats(&after)
				transport.CloseIdleConnections()
				n.wg.Wait()
				heap := (after.TotalAlloc - before.TotalAlloc) >> 20
				if t.Logf("allocated %d MiB", heap); heap > 200 {
					t.Errorf("that is too much for 256 MB of the process")
				}
			})
		})
	}
}

// A client reads two large answers at a time. The others wait with 1 MiB each,
// and an answer of usual size waits for none of them.
func TestLargeAnswersTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 3 << 20
		var arrived atomic.Int64
		var sent [4]atomic.Int64
		finish := make(chan struct{})
		n := network{server: func(c net.Conn) {
			s := &conn{c, bufio.NewReader(c)}
			if !s.request() {
				return
			}
			i := int(arrived.Add(1)) - 1
			if i >= len(sent) {
				s.send(ok(oneRow))
				return
			}
			s.send("HTTP/1.1 200 OK\r\n\r\n" + oneRow)
			for sent[i].Load() < size && s.send(strings.Repeat(" ", 1<<10)) {
				sent[i].Add(1 << 10)
			}
			<-finish
		}}
		transport := door(&n, nil)
		client := newClient(t, dbsapi.Options{Endpoint: "http://127.0.0.1", HTTPClient: &http.Client{Transport: transport}})
		var wg sync.WaitGroup
		for range sent {
			wg.Go(func() {
				if tasks, _, err := list(t.Context(), client); err != nil || len(tasks) != 1 {
					t.Errorf("got %d tasks and %v", len(tasks), err)
				}
			})
		}
		synctest.Wait()
		var whole, waiting int
		for i := range sent {
			switch n := sent[i].Load(); {
			case n >= size:
				whole++
			case n < 1<<20+64<<10:
				waiting++
			}
		}
		if whole != 2 || waiting != 2 {
			t.Errorf("%d answers were read and %d wait, want 2 and 2", whole, waiting)
		}
		if tasks, _, err := list(t.Context(), client); err != nil || len(tasks) != 1 {
			t.Errorf("beside them: %d tasks and %v", len(tasks), err)
		}
		close(finish)
		wg.Wait()
		transport.CloseIdleConnections()
		n.wg.Wait()
	})
}
