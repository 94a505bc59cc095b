package credentials_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_dbs_exporter/dbsapi/credentials"
)

// source is a source of keys that live for a while; it counts how often it is
// asked.
type source struct {
	life  time.Duration // 0: they do not say when they end
	delay time.Duration
	err   error
	calls int
}

func (s *source) fetch(ctx context.Context) (credentials.Credentials, error) {
	s.calls++
	select {
	case <-time.After(s.delay):
	case <-ctx.Done():
		return credentials.Credentials{}, ctx.Err()
	}
	if s.err != nil {
		return credentials.Credentials{}, s.err
	}
	var end time.Time
	if s.life != 0 {
		end = time.Now().Add(s.life)
	}
	return credentials.New(fmt.Sprint("key-", s.calls), "x", "", end), nil
}

// Keys of every lifetime are renewed before their end, in the background;
// nobody waits but the first.
func TestSessionRenews(t *testing.T) {
	tests := []struct {
		life  time.Duration
		after time.Duration // when the second keys are there
	}{
		{time.Hour, 57 * time.Minute},
		{15 * time.Minute, 12 * time.Minute},
		{3 * time.Minute, 2 * time.Minute},
		{3 * time.Second, 2 * time.Second},
		{0, time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.life.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := &source{life: tt.life}
				s := credentials.NewSession(src.fetch)
				at := func(d time.Duration, want string) {
					t.Helper()
					time.Sleep(d)
					cred, err := s.Get(t.Context())
					if err != nil || cred.AccessKeyID() != want {
						t.Errorf("got %s, %v, want %s", cred.AccessKeyID(), err, want)
					}
					synctest.Wait()
				}
				at(0, "key-1")
				at(tt.after-time.Millisecond, "key-1")
				at(2*time.Millisecond, "key-1") // starts the renewal
				at(0, "key-2")
				if src.calls != 2 {
					t.Errorf("asked %d times", src.calls)
				}
			})
		})
	}
}

// A renewal that fails is tried again after 1, 2 and then 3 seconds, keys that
// are good go on to their end, and a failure answers for others that come with
// it.
func TestSessionOutlastsAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{life: 3 * time.Minute}
		s := credentials.NewSession(src.fetch)
		if _, err := s.Get(t.Context()); err != nil {
			t.Fatal(err)
		}
		src.err = errors.New("outage")
		for range 179 {
			time.Sleep(time.Second)
			if cred, err := s.Get(t.Context()); err != nil || cred.AccessKeyID() != "key-1" {
				t.Fatalf("got %s, %v", cred.AccessKeyID(), err)
			}
			synctest.Wait()
		}
		if src.calls != 22 {
			t.Errorf("asked %d times in the last minute", src.calls)
		}
		time.Sleep(3 * time.Second)
		calls := src.calls
		for range 10 {
			if _, err := s.Get(t.Context()); !errors.Is(err, src.err) {
				t.Errorf("after the end: %v", err)
			}
		}
		if src.calls != calls+1 {
			t.Errorf("asked %d times at once", src.calls-calls)
		}
		src.err = nil
		time.Sleep(3 * time.Second)
		if cred, err := s.Get(t.Context()); err != nil || cred.AccessKeyID() == "key-1" {
			t.Errorf("after the outage: %s, %v", cred.AccessKeyID(), err)
		}
	})
}

// A renewal goes on when the caller that started it leaves, and has an end of
// its own.
func TestSessionRenewalHasItsOwnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{life: time.Hour, delay: 10 * time.Second}
		s := credentials.NewSession(src.fetch)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Get(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error is %v", err)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if cred, err := s.Get(t.Context()); err != nil || cred.AccessKeyID() != "key-1" {
			t.Errorf("got %s, %v", cred.AccessKeyID(), err)
		}

		hangs := &source{delay: time.Hour}
		begin := time.Now()
		if _, err := credentials.NewSession(hangs.fetch).Get(t.Context()); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != 40*time.Second {
			t.Errorf("error is %v after %v", err, time.Since(begin))
		}
	})
}

// Rejected keys are forgotten, unless others have taken their place.
func TestSessionReject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{life: time.Hour}
		s := credentials.NewSession(src.fetch)
		first, err := s.Get(t.Context())
		if err != nil || !s.Reject(first) {
			t.Fatalf("%v", err)
		}
		second, err := s.Get(t.Context())
		if err != nil || second.AccessKeyID() != "key-2" {
			t.Fatalf("got %s, %v", second.AccessKeyID(), err)
		}
		s.Reject(first) // a late answer to an old request
		if third, err := s.Get(t.Context()); err != nil || third != second {
			t.Errorf("got %s, %v", third.AccessKeyID(), err)
		}
	})
}

