package dbsapi

import (
	"fmt"
	"regexp"
	"strings"

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
	// ReasonForbidden: the identity is known but lacks the permission, or a
	// proxy or gateway refuses the request.
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

// Error is a call that failed. Its text holds neither the request nor the answer:
// gateways repeat what was signed, session token included, and the URL.
type Error struct {
	// Action is the API operation, such as DescribeBackupSetDownloadTaskList.
	Action string
	// Reason is the class of the failure.
	Reason Reason
	// HTTPStatus is the status of the answer, or the one in its body if that
	// reports the failure; 0 if there was no answer.
	HTTPStatus int
	// Code is the API's error code, such as Forbidden.RAM. It is empty if the
	// answer has none, or something that does not look like one.
	Code string
	// RequestID is what Alibaba Cloud's support asks for. It is empty if the
	// answer has none, or something else than a UUID.
	RequestID string

	cause string
	// permanent: another attempt soon cannot succeed.
	permanent bool
	// timedOut: the client stopped waiting.
	timedOut bool
}

// Error returns the operation, the class, and the identifiers that help to look
// further.
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
	text := e.Action + ": " + string(e.Reason)
	if e.cause != "" {
		text += ": " + e.cause
	}
	if len(facts) > 0 {
		text += " (" + strings.Join(facts, ", ") + ")"
	}
	return text
}

// hide drops what the answer said if it repeats a secret of the request, or a part of one.
func (e *Error) hide(secrets ...string) {
	for _, text := range []*string{&e.Code, &e.RequestID} {
		for _, secret := range secrets {
			if repeats(*text, secret) {
				*text = ""
			}
		}
	}
}

const (
	// minPart is the length from which on a part of a code, between its dots, counts as a part of a secret. A
	// documented part such as User is in one of 24,000 session tokens by chance.
	minPart = 4
	// minRun is the length from which on letters in a row do, whatever is around them.
	minRun = 8
)

// repeats reports whether a text holds a secret, or looks as if it held a part of one.
func repeats(text, secret string) bool {
	if secret == "" || text == "" {
		return false
	}
	if strings.Contains(text, secret) || strings.Contains(secret, text) {
		return true
	}
	for part := range strings.SplitSeq(text, ".") {
		if len(part) >= minPart && strings.Contains(secret, part) {
			return true
		}
	}
	for i := range len(text) - minRun + 1 {
		if strings.Contains(secret, text[i:i+minRun]) {
			return true
		}
	}
	return false
}

// Permission returns the RAM action that the identity in use lacks, empty for
// any other failure. A refusal without an error code is not the API's but that of
// a proxy or gateway, which no RAM permission changes.
func (e *Error) Permission() string {
	if e.Reason != ReasonForbidden || e.Code == "" {
		return ""
	}
	return "dbs:" + e.Action
}

// The forms of the two texts that an error repeats from an answer. Free text has
// neither.
var (
	// codePattern is the form of the documented codes, such as
	// InvalidParameter.PageSize. The longest has 40 characters.
	codePattern = regexp.MustCompile(`^[A-Za-z0-9]+(\.[A-Za-z0-9]+)*$`)
	// requestIDPattern is a UUID.
	requestIDPattern = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
)

const maxCode = 64

// plainCode returns s if it has the form of an error code, else "".
func plainCode(s string) string {
	if len(s) > maxCode || !codePattern.MatchString(s) {
		return ""
	}
	return s
}

// plainRequestID returns s if it has the form of a request ID, else "".
func plainRequestID(s string) string {
	if !requestIDPattern.MatchString(s) {
		return ""
	}
	return s
}

// transportError describes a request that got no complete answer.
func transportError(action string, err error) *Error {
	cause := neterr.Describe(err)
	e := &Error{Action: action, Reason: ReasonNetwork, cause: cause.Text, permanent: cause.Permanent}
	if cause.Timeout {
		e.Reason, e.timedOut = ReasonTimeout, true
	}
	return e
}
