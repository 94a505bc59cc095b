package poll_test

import (
	"fmt"
	"testing"

	"aliyun_dbs_exporter/collector/poll"
)

// owner returns the shard that polls a plan, and fails unless it is one.
func owner(t *testing.T, count int, id poll.TargetID, planID string) int {
	t.Helper()
	owner := -1
	for i := range count {
		if !(poll.Shard{Count: count, Index: i}).Owns(id, planID) {
			continue
		}
		if owner >= 0 {
			t.Fatalf("%s belongs to shards %d and %d of %d", planID, owner, i, count)
		}
		owner = i
	}
	if owner < 0 {
		t.Fatalf("%s belongs to none of %d shards", planID, count)
	}
	return owner
}

// The hash and its input are what running deployments have agreed on: a change
// would move plans between the shards of a rolling update, and leave some without
// one meanwhile.
func TestShardIsPinned(t *testing.T) {
	tests := []struct {
		account, region, plan string
		of2, of3, of5, of100  int
	}{
		{"acme", "cn-hangzhou", "dbsa", 1, 1, 1, 90},
		{"acme", "cn-hangzhou", "dbsb", 0, 0, 4, 69},
		{"acme", "cn-hangzhou", "dbsd", 0, 2, 2, 16},
		{"acme", "cn-shanghai", "dbsa", 0, 2, 2, 22},
		{"other", "cn-hangzhou", "dbsa", 1, 2, 3, 31},
		{"default", "ap-southeast-1", "dbsqhnuhyw3abcd", 1, 1, 1, 7},
	}
	for _, tt := range tests {
		id := poll.TargetID{Account: tt.account, RegionID: tt.region}
		got := [4]int{owner(t, 2, id, tt.plan), owner(t, 3, id, tt.plan), owner(t, 5, id, tt.plan), owner(t, 100, id, tt.plan)}
		if want := [4]int{tt.of2, tt.of3, tt.of5, tt.of100}; got != want {
			t.Errorf("%+v %s: shards %v, want %v", id, tt.plan, got, want)
		}
	}
}

// Adding a shard takes its part from all others and moves nothing else.
func TestShardsGrow(t *testing.T) {
	const plans = 600
	id := poll.TargetID{Account: "acme", RegionID: "cn-hangzhou"}
	planID := func(i int) string { return fmt.Sprintf("dbs%09d", i*7919) }
	before := make([]int, plans)
	for count := 2; count <= 8; count++ {
		moved := 0
		for i := range plans {
			now := owner(t, count, id, planID(i))
			if now != before[i] {
				moved++
				if now != count-1 {
					t.Fatalf("%s moved from shard %d to %d, which is not the new one", planID(i), before[i], now)
				}
			}
			before[i] = now
		}
		if want := plans / count; moved < want*2/3 || moved > want*4/3 {
			t.Errorf("from %d to %d shards %d of %d plans moved, want about %d", count-1, count, moved, plans, want)
		}
	}
}

func TestWithoutShards(t *testing.T) {
	if !(poll.Shard{}).Owns(poll.TargetID{}, "dbsa") || !(poll.Shard{Count: 1}).Owns(poll.TargetID{}, "dbsa") {
		t.Error("a process without shards does not own a plan")
	}
}
