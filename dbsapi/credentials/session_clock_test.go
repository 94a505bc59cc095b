package credentials_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_dbs_exporter/dbsapi/credentials"
)

// A machine that was suspended has keys that are about to end, or have ended,
// while the monotonic clock says that they were just renewed. The next caller
// renews them.
func TestSessionAfterSuspension(t *testing.T) {
	tests := []struct {
		life, suspended time.Duration
		first, then     string // of the first caller, and of the second
	}{
		{time.Hour, 56 * time.Minute, "key-1", "key-1"},
		{time.Hour, 57 * time.Minute, "key-1", "key-2"}, // three minutes before the end
		{time.Hour, 61 * time.Minute, "key-2", "key-2"},
		{time.Hour, 24 * time.Hour, "key-2", "key-2"},
		{3 * time.Minute, time.Minute, "key-1", "key-1"},
		{3 * time.Minute, 2 * time.Minute, "key-1", "key-2"},
		{0, 24 * time.Hour, "key-1", "key-1"}, // they do not end
	}
	for _, tt := range tests {
		t.Run(tt.life.String()+" suspended for "+tt.suspended.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := credentials.NewSession((&source{life: tt.life}).fetch)
				get(t, s, "key-1")
				time.Sleep(2 * time.Second)
				s.Suspend(tt.suspended - 2*time.Second)
				get(t, s, tt.first)
				get(t, s, tt.then)
			})
		})
	}
}

// A source that does not answer after a suspension is asked as often as in any
// outage, not by every caller.
func TestSessionAfterSuspensionDuringAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{life: time.Hour}
		s := credentials.NewSession(src.fetch)
		get(t, s, "key-1")
		time.Sleep(2 * time.Second)
		s.Suspend(time.Hour)
		src.err = errors.New("outage")
		for range 600 {
			if _, err := s.Get(t.Context()); !errors.Is(err, src.err) {
				t.Fatalf("got %v", err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if src.calls != 22 { // once before, then after 1, 2 and then every 3 seconds
			t.Errorf("asked %d times in a minute", src.calls)
		}
	})
}
