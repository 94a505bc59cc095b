package dbsapi

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"aliyun_dbs_exporter/dbsapi/internal/neterr"
)

// Reason is the class of a failure, from a list that is short and fixed enough for a metric label.
type Reason string

// The reasons of a failed attempt.
const (
	// ReasonCredentials: no credentials could be had, nothing was sent.
	ReasonCredentials Reason = "credentials"
	// ReasonAuth: the API rejected the key, token, signature or date.
	ReasonAuth Reason = "auth"
	// ReasonForbidden: the identity is known but lacks the permission.
	ReasonForbidden Reason = "forbidden"
	// ReasonThrottled: the account's request quota is used up.
	ReasonThrottled Reason = "throttled"
	// ReasonNotFound: the plan or task does not exist.
	ReasonNotFound Reason = "not_found"
	// ReasonInvalidRequest: the API does not understand the call.
	ReasonInvalidRequest Reason = "invalid_request"
	// ReasonServer: the service failed.
	ReasonServer Reason = "server"
	// ReasonTimeout: the time for the call ran out.
	ReasonTimeout Reason = "timeout"
	// ReasonNetwork: no complete answer came back.
	ReasonNetwork Reason = "network"
	// ReasonDecode: the answer is not one that DBS gives.
	ReasonDecode Reason = "decode"
	// ReasonOther: none of these, such as a redirect.
	ReasonOther Reason = "other"
)

// Reasons lists every [Reason], for metrics that are present before the first failure.
var Reasons = []Reason{
	ReasonCredentials, ReasonAuth, ReasonForbidden, ReasonThrottled, ReasonNotFound, ReasonInvalidRequest,
	ReasonServer, ReasonTimeout, ReasonNetwork, ReasonDecode, ReasonOther,
}

// Error is a call that failed. Its text holds neither the request nor the answer: gateways echo what was signed,
// session token included, and put the request's URL into what they say.
type Error struct {
	// Action is the API operation, such as DescribeBackupSetDownloadTaskList.
	Action string
	// HTTPStatus is the status of the answer, 0 where there was none.
	HTTPStatus int
	// Code is the API's error code, such as Forbidden.RAM; empty where the answer has none or one that is no plain word.
	Code string
	// Message is what the API said, cut before the echo of the signed string. It is not part of the error's text
	// and is not to be logged: it can name accounts and addresses.
	Message string
	// RequestID is what Alibaba Cloud's support asks for.
	RequestID string
	// RetryAfter is how long the server asked to wait, 0 where it did not say.
	RetryAfter time.Duration

	reason Reason
	cause  string
	// lasting: another attempt within this call cannot succeed.
	lasting bool
}

// Reason returns the class of the failure.
func (e *Error) Reason() Reason { return e.reason }

// Error says the operation, the class and the identifiers that help to look further.
func (e *Error) Error() string {
	facts := make([]string, 0, 3)
	if e.HTTPStatus != 0 {
		facts = append(facts, fmt.Sprintf("HTTP %d", e.HTTPStatus))
	}
	if e.Code != "" {
		facts = append(facts, "code "+e.Code)
	}
	if e.RequestID != "" {
		facts = append(facts, "request "+e.RequestID)
	}
	text := e.Action + ": " + string(e.reason)
	if e.cause != "" {
		text += ": " + e.cause
	}
	if len(facts) > 0 {
		text += " (" + strings.Join(facts, ", ") + ")"
	}
	return text
}

// hide drops what the answer said if it repeats a secret of the request.
func (e *Error) hide(secrets ...string) {
	for _, text := range []*string{&e.Code, &e.Message, &e.RequestID} {
		for _, secret := range secrets {
			if secret != "" && strings.Contains(*text, secret) {
				*text = ""
			}
		}
	}
}

// Advice says in one sentence what a person can do about the failure.
func (e *Error) Advice() string {
	switch e.reason {
	case ReasonCredentials:
		return "Check the credentials block and the source that it names."
	case ReasonAuth:
		if isClockCode(e.Code) {
			return "Set this machine's clock: the API rejects requests that are over 15 minutes off."
		}
		return "Check that the access key is active, and that its secret or session token belongs to it."
	case ReasonForbidden:
		return "Grant the RAM action dbs:" + e.Action + " on resource * to the identity in use."
	case ReasonThrottled:
		return "Lower requests_per_second or raise poll_interval: the account shares one request quota."
	case ReasonNotFound:
		return "Check that the backup plan still exists, and that it belongs to this account and region."
	case ReasonInvalidRequest:
		return "Check region_id and endpoint: the host answered as if it did not know the call."
	case ReasonServer:
		return "Nothing to do but wait: the service failed, and the next round tries again."
	case ReasonTimeout:
		return "Check the way to the endpoint; raise poll_timeout where the answers are merely slow."
	case ReasonNetwork:
		return "Check name resolution, routes, firewall and proxy between here and the endpoint."
	case ReasonDecode:
		return "Check that the endpoint is the DBS API and that no proxy or portal answers in its place."
	default:
		return "Check endpoint: it answered with something that is neither data nor an error."
	}
}

