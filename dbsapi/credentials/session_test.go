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
