package collector

import "github.com/cespare/xxhash/v2"

// Shard is the part of the plans that a process polls: number Index, from 0, of Count. The zero value is all of them.
type Shard struct{ Count, Index int }

// owns tells whether a plan belongs to the shard. It depends on nothing but the plan's identity and Count, so that
// processes agree without talking, and one more shard moves no more plans than it takes over.
func (s Shard) owns(account, region, planID string) bool {
	if s.Count <= 1 {
		return true
	}
	return jump(xxhash.Sum64String(account+"\x00"+region+"\x00"+planID), s.Count) == s.Index
}

// jump is the jump consistent hash of Lamping and Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm" (2014): it
// spreads keys evenly over buckets, and growing from n to n+1 of them moves one key in n+1.
func jump(key uint64, buckets int) int {
	bucket, next := int64(-1), int64(0)
	for next < int64(buckets) {
		bucket = next
		key = key*2862933555777941757 + 1
		next = int64(float64(bucket+1) * (float64(1<<31) / float64((key>>33)+1)))
	}
	return int(bucket)
}