// Good keys are renewed once a minute at the most, whatever their source says
// about their end.
func TestSessionPace(t *testing.T) {
	tests := []struct {
		name  string
		life  time.Duration
		every time.Duration // between polls
		polls int
		calls int
	}{
		{"an hour", time.Hour, time.Second, 3600, 2}, // once at the start, once three minutes before the end
		{"no end", 0, time.Second, 600, 10},
		{"a century", 100 * 365 * 24 * time.Hour, time.Hour, 25, 3}, // nobody lasts longer than 12 h
		{"ended on arrival", -time.Minute, 0, 100, 1},
		{"ended on arrival, polled every second", -time.Minute, time.Second, 600, 15}, // after 1, 2, 4, …, 32 s, then each minute
		{"half a second", 500 * time.Millisecond, 100 * time.Millisecond, 100, 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := &source{life: tt.life}
				s := credentials.NewSession(src.fetch)
				for range tt.polls {
					_, _ = s.Get(t.Context())
					synctest.Wait()
					time.Sleep(tt.every)
				}
				if src.calls != tt.calls {
					t.Errorf("%d polls asked %d times, want %d", tt.polls, src.calls, tt.calls)
				}
			})
		})
	}
}

// Keys that have ended when they arrive are refused, and those that are there
// stay.
func TestSessionRefusesEndedKeys(t *testing.T) {
	const want = "renew credentials: the keys had ended before they arrived, check this machine's clock"
	synctest.Test(t, func(t *testing.T) {
		src := &source{life: -time.Second}
		s := credentials.NewSession(src.fetch)
		for range 100 {
			if _, err := s.Get(t.Context()); err == nil || err.Error() != want {
				t.Fatalf("got %v", err)
			}
		}
		if src.calls != 1 || !s.ExpiresAt().IsZero() {
			t.Errorf("asked %d times, ends at %v", src.calls, s.ExpiresAt())
		}
		src.life = time.Hour
		time.Sleep(time.Second)
		if _, err := s.Get(t.Context()); err != nil {
			t.Error(err)
		}
		src.life = -time.Second
		time.Sleep(58 * time.Minute)
		if cred, err := s.Get(t.Context()); err != nil || cred.AccessKeyID() != "key-2" {
			t.Errorf("got %s, %v", cred.AccessKeyID(), err)
		}
		synctest.Wait()
		if cred, err := s.Get(t.Context()); err != nil || cred.AccessKeyID() != "key-2" || src.calls != 3 {
			t.Errorf("got %s, %v after %d", cred.AccessKeyID(), err, src.calls)
		}
	})
}

// All who reject the same keys share one renewal.
func TestSessionSharesRejections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{life: time.Hour, delay: time.Second}
		s := credentials.NewSession(src.fetch)
		old, err := s.Get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for i := range 64 {
			go func() {
				time.Sleep(time.Duration(i) * 50 * time.Millisecond)
				if !s.Reject(old) {
					t.Error("others are on their way, or there")
				}
				if cred, err := s.Get(t.Context()); err != nil || cred.AccessKeyID() != "key-2" {
					t.Errorf("got %s, %v", cred.AccessKeyID(), err)
				}
			}()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if src.calls != 2 {
			t.Errorf("asked %d times", src.calls)
		}
	})
}

// An API that rejects whatever it is given forces one renewal a minute, not one
// per poll.
func TestSessionAgainstAnAPIThatRejectsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{life: time.Hour}
		s := credentials.NewSession(src.fetch)
		again := 0
		for range 100 { // polls, every six seconds
			cred, err := s.Get(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if s.Reject(cred) {
				again++
				if next, err := s.Get(t.Context()); err != nil || next == cred {
					t.Errorf("the same again, %v", err)
				}
			}
			time.Sleep(6 * time.Second)
		}
		if again != 10 || src.calls != 11 {
			t.Errorf("asked %d times for %d rejections that were worth another attempt", src.calls, again)
		}
	})
}

// Where a renewal after a rejection fails, the caller hears why, and the old
// keys stay: the API may take them again.
func TestSessionRejectDuringAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{life: time.Hour}
		s := credentials.NewSession(src.fetch)
		old, err := s.Get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		src.err = errors.New("outage")
		if !s.Reject(old) {
			t.Error("not worth another attempt")
		}
		if _, err := s.Get(t.Context()); !errors.Is(err, src.err) {
			t.Errorf("got %v", err)
		}
		for range 50 {
			if cred, err := s.Get(t.Context()); err != nil || cred != old {
				t.Errorf("got %s, %v", cred.AccessKeyID(), err)
			}
			if s.Reject(old) {
				t.Error("worth another attempt")
			}
			time.Sleep(time.Second)
		}
		src.err = nil
		time.Sleep(10 * time.Second)
		if _, err := s.Get(t.Context()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if cred, err := s.Get(t.Context()); err != nil || cred.AccessKeyID() != "key-3" || src.calls != 3 {
			t.Errorf("got %s, %v after %d", cred.AccessKeyID(), err, src.calls)
		}
	})
}
