package download_test

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"testing"
	"time"

	"aliyun_dbs_exporter/collector/download"
	"aliyun_dbs_exporter/dbsapi"
)

// nonsense answers each request with something, mostly with what it said before.
type nonsense struct {
	rng      *rand.Rand
	list     []dbsapi.DownloadTask
	requests int
}

func (s *nonsense) one(n int) bool { return s.rng.IntN(n) == 0 }

func (s *nonsense) page(num, size int) dbsapi.Page[dbsapi.DownloadTask] {
	s.requests++
	if s.one(10) {
		s.list = append(s.list, row(fmt.Sprint(s.rng.IntN(400)), "running", now.Add(time.Duration(s.rng.IntN(1000))*time.Minute), never))
	}
	if s.one(10) {
		i := s.rng.IntN(len(s.list))
		s.list[i].Status, s.list[i].Finished = "finish", now
	}
	if s.one(20) {
		s.list = s.list[s.rng.IntN(min(len(s.list), 5)):]
	}
	if s.one(20) {
		num = s.rng.IntN(5)
	}
	rows := s.list[min(num*size, len(s.list)):min(num*size+size, len(s.list))]
	p := dbsapi.Page[dbsapi.DownloadTask]{Number: num, Requested: num, Items: rows, TotalElements: int64(len(s.list))}
	switch s.rng.IntN(40) {
	case 0:
		p.TotalElements = -1
	case 1:
		p.TotalElements = s.rng.Int64()
	case 2:
		p.TotalElements = s.rng.Int64N(500)
	case 3:
		p.Items = rows[s.rng.IntN(len(rows)+1):]
	}
	return p
}

func (s *nonsense) Pages() iter.Seq2[dbsapi.Page[dbsapi.DownloadTask], error] {
	return func(yield func(dbsapi.Page[dbsapi.DownloadTask], error) bool) {
		for num := range len(s.list)/100 + 1 {
			p := s.page(num, 100)
			p.Number, p.Requested = num, num+s.rng.IntN(40)/39
			if !yield(p, nil) {
				return
			}
		}
		if s.one(5) {
			yield(dbsapi.Page[dbsapi.DownloadTask]{}, dbsapi.ErrChanging)
		}
	}
}

func (s *nonsense) Page(num, size int) (dbsapi.Page[dbsapi.DownloadTask], error) {
	if s.one(50) {
		return dbsapi.Page[dbsapi.DownloadTask]{}, errors.New("no answer")
	}
	return s.page(num, size), nil
}

func (s *nonsense) Task(id string) (dbsapi.DownloadTask, bool, error) {
	s.requests++
	for _, t := range s.list {
		if t.ID == id {
			return t, !s.one(10), nil
		}
	}
	return dbsapi.DownloadTask{}, false, nil
}

// A poll ends after a bounded number of requests whatever the answers are, and its
// sums fit each other.
func FuzzTracker(f *testing.F) {
	f.Add(uint64(1), 300)
	f.Add(uint64(2), 100)
	f.Add(uint64(3), 1)
	f.Fuzz(func(t *testing.T, seed uint64, n int) {
		s := &nonsense{rng: rand.New(rand.NewPCG(seed, 1))}
		for i := range 1 + uint(n)%350 {
			s.list = append(s.list, row(fmt.Sprint(i), "finish", now.Add(time.Duration(i)*time.Minute), now))
		}
		var tracker download.Tracker
		for range 20 {
			s.requests = 0
			out, err := tracker.Poll(download.Conditions{Now: now, Limits: fewSeries}, s)
			if s.requests > 200+len(s.list) {
				t.Fatalf("%d requests for %d tasks", s.requests, len(s.list))
			}
			if err != nil {
				continue
			}
			tasks := 0
			for _, n := range out.Listing.Counts {
				tasks += n
			}
			if l := out.Listing; tasks != l.Tasks || len(l.Series)+l.Hidden.Age+l.Hidden.Limit > tasks || len(l.Series) > fewSeries.MaxPerPlan {
				t.Fatalf("%d tasks by status: %+v", tasks, l)
			}
		}
	})
}
