package dbssim

import (
	"fmt"
	"net/http"
	"time"
)

// Everything is the key of a fault that hits every request.
const Everything = "*"

// Fault is one way to fail. Its fields combine; the zero fault changes nothing.
type Fault struct {
	// Times is for how many requests the fault stays; 0 means until it is cleared.
	Times int
	// Delay comes before anything else; it ends early when the client leaves.
	Delay time.Duration
	// Drop closes the connection instead of answering.
	Drop bool
	// Status and Code answer with a gateway error.
	Status int
	Code   string
	// TimeLeft goes with it as the rate limit header that throttled requests carry.
	TimeLeft time.Duration
	// Body, with Status or 200, is sent as it is; HTML is set as its type.
	Body string
	// Location, with Status, answers with a redirect.
	Location string
	// Truncate cuts the good answer in the middle.
	Truncate bool
	// Repeat answers every page with the first; OneBased answers pages 0 and 1 alike.
	Repeat, OneBased bool
	// Circle, where set, is after how many pages the list begins again.
	Circle int
	// MaxPageSize, where set, is the most rows a page has, whatever was asked for.
	MaxPageSize int
	// Envelope changes the good answer, such as its totals, before it is sent.
	Envelope func(map[string]any)
}

// Throttled is the quota error, with the time that the caller is to wait.
func Throttled(timeLeft time.Duration) Fault {
	return Fault{Status: http.StatusBadRequest, Code: "Throttling.User", TimeLeft: timeLeft}
}

// Failing is a gateway error.
func Failing(status int, code string) Fault { return Fault{Status: status, Code: code} }

// HTMLPage is what a gateway or proxy in front of the API answers when it is broken.
func HTMLPage(status int) Fault {
	return Fault{Status: status, Body: "<html><body><h1>" + FreeText + "</h1></body></html>"}
}

// WrongTotals answers with totals that do not fit the list.
func WrongTotals(pages, elements int) Fault {
	return Fault{Envelope: func(e map[string]any) { e["TotalPages"], e["TotalElements"] = pages, elements }}
}

// TotalTooHigh answers with totals that are too high by a number of tasks, or too
// low if it is below 0.
func TotalTooHigh(by int) Fault {
	return totals(func(elements int) int { return max(elements+by, 0) })
}

// TotalCapped answers with totals of at most a number of tasks, as if the API
// stopped counting there.
func TotalCapped(limit int) Fault {
	return totals(func(elements int) int { return min(elements, limit) })
}

// totals answers with the number of tasks that change returns, and the number of
// pages that goes with it.
func totals(change func(elements int) int) Fault {
	return Fault{Envelope: func(e map[string]any) {
		elements, size := change(e["TotalElements"].(int)), e["PageSize"].(int)
		e["TotalPages"], e["TotalElements"] = (elements+size-1)/size, elements
	}}
}

// SetFault makes requests fail that are about key: the ID of a plan or task, an action's name, or [Everything].
func (s *Simulator) SetFault(key string, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[key] = &f
}

// ClearFault ends the fault of a key.
func (s *Simulator) ClearFault(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.faults, key)
}

// faultFor returns the fault of a request, nil for none, and counts it.
func (s *Simulator) faultFor(call Request) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range []string{call.PlanID, call.TaskID, call.Action, Everything} {
		f, ok := s.faults[key]
		if !ok {
			continue
		}
		hit, last := f.take()
		if last {
			delete(s.faults, key)
		}
		return hit
	}
	return nil
}

// take returns the fault as it hits one request, and whether this is the last one that it hits.
func (f *Fault) take() (hit *Fault, last bool) {
	one := *f
	if f.Times > 0 {
		f.Times--
		last = f.Times == 0
	}
	return &one, last
}

// before acts before the answer is made. It reports whether there is nothing
// more to answer.
func (f *Fault) before(w http.ResponseWriter, r *http.Request) bool {
	if f.Delay > 0 {
		select {
		case <-time.After(f.Delay):
		case <-r.Context().Done():
			return true
		}
	}
	switch {
	case f.Drop:
		// net/http closes the connection without a word.
		panic(http.ErrAbortHandler)
	case f.Location != "":
		http.Redirect(w, r, f.Location, f.Status)
	case f.Body != "":
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(max(f.Status, http.StatusOK))
		fmt.Fprint(w, f.Body)
	case f.Code != "" || f.Status != 0:
		if f.TimeLeft > 0 {
			w.Header().Set("X-Ratelimit-User-Api", fmt.Sprintf("Limit:1,Remain:0,TimeLeft:%d,Reset:1", f.TimeLeft.Milliseconds()))
		}
		w.Header().Set("Content-Type", "application/json;charset=utf-8")
		w.WriteHeader(f.Status)
		fmt.Fprintf(w, `{"RequestId":"4F1888AC-1138-4995-B9FE-D2734F61C058","HostId":%q,"Code":%q,"Message":%q}`, r.Host, f.Code, FreeText)
	default:
		return false
	}
	return true
}

// after may send the good answer in its own way. It reports whether it did.
func (f *Fault) after(w http.ResponseWriter, body []byte) bool {
	if !f.Truncate {
		return false
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	w.Write(body[:len(body)/2])
	panic(http.ErrAbortHandler)
}

// pageNum returns the page that is answered when num is asked for.
func (f *Fault) pageNum(num int) int {
	switch {
	case f.Repeat:
		return 0
	case f.OneBased:
		return max(num-1, 0)
	case f.Circle > 0:
		return num % f.Circle
	}
	return num
}
