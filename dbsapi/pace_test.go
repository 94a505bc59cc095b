package dbsapi_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/dbsapi"
	"aliyun_dbs_exporter/dbsapi/credentials"
	"aliyun_dbs_exporter/dbsapi/dbssim"
)

// Every request waits for its turn, and the turn ends after the observer has
// heard of the answer.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := newSimulator(230)
		fault := dbssim.Failing(503, "ServiceUnavailable")
		fault.Times = 1
		sim.SetFault(testPlan, fault)
		var events []string
		pace := dbsapi.Pace{
			Turn: func(_ context.Context, action string) (func(), error) {
				time.Sleep(time.Minute) // waiting in the queue costs no budget
				events = append(events, "turn of "+action)
				return func() { events = append(events, "end") }, nil
			},
			Budget: dbsapi.NewBudget(10 * time.Second),
		}
		observe := func(a dbsapi.Attempt) { events = append(events, fmt.Sprintf("sent %t", a.Sent)) }
		if _, _, err := listAt(t.Context(), inMemoryClient(t, sim, dbsapi.Options{Observe: observe}), pace); err != nil {
			t.Fatal(err)
		}
		var want []string
		for range 4 {
			want = append(want, "turn of DescribeBackupSetDownloadTaskList", "sent true", "end")
		}
		if diff := cmp.Diff(want, events); diff != "" {
			t.Error(diff)
		}
		// The wait before the second attempt, 0.5 s spread by half, counts.
		if left := pace.Budget.Left(); left < 9250*time.Millisecond || left > 9750*time.Millisecond {
			t.Errorf("%v left of the budget", left)
		}
	})
}

// The error of a turn ends the listing as it is, and nothing counts as an attempt.
func TestNoTurn(t *testing.T) {
	gone := errors.New("the schedule has stopped")
	var o observer
	pace := dbsapi.Pace{Turn: func(context.Context, string) (func(), error) { return nil, gone }}
	_, _, err := listAt(t.Context(), inMemoryClient(t, newSimulator(3), dbsapi.Options{Observe: o.observe}), pace)
	if !errors.Is(err, gone) || len(o.attempts) != 0 {
		t.Errorf("error is %v after %d attempts", err, len(o.attempts))
	}
}

// An attempt may take half of what the budget leaves, at least 12 s, and the
// last one all of it.
func TestAttemptTime(t *testing.T) {
	const hangs = time.Hour
	tests := []struct {
		name     string
		pace     dbsapi.Pace
		delay    time.Duration
		times    int // answers that are delayed
		attempts []time.Duration
		err      string // empty for a successful listing
	}{
		{"slow page", budget(50 * time.Second), 14 * time.Second, 1, []time.Duration{14 * time.Second}, ""},
		{"slow page of a small budget", budget(20 * time.Second), 14 * time.Second, 9, []time.Duration{12 * time.Second, 0}, "timeout: the poll's time ran out before the first page"},
		{"first attempt hangs", budget(30 * time.Second), hangs, 1, []time.Duration{15 * time.Second, 0}, ""},
		{"all attempts hang", budget(30 * time.Second), hangs, 9, []time.Duration{15 * time.Second, 12 * time.Second, 0}, "timeout: the poll's time ran out before the first page"},
		{"slow plan", dbsapi.Pace{Budget: dbsapi.NewBudget(50 * time.Second), OneAttempt: true}, 24 * time.Second, 1, []time.Duration{24 * time.Second}, ""},
		{"slow plan hangs", dbsapi.Pace{Budget: dbsapi.NewBudget(50 * time.Second), OneAttempt: true}, hangs, 9, []time.Duration{25 * time.Second}, "timeout: no answer in time"},
		{"slow plan of a small budget", dbsapi.Pace{Budget: dbsapi.NewBudget(20 * time.Second), OneAttempt: true}, hangs, 9, []time.Duration{12 * time.Second}, "timeout: no answer in time"},
		{"slow plan of a tiny budget", dbsapi.Pace{Budget: dbsapi.NewBudget(3 * time.Second), OneAttempt: true}, hangs, 9, []time.Duration{3 * time.Second}, "timeout: the poll's time ran out before the first page"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := newSimulator(3)
				sim.SetFault(testPlan, dbssim.Fault{Times: tt.times, Delay: tt.delay})
				var o observer
				_, _, err := listAt(t.Context(), inMemoryClient(t, sim, dbsapi.Options{Observe: o.observe}), tt.pace)
				if got := strings.TrimPrefix(fmt.Sprint(err), dbsapi.ActionDownloadTasks+": "); got != tt.err && (err != nil || tt.err != "") {
					t.Errorf("error is %v, want %q", err, tt.err)
				}
				if len(o.attempts) != len(tt.attempts) {
					t.Fatalf("attempts are %+v", o.attempts)
				}
				for i, want := range tt.attempts {
					// 0 stands for what the waits before it have left.
					if got := o.attempts[i].Duration; want != 0 && got != want {
						t.Errorf("attempt %d took %v, want %v", i, got, want)
					}
				}
			})
		})
	}
}

