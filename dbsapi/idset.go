package dbsapi

import "hash/maphash"

// idSet has the IDs of one read of a list, by their hashes: those of the longest
// list, 100,000 rows, take 2 MB, and the IDs themselves could take 13 MB.
type idSet struct {
	seed   maphash.Seed
	hashes map[uint64]struct{}
}

func newIDSet() *idSet {
	return &idSet{seed: maphash.MakeSeed(), hashes: make(map[uint64]struct{})}
}

// addIDs adds the IDs of rows and returns how many of the rows are new. A row
// without an ID always is.
func addIDs[T any](s *idSet, rows []T, id func(T) string) (added int) {
	before := len(s.hashes)
	for _, row := range rows {
		if id := id(row); id != "" {
			s.hashes[maphash.String(s.seed, id)] = struct{}{}
		} else {
			added++
		}
	}
	return added + len(s.hashes) - before
}
