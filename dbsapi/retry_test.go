package dbsapi_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/dbsapi"
	"aliyun_dbs_exporter/dbsapi/credentials"
	"aliyun_dbs_exporter/dbsapi/dbssim"
)

// Failures that may pass are retried until they have, each time with a new signature.
func TestRetryUntilGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := newSimulator(3)
		fault := dbssim.Failing(503, "ServiceUnavailable")
		fault.Times = 3
		sim.SetFault(testPlan, fault)
		var o observer
		start := time.Now()
		tasks, _, err := list(t.Context(), inMemoryClient(t, sim, dbsapi.Options{Observe: o.observe}))
		if err != nil || len(tasks) != 3 {
			t.Fatalf("got %d tasks and %v", len(tasks), err)
		}
		if diff := cmp.Diff([]string{"server", "server", "server", "good"}, o.reasons()); diff != "" {
			t.Error(diff)
		}
		// 0.5 s, 1 s and 2 s, each spread by half.
		if took := time.Since(start); took < 1750*time.Millisecond || took > 5250*time.Millisecond {
			t.Errorf("took %v", took)
		}
		nonces := make(map[string]bool)
		for _, r := range sim.Requests() {
			nonces[r.Nonce] = true
		}
		if len(nonces) != 4 {
			t.Errorf("%d nonces for 4 requests", len(nonces))
		}
	})
}

// schedule hands out turns as the exporter's does: none before a pause is over.
type schedule struct {
	mu     sync.Mutex
	resume time.Time
	turns  int
}

func (s *schedule) turn(ctx context.Context, _ string) (func(), error) {
	s.mu.Lock()
	s.turns++
	wait := time.Until(s.resume)
	s.mu.Unlock()
	select {
	case <-time.After(wait):
		return func() {}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *schedule) observe(a dbsapi.Attempt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, pause := range []time.Duration{a.Pause.Action, a.Pause.Account} {
		if resume := time.Now().Add(pause); pause > 0 && resume.After(s.resume) {
			s.resume = resume
		}
	}
}

// A pause is the server's time: it costs no budget, is no failure, and with a
// schedule the client itself waits for nothing but its turn.
func TestPauseCostsNothing(t *testing.T) {
	tests := []struct {
		name string
		pace func(*schedule) dbsapi.Pace
	}{
		{"with turns", func(s *schedule) dbsapi.Pace {
			return dbsapi.Pace{Turn: s.turn, Budget: dbsapi.NewBudget(5 * time.Second)}
		}},
		{"slow plan", func(s *schedule) dbsapi.Pace {
			return dbsapi.Pace{Turn: s.turn, Budget: dbsapi.NewBudget(5 * time.Second), OneAttempt: true}
		}},
		{"without turns", func(*schedule) dbsapi.Pace { return budget(5 * time.Second) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := newSimulator(3)
				fault := dbssim.Throttled(time.Minute)
				fault.Times = 3
				sim.SetFault(testPlan, fault)
				var s schedule
				start := time.Now()
				pace := tt.pace(&s)
				tasks, _, err := listAt(t.Context(), inMemoryClient(t, sim, dbsapi.Options{Observe: s.observe}), pace)
				if err != nil || len(tasks) != 3 {
					t.Errorf("got %d tasks and %v", len(tasks), err)
				}
				if took := time.Since(start); took != 3*time.Minute {
					t.Errorf("took %v, want the 3 minutes that the server asked for", took)
				}
				if left := pace.Budget.Left(); left != 5*time.Second {
					t.Errorf("%v left of the budget, want all of it", left)
				}
			})
		})
	}
}

