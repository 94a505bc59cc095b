package dbssim

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// session is a temporary key of an account.
type session struct {
	account       string // the ID of its lasting key
	secret, token string
	expires       time.Time
}

// secretFor returns the secret if the token belongs to the key and has not ended.
func (s *session) secretFor(token string, now time.Time) (string, *gatewayError) {
	switch {
	case token != s.token:
		return "", gateway(http.StatusBadRequest, "InvalidSecurityToken.MismatchWithAccessKey", "Specified SecurityToken does not match the AccessKey.")
	case !now.Before(s.expires):
		return "", gateway(http.StatusBadRequest, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired.")
	}
	return s.secret, nil
}

// maxTokens bounds the sessions that a simulator remembers, and the tokens of a
// metadata service: it may run for days.
const maxTokens = 10_000

// issued are sessions or tokens by their ID. If there are more than maxTokens,
// the first go.
type issued[V any] struct {
	values map[string]V
	keys   []string // in the order in which they were issued
}

func newIssued[V any]() issued[V] { return issued[V]{values: make(map[string]V)} }

// add remembers a value under a new key.
func (i *issued[V]) add(key string, value V) {
	if len(i.keys) == maxTokens {
		delete(i.values, i.keys[0])
		i.keys = i.keys[1:]
	}
	i.keys = append(i.keys, key)
	i.values[key] = value
}

// issue makes a temporary key of an account, in the words of STS.
func (s *Simulator) issue(account string, life time.Duration) map[string]string {
	expires := s.now().Add(life).UTC().Truncate(time.Second)
	made := &session{account: account, secret: SessionSecret + rand.Text(), token: SessionToken + rand.Text(), expires: expires}
	keyID := "STS." + rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions.add(keyID, made)
	return map[string]string{
		"AccessKeyId": keyID, "AccessKeySecret": made.secret, "SecurityToken": made.token, "Expiration": expires.Format(time.RFC3339),
	}
}

// RevokeSessions ends all temporary keys at once, as a person does who suspects a leak.
func (s *Simulator) RevokeSessions() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ended := range s.sessions.values {
		ended.expires = time.Time{}
	}
}

// Every secret and token that is issued starts with one of these; tests search outputs for them.
const (
	SessionSecret = "session-secret-mark-"
	SessionToken  = "issued-token-mark-"
)

// Role is a RAM role. An identity that assumes it acts for an account.
type Role struct {
	ARN string
	// Account is the ID of the lasting key of the account that the role belongs to.
	Account string
	// ExternalID, where set, must come with a request to assume the role.
	ExternalID string
	// OIDCProviderARN and OIDCToken are what a pod must show. The role cannot be assumed with OIDC where they are empty.
	OIDCProviderARN, OIDCToken string
	// Callers are the accounts that may assume the role, by the ID of their lasting key; empty means all.
	Callers []string
}

// Tokens issues temporary keys for a simulator in every way that Alibaba Cloud has: by STS, by the metadata service of
// an ECS instance, and by a credentials URI. It is safe for concurrent use.
type Tokens struct {
	sim   *Simulator
	roles []Role

	mu       sync.Mutex
	lifetime time.Duration
	fault    *Fault
	calls    int
	metadata issued[time.Time] // ends of the tokens of the metadata service
	v1       bool
}

// NewTokens returns a service that issues keys of a lifetime, which the simulator accepts until they end.
func NewTokens(sim *Simulator, lifetime time.Duration, roles ...Role) *Tokens {
	return &Tokens{sim: sim, roles: roles, lifetime: lifetime, metadata: newIssued[time.Time]()}
}

// SetFault makes requests fail, as many as it says or every one; nil ends that.
func (t *Tokens) SetFault(f *Fault) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fault = nil; f != nil {
		own := *f // it counts
		t.fault = &own
	}
}

// SetLifetime changes how long keys live that are issued from now on.
func (t *Tokens) SetLifetime(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lifetime = d
}

// AllowMetadataV1 makes the metadata service answer requests without a token.
func (t *Tokens) AllowMetadataV1() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.v1 = true
}

// Calls returns how many requests for keys have come, the faulty ones included.
func (t *Tokens) Calls() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.calls
}

// begin counts a request and returns the lifetime; ok is false where a fault has answered.
func (t *Tokens) begin(w http.ResponseWriter, r *http.Request) (life time.Duration, ok bool) {
	// A server notices that a client has left only when the request has been read.
	_, _ = parameters(r)
	t.mu.Lock()
	t.calls++
	life, fault, last := t.lifetime, t.fault, false
	if fault != nil {
		if fault, last = fault.take(); last {
			t.fault = nil
		}
	}
	t.mu.Unlock()
	return life, fault == nil || !fault.before(w, r)
}

