package credentials_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"aliyun_dbs_exporter/dbsapi/credentials"
)

// descriptors counts the files and connections that the process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/dev/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// settled waits until the process has as many descriptors open as before.
func settled(t *testing.T, before int) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	begin := time.Now()
	for now := descriptors(t); now > before; now = descriptors(t) {
		if time.Since(begin) > 30*time.Second {
			t.Fatalf("%d descriptors are open, %d were before", now, before)
		}
		<-tick.C
	}
}

// sampleHeap returns a function that stops sampling and returns the most heap
// that was in use.
func sampleHeap() (peak func() uint64) {
	runtime.GC()
	var most atomic.Uint64
	done := make(chan struct{})
	var sampling sync.WaitGroup
	sampling.Go(func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			var now runtime.MemStats
			runtime.ReadMemStats(&now)
			most.Store(max(most.Load(), now.HeapInuse))
			select {
			case <-tick.C:
			case <-done:
				return
			}
		}
	})
	return func() uint64 {
		close(done)
		sampling.Wait()
		return most.Load()
	}
}

// Over real sockets too, an answer that unpacks to hundreds of megabytes costs
// next to nothing.
func TestBombOverSockets(t *testing.T) {
	packed := []byte(bomb())
	server := quiet(httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(packed)
	})))
	defer server.Close()
	before := descriptors(t)
	host := strings.TrimPrefix(server.URL, "https://")
	peak := sampleHeap()
	for range 20 {
		c := newClient()
		_, err := c.RAMRole(credentials.NewStatic(keyMark, secretMark, ""), credentials.RoleOptions{RoleARN: readerRole, STSEndpoint: host}).Get(t.Context())
		if err == nil || err.Error() != "assume RAM role at "+host+": the answer is larger than 64 KiB (HTTP 200)" {
			t.Fatalf("got %v", err)
		}
		c.CloseIdleConnections()
	}
	if most := peak(); most > 64<<20 {
		t.Errorf("%d MB of heap were in use", most>>20)
	}
	server.CloseClientConnections()
	settled(t, before)
}

// An OIDC token goes to STS and to nobody else, wherever STS sends the client.
func TestTokenIsNotRedirected(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		var asked atomic.Int32
		evil := quiet(httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			fmt.Fprint(w, `{"Credentials":{"AccessKeyId":"STS.evil","AccessKeySecret":"x","SecurityToken":"x","Expiration":"2100-01-01T00:00:00Z"}}`)
		})))
		var body bytes.Buffer
		sts := quiet(httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = body.ReadFrom(r.Body)
			http.Redirect(w, r, evil.URL, status)
		})))
		host := strings.TrimPrefix(sts.URL, "https://")
		c := newClient()
		cred, err := c.OIDCRole(credentials.RoleOptions{RoleARN: podRole, OIDCTokenFile: writeFile(t, "token", oidcMark), STSEndpoint: host}).Get(t.Context())
		want := "assume RAM role with OIDC at " + host + ": " + redirected(status)
		if err == nil || err.Error() != want || asked.Load() != 0 || cred != (credentials.Credentials{}) {
			t.Errorf("%d: got %v, %d requests elsewhere", status, err, asked.Load())
		}
		if !strings.Contains(body.String(), oidcMark) {
			t.Error("STS did not get the token")
		}
		c.CloseIdleConnections()
		sts.Close()
		evil.Close()
	}
}

// A hundred polls with keys that have ended ask a few times, and leave no
// connection behind.
func TestEndedKeysOverSockets(t *testing.T) {
	var asked atomic.Int32
	server := quiet(httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		fmt.Fprint(w, `{"AccessKeyId":"STS.old","AccessKeySecret":"x","SecurityToken":"x","Expiration":"2020-01-01T00:00:00Z"}`)
	})))
	defer server.Close()
	before := descriptors(t)
	c := newClient()
	s := c.URI(credentials.Given(server.URL))
	want := "read credentials URI at " + strings.TrimPrefix(server.URL, "http://") + ": " + ended
	begin := time.Now()
	for range 100 {
		if _, err := s.Get(t.Context()); err == nil || err.Error() != want {
			t.Fatalf("got %v", err)
		}
	}
	if most := 1 + int32(time.Since(begin)/time.Second); asked.Load() > most {
		t.Errorf("100 polls asked %d times", asked.Load())
	}
	c.CloseIdleConnections()
	server.CloseClientConnections()
	settled(t, before)
}