// maxWord bounds identifiers taken from an answer; the longest documented code has 40 characters.
const maxWord = 64

// plainWord returns s if it reads as an identifier, else "". Whatever lands in an error's text passes through it.
func plainWord(s string) string {
	if len(s) > maxWord {
		return ""
	}
	for _, r := range s {
		isWord := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-*", r)
		if !isWord {
			return ""
		}
	}
	return s
}

// maxMessage bounds the API's own text; it is for a person, a line or two.
const maxMessage = 256

// cutMessage drops what a gateway appends to signature errors: " server string to sign is:…" and
// " server StringToSign is […] server CanonicalRequest is […]" repeat the session token.
func cutMessage(s string) string {
	if i := strings.Index(strings.ToLower(s), " server "); i >= 0 {
		s = s[:i]
	}
	return strings.ToValidUTF8(s[:min(len(s), maxMessage)], "")
}

// codeReasons maps the start of an error code to its reason; the first that fits decides. The HTTP status of a code
// varies between documentation pages and gateways, so the code is asked first.
//
// Source: the public error codes of Alibaba Cloud's API gateway and of DBS, and the Terraform provider, which takes
// InvalidParameterValid and InvalidJobId for "does not exist".
var codeReasons = []struct {
	prefix string
	reason Reason
}{
	{"Throttling", ReasonThrottled},
	{"Rejected.Throttling", ReasonThrottled},
	{"ServiceUnavailable", ReasonServer},
	{"InternalError", ReasonServer},
	{"UnknownError", ReasonServer},
	{"DBS.InternalError", ReasonServer},
	{"SignatureNonceUsed", ReasonAuth},
	{"SignatureDoesNotMatch", ReasonAuth},
	{"IncompleteSignature", ReasonAuth},
	{"InvalidTimeStamp", ReasonAuth},
	{"IllegalTimestamp", ReasonAuth},
	{"InvalidSecurityToken", ReasonAuth},
	{"MissingSecurityToken", ReasonAuth},
	{"InvalidAccessKeyId", ReasonAuth},
	{"Request.Forbidden", ReasonForbidden},
	{"Forbidden", ReasonForbidden},
	{"NoPermission", ReasonForbidden},
	{"ActionUnauthorized", ReasonForbidden},
	{"InvalidParameterValid", ReasonNotFound},
	{"Param.NotFound", ReasonNotFound},
	{"InvalidJobId", ReasonNotFound},
	{"InvalidApi", ReasonInvalidRequest},
	{"InvalidAction", ReasonInvalidRequest},
	{"InvalidVersion", ReasonInvalidRequest},
	{"InvalidProduct", ReasonInvalidRequest},
	{"InvalidProtocol", ReasonInvalidRequest},
	{"InvalidParameter", ReasonInvalidRequest},
	{"DBS.ParamIsInValid", ReasonInvalidRequest},
	{"Missing", ReasonInvalidRequest},
}

// classify returns the reason of an answer that reports an error: by its code, else by its status.
func classify(code string, status int) Reason {
	for _, c := range codeReasons {
		if strings.HasPrefix(code, c.prefix) {
			return c.reason
		}
	}
	switch {
	case strings.HasSuffix(code, ".NotFound"):
		return ReasonNotFound
	case status == http.StatusTooManyRequests:
		return ReasonThrottled
	case status == http.StatusUnauthorized:
		return ReasonAuth
	case status == http.StatusForbidden:
		return ReasonForbidden
	case status == http.StatusNotFound:
		return ReasonNotFound
	case status == http.StatusRequestTimeout:
		return ReasonTimeout
	case status >= 500:
		return ReasonServer
	case status >= 400 && status != http.StatusProxyAuthRequired:
		return ReasonInvalidRequest
	default:
		return ReasonOther
	}
}

func isClockCode(code string) bool {
	return strings.HasPrefix(code, "InvalidTimeStamp") || strings.HasPrefix(code, "IllegalTimestamp")
}

func isTokenCode(code string) bool { return strings.HasPrefix(code, "InvalidSecurityToken") }

// transportError describes a request that got no complete answer.
func transportError(action string, err error) *Error {
	cause := neterr.Describe(err)
	reason := ReasonNetwork
	if cause.Timeout {
		reason = ReasonTimeout
	}
	return &Error{Action: action, reason: reason, cause: cause.Text, lasting: cause.Lasting}
}