// STS answers AssumeRole, which is signed, and AssumeRoleWithOIDC, which is not.
func (t *Tokens) STS() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		life, ok := t.begin(w, r)
		if !ok {
			return
		}
		params, err := parameters(r)
		if err != nil {
			t.sim.writeError(w, r, gateway(http.StatusBadRequest, "InvalidParameter", "The request is malformed."))
			return
		}
		role, failure := t.assume(r, params)
		if failure != nil {
			t.sim.writeError(w, r, failure)
			return
		}
		writeJSON(w, map[string]any{"RequestId": rand.Text(), "Credentials": t.sim.issue(role.Account, life)})
	})
}

// assume returns the role that a request may assume.
func (t *Tokens) assume(r *http.Request, params url.Values) (*Role, *gatewayError) {
	if params.Get("Version") != "2015-04-01" || len(params.Get("RoleSessionName")) < 2 {
		return nil, gateway(http.StatusBadRequest, "InvalidParameter", "Version or RoleSessionName is not valid.")
	}
	role := t.role(params.Get("RoleArn"))
	switch params.Get("Action") {
	case "AssumeRole":
		id, failure := t.sim.authenticate(r, params)
		switch {
		case failure != nil:
			return nil, failure
		case role == nil:
			return nil, gateway(http.StatusNotFound, "EntityNotExist.Role", "The specified Role not exists.")
		case role.ExternalID != params.Get("ExternalId") || !t.mayCall(role, id.keyID):
			return nil, gateway(http.StatusForbidden, "NoPermission", "You are not authorized to do this action. You should be authorized by RAM.")
		}
		return role, nil
	case "AssumeRoleWithOIDC":
		switch {
		case role == nil:
			return nil, gateway(http.StatusNotFound, "EntityNotExist.Role", "The specified Role not exists.")
		case role.OIDCToken == "" || params.Get("OIDCToken") != role.OIDCToken || params.Get("OIDCProviderArn") != role.OIDCProviderARN:
			return nil, gateway(http.StatusBadRequest, "AuthenticationFail.OIDCToken.Invalid", "The OIDC token is not valid: "+params.Get("OIDCToken"))
		}
		return role, nil
	}
	return nil, gateway(http.StatusNotFound, "InvalidAction.NotFound", "Specified api is not found.")
}

func (t *Tokens) role(arn string) *Role {
	for i := range t.roles {
		if t.roles[i].ARN == arn {
			return &t.roles[i]
		}
	}
	return nil
}

// mayCall reports whether a key, lasting or temporary, belongs to an account that may assume a role.
func (t *Tokens) mayCall(role *Role, keyID string) bool {
	t.sim.mu.Lock()
	defer t.sim.mu.Unlock()
	if len(role.Callers) == 0 {
		return true
	}
	return slices.Contains(role.Callers, t.sim.accountOf(keyID).AccessKeyID)
}

// metadataLife is how long a token of the metadata service lives at most.
const metadataLife = 6 * time.Hour

// Metadata answers as the metadata service of an ECS instance that has a role for an account. It is meant for
// http://100.100.100.200.
func (t *Tokens) Metadata(role, account string) http.Handler {
	const folder = "/latest/meta-data/ram/security-credentials/"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		life, ok := t.begin(w, r)
		switch {
		case !ok:
		case r.Method == http.MethodPut && r.URL.Path == "/latest/api/token":
			_, _ = w.Write([]byte(t.metadataToken()))
		case !t.metadataAllowed(r.Header.Get("X-Aliyun-Ecs-Metadata-Token")):
			http.Error(w, "Forbidden", http.StatusForbidden)
		case r.URL.Path == folder:
			_, _ = w.Write([]byte(role))
		case strings.TrimPrefix(r.URL.Path, folder) == role:
			answer := t.sim.issue(account, life)
			answer["Code"], answer["LastUpdated"] = "Success", t.sim.now().UTC().Format(time.RFC3339)
			writeJSON(w, answer)
		default:
			http.NotFound(w, r)
		}
	})
}

func (t *Tokens) metadataToken() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	token := SessionToken + rand.Text()
	t.metadata.add(token, t.sim.now().Add(metadataLife))
	return token
}

func (t *Tokens) metadataAllowed(token string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.v1 && token == "" || t.sim.now().Before(t.metadata.values[token])
}

// URI answers as a credentials URI for an account.
func (t *Tokens) URI(account string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if life, ok := t.begin(w, r); ok {
			writeJSON(w, t.sim.issue(account, life))
		}
	})
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	_ = json.NewEncoder(w).Encode(v)
}
