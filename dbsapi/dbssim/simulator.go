// Package dbssim simulates the endpoint of Alibaba Cloud's Database Backup Service: it checks signatures, pages and
// filters as the real one does, moves download tasks through their life as time passes, and fails on demand. Tests
// and the exporter's demo run against it.
//
// It shares no code with the client on purpose: whatever both got wrong in the same way would go unnoticed.
package dbssim

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// apiVersion is the only version that is simulated.
const apiVersion = "2019-03-06"

// maxRequests bounds the list of requests that a simulator remembers: it may run for days.
const maxRequests = 10_000

// Account is one Alibaba Cloud account with a key that may read its plans.
type Account struct {
	AccessKeyID     string
	AccessKeySecret string
	// SecurityToken, where set, must accompany the key.
	SecurityToken string
	Plans         []Plan
	Gateways      []Gateway
}

// Simulator is a DBS endpoint. It is safe for concurrent use.
type Simulator struct {
	now func() time.Time

	mu       sync.Mutex
	accounts []*Account
	faults   map[string]*Fault
	nonces   map[string]time.Time
	requests []Request
	// sessions are the temporary keys that were issued, by key ID.
	sessions issued[*session]
}

// New returns an endpoint that serves the accounts. A nil now means the real time.
func New(now func() time.Time, accounts ...Account) *Simulator {
	if now == nil {
		now = time.Now
	}
	s := &Simulator{now: now, faults: make(map[string]*Fault), nonces: make(map[string]time.Time), sessions: newIssued[*session]()}
	for _, a := range accounts {
		s.accounts = append(s.accounts, &a)
	}
	return s
}

// SetPlan adds a plan to the first account, or replaces the one of the same ID in any.
func (s *Simulator) SetPlan(p Plan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.accounts {
		for i := range a.Plans {
			if a.Plans[i].ID == p.ID {
				a.Plans[i] = p
				return
			}
		}
	}
	s.accounts[0].Plans = append(s.accounts[0].Plans, p)
}

// RemovePlan deletes a plan.
func (s *Simulator) RemovePlan(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.accounts {
		kept := make([]Plan, 0, len(a.Plans))
		for _, p := range a.Plans {
			if p.ID != id {
				kept = append(kept, p)
			}
		}
		a.Plans = kept
	}
}

// Requests returns the accepted requests, oldest first. It keeps at least the last
// 5,000 and at most 10,000.
func (s *Simulator) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// ServeHTTP answers one API call.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	params, err := parameters(r)
	if err != nil {
		s.writeError(w, r, gateway(http.StatusBadRequest, "InvalidParameter", "The request is malformed."))
		return
	}
	id, failure := s.authenticate(r, params)
	if failure != nil {
		s.writeError(w, r, failure)
		return
	}
	call := s.record(r, params, id)
	fault := s.faultFor(call)
	if fault != nil && fault.before(w, r) {
		return
	}
	envelope, failure := s.answer(r, call, params, fault)
	if failure != nil {
		s.writeError(w, r, failure)
		return
	}
	body, err := json.Marshal(envelope)
	if err != nil {
		s.writeError(w, r, gateway(http.StatusInternalServerError, "InternalError", "The request processing has failed."))
		return
	}
	if fault != nil && fault.after(w, body) {
		return
	}
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	w.Header().Set("X-Acs-Request-Id", requestID())
	w.Write(body)
}

// answer builds the envelope of a good answer.
func (s *Simulator) answer(r *http.Request, call Request, params url.Values, fault *Fault) (map[string]any, *gatewayError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.Path != "/" && r.URL.Path != "" {
		return nil, notFound
	}
	if cmp.Or(r.Header.Get("X-Acs-Version"), params.Get("Version")) != apiVersion {
		return nil, gateway(http.StatusBadRequest, "InvalidVersion", "Specified parameter Version is not valid.")
	}
	account := s.accountOf(call.AccessKeyID)
	switch call.Action {
	case "DescribeBackupSetDownloadTaskList":
		return s.listTasks(account, call, params, fault)
	case "DescribeBackupPlanList":
		return s.listPlans(account, call, params, fault)
	case "DescribeBackupGatewayList":
		return s.listGateways(account, call, params, fault)
	}
	return nil, notFound
}

func (s *Simulator) accountOf(keyID string) *Account {
	for _, a := range s.accounts {
		if a.AccessKeyID == keyID {
			return a
		}
	}
	if known := s.sessions.values[keyID]; known != nil {
		return s.accountOf(known.account)
	}
	return &Account{}
}

// secretOf returns the secret of a key, if its token is the right one.
func (s *Simulator) secretOf(id identity) (string, *gatewayError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.accounts {
		switch {
		case a.AccessKeyID != id.keyID:
		case a.SecurityToken != id.token:
			return "", gateway(http.StatusBadRequest, "InvalidSecurityToken.MismatchWithAccessKey", "Specified SecurityToken does not match the AccessKey.")
		default:
			return a.AccessKeySecret, nil
		}
	}
	if known := s.sessions.values[id.keyID]; known != nil {
		return known.secretFor(id.token, s.now())
	}
	return "", gateway(http.StatusNotFound, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")
}

// useNonce notes a nonce, and reports whether it is new. Nonces are forgotten
// with the dates that go with them.
func (s *Simulator) useNonce(nonce string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if len(s.nonces) >= maxRequests {
		for n, at := range s.nonces {
			if now.Sub(at) > 2*maxClockSkew {
				delete(s.nonces, n)
			}
		}
	}
	if _, used := s.nonces[nonce]; used {
		return false
	}
	s.nonces[nonce] = now
	return true
}

// gatewayError is an answer of the API gateway.
type gatewayError struct {
	status        int
	code, message string
}

func gateway(status int, code, message string) *gatewayError {
	return &gatewayError{status: status, code: code, message: message}
}

// notFound is the answer to an unknown operation.
var notFound = gateway(http.StatusNotFound, "InvalidAction.NotFound", "Specified api is not found, please check your url and method.")

func (s *Simulator) writeError(w http.ResponseWriter, r *http.Request, e *gatewayError) {
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	w.WriteHeader(e.status)
	json.NewEncoder(w).Encode(map[string]string{
		"RequestId": requestID(),
		"HostId":    r.Host,
		"Code":      e.code,
		"Message":   e.message,
		"Recommend": "https://api.example/troubleshoot?q=" + e.code,
	})
}
