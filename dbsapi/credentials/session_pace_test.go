package credentials_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_dbs_exporter/dbsapi/credentials"
)

// Valid keys are renewed at most once a minute, no matter what their source says
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

// If a renewal after a rejection fails, the caller hears why, and the old
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
