package poll

import "github.com/cespare/xxhash/v2"

// Shard is the part of the plans that a process polls: number Index, counted
// from 0, of Count. The zero value is all of them.
type Shard struct{ Count, Index int }

// Owns reports whether a plan belongs to the shard. The answer depends on
// account, region, plan ID and Count alone, so that processes agree without
// talking to each other, and adding a shard moves only the plans that it takes
// over. Changing the hash or its input would move plans between the shards of a
// running deployment; a test pins both.
func (s Shard) Owns(id TargetID, planID string) bool {
	if s.Count <= 1 {
		return true
	}
	key := xxhash.Sum64String(id.Account + "\x00" + id.RegionID + "\x00" + planID)
	return jumpHash(key, s.Count) == s.Index
}

// jumpHash is the jump consistent hash of Lamping and Veach, "A Fast, Minimal
// Memory, Consistent Hash Algorithm" (2014). It spreads keys evenly over
// buckets, and growing from n to n+1 buckets moves one key in n+1.
func jumpHash(key uint64, buckets int) int {
	bucket, next := int64(-1), int64(0)
	for next < int64(buckets) {
		bucket = next
		key = key*2862933555777941757 + 1
		next = int64(float64(bucket+1) * (float64(1<<31) / float64((key>>33)+1)))
	}
	return int(bucket)
}