// Only throttled answers and HTTP 503 are read for a pause, and no header makes
// a failure final.
func TestPauseAsked(t *testing.T) {
	in := func(d time.Duration) string {
		return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(d).Format(http.TimeFormat)
	}
	tests := []struct {
		name     string
		status   int
		header   http.Header
		pause    dbsapi.Pause
		requests int
	}{
		{"API", 400, http.Header{"X-Ratelimit-User-Api": {"Limit:1,Remain:0,TimeLeft:20000,Reset:1234"}}, dbsapi.Pause{Action: 20 * time.Second}, 4},
		{"account", 429, http.Header{"X-Ratelimit-User": {"TimeLeft:20000"}, "X-Ratelimit-User-Api": {"TimeLeft:1000"}}, dbsapi.Pause{Action: time.Second, Account: 20 * time.Second}, 4},
		{"account with requests left", 400, http.Header{
			"X-Ratelimit-User": {"Limit:5,Remain:3,TimeLeft:20000"}, "X-Ratelimit-User-Api": {"Limit:1, Remain:0, TimeLeft:15000"},
		}, dbsapi.Pause{Action: 15 * time.Second}, 4},
		{"API for longer than the account", 429, http.Header{
			"X-Ratelimit-User": {"Limit:1,Remain:0,TimeLeft:1000"}, "X-Ratelimit-User-Api": {"Limit:1,Remain:0,TimeLeft:60000"},
		}, dbsapi.Pause{Action: time.Minute, Account: time.Second}, 4},
		{"seconds for longer than the account", 429, http.Header{"X-Ratelimit-User": {"TimeLeft:1000"}, "Retry-After": {"20"}}, dbsapi.Pause{Action: 20 * time.Second, Account: time.Second}, 4},
		{"account and API alike", 429, http.Header{"X-Ratelimit-User": {"TimeLeft:20000"}, "X-Ratelimit-User-Api": {"TimeLeft:20000"}}, dbsapi.Pause{Action: 20 * time.Second, Account: 20 * time.Second}, 4},
		{"seconds", 400, http.Header{"Retry-After": {"20"}}, dbsapi.Pause{Action: 20 * time.Second}, 4},
		{"date", 400, http.Header{"Retry-After": {in(20 * time.Second)}}, dbsapi.Pause{Action: 20 * time.Second}, 4},
		{"far too long", 400, http.Header{"Retry-After": {"99999999999"}}, dbsapi.Pause{Action: 5 * time.Minute}, 4},
		{"beyond 64 bits", 400, http.Header{"Retry-After": {"99999999999999999999"}}, dbsapi.Pause{Action: 5 * time.Minute}, 4},
		{"account, beyond 64 bits", 400, http.Header{"X-Ratelimit-User": {"TimeLeft:99999999999999999999"}}, dbsapi.Pause{Account: 5 * time.Minute}, 4},
		{"unavailable, below 64 bits", 503, http.Header{"Retry-After": {"-99999999999999999999"}}, dbsapi.Pause{}, 4},
		{"date of a server whose clock is slow", 400, http.Header{"Date": {in(-time.Hour)}, "Retry-After": {in(20*time.Second - time.Hour)}}, dbsapi.Pause{Action: 20 * time.Second}, 4},
		{"date of a server whose clock is fast", 400, http.Header{"Date": {in(time.Hour)}, "Retry-After": {in(20*time.Second + time.Hour)}}, dbsapi.Pause{Action: 20 * time.Second}, 4},
		{"date of a server without a valid clock", 400, http.Header{"Date": {"today"}, "Retry-After": {in(20 * time.Second)}}, dbsapi.Pause{Action: 20 * time.Second}, 4},
		{"far date", 400, http.Header{"Retry-After": {in(1000 * time.Hour)}}, dbsapi.Pause{Action: 5 * time.Minute}, 4},
		{"unavailable", 503, http.Header{"Retry-After": {"20"}}, dbsapi.Pause{Action: 20 * time.Second}, 4},
		{"unavailable, no wait named", 503, nil, dbsapi.Pause{}, 4},
		{"unavailable, past date", 503, http.Header{"Retry-After": {in(-time.Hour)}}, dbsapi.Pause{}, 4},
		{"unavailable, nonsense", 503, http.Header{"Retry-After": {"-5"}, "X-Ratelimit-User": {"TimeLeft:-1,:,x"}}, dbsapi.Pause{}, 4},
		{"other failure", 500, http.Header{"Retry-After": {"3600"}, "X-Ratelimit-User": {"TimeLeft:3600000"}}, dbsapi.Pause{}, 4},
		{"no failure that heals", 403, http.Header{"Retry-After": {"1"}}, dbsapi.Pause{}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				code := map[int]string{400: "Throttling.User", 429: "Throttling", 403: "Forbidden"}[tt.status]
				failing := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					maps.Copy(w.Header(), tt.header)
					w.WriteHeader(tt.status)
					fmt.Fprintf(w, `{"Code":%q}`, code)
				})
				var o observer
				// The schedule of this test keeps no pause.
				pace := dbsapi.Pace{Turn: new(schedule).turn, Budget: dbsapi.NewBudget(30 * time.Second)}
				_, _, err := listAt(t.Context(), inMemoryClient(t, failing, dbsapi.Options{Observe: o.observe}), pace)
				if err == nil || len(o.attempts) != tt.requests {
					t.Errorf("made %d attempts, error %v", len(o.attempts), err)
				}
				if got := o.attempts[0].Pause; got != tt.pause {
					t.Errorf("pause is %+v, want %+v", got, tt.pause)
				}
			})
		})
	}
}

