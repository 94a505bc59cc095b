package schedule

import (
	"hash/fnv"
	"time"
)

// grid is the due times of a job: one in each interval, at a phase that differs
// from job to job, so that equal intervals spread over time.
type grid struct {
	every, phase time.Duration
}

func newGrid(key string, every time.Duration) grid {
	h := fnv.New64a()
	h.Write([]byte(key))
	return grid{every: every, phase: time.Duration(h.Sum64() % uint64(every))}
}

// next returns the first point at t or later. Instants are never negative.
func (g grid) next(t time.Duration) time.Duration {
	return g.phase + (t-g.phase+g.every-1)/g.every*g.every
}

// between counts the points after from, up to and including to.
func (g grid) between(from, to time.Duration) uint64 {
	if to <= from {
		return 0
	}
	return uint64(g.until(to) - g.until(from))
}

// until counts the points from zero to t.
func (g grid) until(t time.Duration) time.Duration {
	return (t - g.phase + g.every) / g.every
}