// A poll that runs out of time says how far it came.
func TestOutOfTime(t *testing.T) {
	for pages, want := range map[int]string{1: "after 1 page", 2: "after 2 pages"} {
		synctest.Test(t, func(t *testing.T) {
			sim := newSimulator(900)
			sim.SetFault(testPlan, dbssim.Fault{Delay: 10 * time.Second})
			tasks, _, err := listAt(t.Context(), inMemoryClient(t, sim, dbsapi.Options{}), budget(time.Duration(pages)*10*time.Second+time.Second))
			if want := dbsapi.ActionDownloadTasks + ": timeout: the poll's time ran out " + want; err == nil || err.Error() != want {
				t.Errorf("error is %v, want %s", err, want)
			}
			if len(tasks) != 100*pages {
				t.Errorf("got %d tasks", len(tasks))
			}
		})
	}
}

// A source of credentials that hangs ends with the budget.
func TestHangingCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o observer
		start := time.Now()
		_, _, err := listAt(t.Context(), inMemoryClient(t, newSimulator(3), dbsapi.Options{Credentials: hanging{}, Observe: o.observe}), budget(30*time.Second))
		if got := reasonOf(t, err); got != dbsapi.ReasonCredentials || time.Since(start) != 30*time.Second {
			t.Errorf("error after %v: %v", time.Since(start), err)
		}
		if len(o.attempts) != 1 || o.attempts[0].Sent {
			t.Errorf("attempts are %+v", o.attempts)
		}
	})
}

// Credentials that come too late leave no time to send anything.
func TestSlowCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o observer
		sim := newSimulator(3)
		_, _, err := listAt(t.Context(), inMemoryClient(t, sim, dbsapi.Options{Credentials: slow{testCredentials}, Observe: o.observe}), budget(10*time.Second))
		if err == nil || err.Error() != dbsapi.ActionDownloadTasks+": "+outOfTime {
			t.Errorf("error is %v", err)
		}
		if o.sent() != 0 || len(sim.Requests()) != 0 {
			t.Errorf("%d requests count as sent, the server saw %d", o.sent(), len(sim.Requests()))
		}
	})
}

// slow takes 11 s for its credentials and does not mind the context.
type slow struct{ credentials.Static }

func (s slow) Get(ctx context.Context) (credentials.Credentials, error) {
	time.Sleep(11 * time.Second)
	return s.Static.Get(ctx)
}

// hanging never has credentials.
type hanging struct{ credentials.Static }

func (hanging) Get(ctx context.Context) (credentials.Credentials, error) {
	<-ctx.Done()
	return credentials.Credentials{}, ctx.Err()
}

// A caller that leaves gets its own error. The request counts, since it was sent,
// but not as a failure of the API.
func TestCancel(t *testing.T) {
	for _, fault := range []dbssim.Fault{{Delay: time.Hour}, dbssim.Failing(503, "ServiceUnavailable"), dbssim.Throttled(time.Minute)} {
		synctest.Test(t, func(t *testing.T) {
			sim := newSimulator(3)
			sim.SetFault(testPlan, fault)
			ctx, cancel := context.WithCancel(t.Context())
			var o observer
			time.AfterFunc(100*time.Millisecond, cancel)
			start := time.Now()
			_, _, err := list(ctx, inMemoryClient(t, sim, dbsapi.Options{Observe: o.observe}))
			if !errors.Is(err, context.Canceled) || time.Since(start) != 100*time.Millisecond {
				t.Errorf("error after %v: %v", time.Since(start), err)
			}
			if o.sent() != 1 {
				t.Errorf("%d requests count as sent", o.sent())
			}
			for _, a := range o.attempts {
				if a.Err != nil && (a.Err.Reason == dbsapi.ReasonOther || a.Err.Reason == dbsapi.ReasonTimeout) {
					t.Errorf("counted %v", a.Err)
				}
			}
		})
	}
}

// A plan that gets a single attempt is asked again after HTTP 503 if the server
// asked for a pause, and only then.
func TestUnavailableWithOneAttempt(t *testing.T) {
	tests := []struct {
		name       string
		retryAfter string
		failures   int
		want       []string
	}{
		{"pause", "60", 3, []string{"server", "server", "server", "good"}},
		{"pause again and again", "60", 9, []string{"server", "server", "server", "server"}},
		{"no pause", "", 3, []string{"server"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim, requests := newSimulator(3), 0
				busy := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if requests++; requests > tt.failures {
						sim.ServeHTTP(w, r)
						return
					}
					w.Header().Set("Retry-After", tt.retryAfter)
					w.WriteHeader(http.StatusServiceUnavailable)
				})
				var (
					o observer
					s schedule
				)
				observe := func(a dbsapi.Attempt) { o.observe(a); s.observe(a) }
				pace := dbsapi.Pace{Turn: s.turn, Budget: dbsapi.NewBudget(5 * time.Second), OneAttempt: true}
				_, _, err := listAt(t.Context(), inMemoryClient(t, busy, dbsapi.Options{Observe: observe}), pace)
				if diff := cmp.Diff(tt.want, o.reasons()); diff != "" {
					t.Errorf("error %v, %s", err, diff)
				}
				if left := pace.Budget.Left(); left != 5*time.Second {
					t.Errorf("%v left of the budget, want all of it", left)
				}
			})
		})
	}
}