// A throttled answer that names no time still asks for a pause, a longer one each time.
func TestPauseOfOwnChoice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := newSimulator(3)
		sim.SetFault(testPlan, dbssim.Throttled(0))
		var o observer
		_, _, err := listAt(t.Context(), inMemoryClient(t, sim, dbsapi.Options{Observe: o.observe}), budget(time.Second))
		if got := reasonOf(t, err); got != dbsapi.ReasonThrottled || len(o.attempts) != 4 {
			t.Errorf("%d attempts, error %v", len(o.attempts), err)
		}
		for i, middle := range []time.Duration{500, 1000, 2000, 4000} {
			middle *= time.Millisecond
			if p := o.attempts[i].Pause.Action; p < middle/2 || p > middle*3/2 {
				t.Errorf("pause %d is %v, want %v spread by half", i, p, middle)
			}
		}
	})
}

// Without turns, a pause that outlasts the caller's deadline ends the call at once.
func TestNoPauseBeyondDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := newSimulator(3)
		sim.SetFault(testPlan, dbssim.Throttled(20*time.Second))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start := time.Now()
		_, _, err := list(ctx, inMemoryClient(t, sim, dbsapi.Options{}))
		if got := reasonOf(t, err); got != dbsapi.ReasonThrottled || time.Since(start) != 0 {
			t.Errorf("error after %v: %v", time.Since(start), err)
		}
	})
}

// rotating gives new credentials after each rejection.
type rotating struct {
	credentials.Static
	rejected int
}

func (r *rotating) Get(context.Context) (credentials.Credentials, error) {
	return credentials.New(testKeyID, testSecret, []string{"old", testToken}[min(r.rejected, 1)], time.Time{}), nil
}

func (r *rotating) Reject(credentials.Credentials) bool { r.rejected++; return true }

// A rejected session token is replaced once.
func TestTokenIsReplaced(t *testing.T) {
	sim := newSimulator(3)
	var o observer
	source := &rotating{}
	tasks, _, err := list(t.Context(), serve(t, sim, dbsapi.Options{Credentials: source, Observe: o.observe}))
	if err != nil || len(tasks) != 3 || source.rejected != 1 {
		t.Errorf("got %d tasks, %d rejections and %v", len(tasks), source.rejected, err)
	}
	if diff := cmp.Diff([]string{"auth", "good"}, o.reasons()); diff != "" {
		t.Error(diff)
	}
	// New tokens do not help here: one more is tried, no third.
	sim.SetFault(testPlan, dbssim.Failing(400, "InvalidSecurityToken.Expired"))
	if _, _, err := list(t.Context(), serve(t, sim, dbsapi.Options{Credentials: source})); reasonOf(t, err) != dbsapi.ReasonAuth || source.rejected != 2 {
		t.Errorf("%d rejections and %v", source.rejected, err)
	}
}

// broken has no credentials.
type broken struct{ credentials.Static }

func (broken) Get(context.Context) (credentials.Credentials, error) {
	return credentials.Credentials{}, errors.New("no source has credentials")
}

func TestNoCredentials(t *testing.T) {
	sim := newSimulator(3)
	var o observer
	_, _, err := list(t.Context(), serve(t, sim, dbsapi.Options{Credentials: broken{}, Observe: o.observe}))
	if want := "DescribeBackupSetDownloadTaskList: credentials: no source has credentials"; err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
	if len(sim.Requests()) != 0 || len(o.attempts) != 1 || o.attempts[0].Sent || o.attempts[0].Duration != 0 {
		t.Errorf("attempts %+v", o.attempts)
	}
}
