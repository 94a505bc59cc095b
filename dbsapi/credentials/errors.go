package credentials

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"syscall"

	"aliyun_dbs_exporter/dbsapi/internal/gateway"
	"aliyun_dbs_exporter/dbsapi/internal/neterr"
)

// Error is a failure to get credentials. It holds nothing of the request or of
// the answer but the HTTP status.
type Error struct {
	// Operation is what was tried, such as "assume RAM role".
	Operation string
	// Host is the host that was asked; empty if none was.
	Host string
	// Cause says what happened, in the words of this package or of the
	// operating system. The default chain lists the causes of its sources.
	Cause string
	// HTTPStatus is the status of the answer; 0 if there was none, or if
	// the answer has a code that says more.
	HTTPStatus int

	kind kind
}

// kind says what a failure means for the next attempt.
type kind int

const (
	// broken: the source is set up wrongly, or its answer cannot be trusted.
	// Trying again soon does not help, and what the source would say is
	// unknown. It is the zero kind, because it never makes the default chain
	// take another identity.
	broken kind = iota
	// refused: the source says no, or is not there.
	refused
	// rejected: the source refuses the session token that it was asked with.
	rejected
	// absent: the source is not set up.
	absent
	// passing: trying again soon may help.
	passing
	// silent: nobody answers. Trying again soon may help.
	silent
)

// passes reports whether trying again soon may help.
func (k kind) passes() bool { return k == passing || k == silent }

func (e *Error) Error() string {
	text := e.Operation
	if e.Host != "" {
		text += " at " + e.Host
	}
	text += ": " + e.Cause
	if e.HTTPStatus != 0 {
		text += " (HTTP " + strconv.Itoa(e.HTTPStatus) + ")"
	}
	return text
}

// failed adds the operation in which an error happened. The error of a role's
// source already has one, and keeps it.
func failed(operation, host string, err error) *Error {
	known, ok := errors.AsType[*Error](err)
	if !ok {
		known = networkError(err)
	}
	e := *known
	if e.Operation == "" {
		e.Operation, e.Host = operation, host
	} else {
		e.Operation = operation + ": " + e.Operation
	}
	return &e
}

// networkError describes a network error, whose text may hold secrets, in fixed
// words.
func networkError(err error) *Error {
	if errors.Is(err, context.Canceled) {
		return &Error{Cause: "canceled", kind: passing}
	}
	found := neterr.Describe(err)
	dialErr, ok := errors.AsType[*net.OpError](err)
	switch {
	case found.Permanent:
		return &Error{Cause: found.Text, kind: broken}
	case found.Timeout, ok && dialErr.Op == "dial", errors.Is(err, syscall.ECONNREFUSED):
		return &Error{Cause: found.Text, kind: silent}
	}
	return &Error{Cause: found.Text, kind: passing}
}

// kindOf returns the kind of an error that [failed] or [networkError] made.
func kindOf(err error) kind {
	if known, ok := errors.AsType[*Error](err); ok {
		return known.kind
	}
	return passing // of the context
}

// Faults of an answer, or of the keys in it.
const (
	causeUnreadable = "the answer is not readable"
	causeIncomplete = "the answer lacks credentials"
	causeTooLarge   = "the answer is larger than 64 KiB"
	causeRedirect   = "the answer is a redirect, which is not followed"
	causeNoKeys     = "keys and tokens must be visible ASCII characters"
	causeEnded      = "the keys had ended before they arrived, check this machine's clock"
)

// finding is what an error code means for whoever asked for credentials.
type finding struct {
	cause string
	kind  kind
}

const causeDenied = "access denied, check the role's trust policy"

// findings maps the start of the error codes of STS to what they mean; the
// first that fits decides.
//
// Source: the error codes of AssumeRole and AssumeRoleWithOIDC in the STS
// documentation.
var findings = []struct {
	prefix string
	finding
}{
	{"AuthenticationFail.NoPermission", finding{causeDenied + " and the OIDC provider", refused}},
	{"AuthenticationFail.OIDCToken.Expired", finding{"the OIDC token has expired", refused}},
	{"AuthenticationFail", finding{"the OIDC token was rejected", refused}},
	{"EntityNotExist", finding{"the role or the OIDC provider does not exist", refused}},
	{"InvalidParameter", finding{"a parameter was rejected, check role_arn, role_session_name and session_duration", refused}},
}

// faultFindings are those of the error codes that all APIs share. A request
// that the gateway does not understand was changed on its way: it does not say
// that the source refuses.
var faultFindings = map[gateway.Fault]finding{
	gateway.Throttled:    {"throttled", passing},
	gateway.Failed:       {"the service failed", passing},
	gateway.NonceUsed:    {"the service failed", passing},
	gateway.BadKey:       {"the access key was rejected", refused},
	gateway.BadToken:     {"the security token was rejected", rejected},
	gateway.BadClock:     {"the time of the request was rejected, check this machine's clock", broken},
	gateway.BadSignature: {"the signature arrived incomplete", broken},
	gateway.Denied:       {causeDenied, refused},
	gateway.BadRequest:   {"the request was not understood", broken},
}

// findingOf returns what a code means, and whether that is known.
func findingOf(code string) (finding, bool) {
	for _, f := range findings {
		if strings.HasPrefix(code, f.prefix) {
			return f.finding, true
		}
	}
	f, known := faultFindings[gateway.FaultOf(code)]
	return f, known
}
