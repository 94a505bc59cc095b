package dbssim_test

import (
	"testing"
	"time"

	"aliyun_dbs_exporter/dbsapi/dbssim"
)

// Work rests during outages, and a gateway says since when it has been offline.
func TestOutages(t *testing.T) {
	start := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	minute := func(n float64) time.Time { return start.Add(time.Duration(n * float64(time.Minute))) }
	outages := dbssim.Outages{Start: minute(2), Every: 30 * time.Minute, For: 14 * time.Minute} // 2 to 16, 32 to 46, ...
	for _, tt := range []struct {
		name        string
		begin       float64
		takes, ends float64
	}{
		{"before the first", 0, 1, 1},
		{"until the first", 0, 2, 2},
		{"into the first", 0, 3, 17},
		{"from the first", 2, 1, 17},
		{"within the first, no work", 10, 0, 16},
		{"from the end of the first", 16, 1, 17},
		{"over two", 10, 20, 50},
		{"over three", 0, 36, 78},
	} {
		if got := outages.After(minute(tt.begin), time.Duration(tt.takes*float64(time.Minute))); !got.Equal(minute(tt.ends)) {
			t.Errorf("%s: ends after %v", tt.name, got.Sub(start))
		}
	}
	if got := (dbssim.Outages{}).After(start, time.Hour); !got.Equal(start.Add(time.Hour)) {
		t.Errorf("without outages it ends at %v", got)
	}
	for _, tt := range []struct {
		at        float64
		status    string
		heartbeat float64
	}{
		{0.7, "ONLINE", 0.5}, {2, "OFFLINE", 2}, {15.9, "OFFLINE", 2}, {16, "ONLINE", 16}, {40, "OFFLINE", 32}, {50, "ONLINE", 50},
	} {
		if status, heartbeat := outages.State(minute(tt.at)); status != tt.status || !heartbeat.Equal(minute(tt.heartbeat)) {
			t.Errorf("after %v minutes: %s, heartbeat %v", tt.at, status, heartbeat.Sub(start))
		}
	}
}
