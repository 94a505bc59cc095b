package dbsapi_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"aliyun_dbs_exporter/dbsapi"
	"aliyun_dbs_exporter/dbsapi/dbssim"
)

func TestObserveGoodAttempt(t *testing.T) {
	sim := newSimulator(3)
	ahead := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(10*time.Minute).UTC().Format(http.TimeFormat))
		sim.ServeHTTP(w, r)
	})
	var o observer
	if _, _, err := list(t.Context(), serve(t, ahead, dbsapi.Options{Observe: o.observe})); err != nil {
		t.Fatal(err)
	}
	a := o.attempts[0]
	if a.Action != dbsapi.ActionDownloadTasks || a.Err != nil || !a.Sent || a.Duration <= 0 {
		t.Errorf("attempt is %+v", a)
	}
	if skew := a.ServerTime.Sub(a.LocalTime); skew < 10*time.Minute-2*time.Second || skew > 10*time.Minute+time.Second {
		t.Errorf("server is ahead by %v, want 10 minutes", skew)
	}
}

// An answer without bound ends at 8 MiB.
func TestAnswerIsBounded(t *testing.T) {
	sent := 0
	endless := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		chunk := []byte(strings.Repeat(" ", 1<<20))
		for range 64 {
			n, err := w.Write(chunk)
			if sent += n; err != nil {
				return
			}
		}
	})
	_, _, err := list(t.Context(), serve(t, endless, dbsapi.Options{}))
	if want := "DescribeBackupSetDownloadTaskList: decode: the answer exceeds 8 MiB (HTTP 200)"; err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
}

// A redirect would carry the session token to another host.
func TestRedirectIsNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("followed with headers %v", r.Header)
	}))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		sim := newSimulator(3)
		sim.SetFault(testPlan, dbssim.Fault{Status: status, Location: elsewhere.URL})
		_, _, err := list(t.Context(), serve(t, sim, dbsapi.Options{}))
		if got := reasonOf(t, err); got != dbsapi.ReasonOther {
			t.Errorf("%d: reason is %s", status, got)
		}
	}
}

func TestNewRejectsEndpoint(t *testing.T) {
	_, err := dbsapi.New(dbsapi.Options{Endpoint: "http://user:password-mark@dbs.example"})
	if err == nil || err.Error() != "endpoint: must not hold a user name or password" {
		t.Errorf("error is %v", err)
	}
}
