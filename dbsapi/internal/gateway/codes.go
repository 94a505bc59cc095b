// Package gateway knows the error codes that the APIs of Alibaba Cloud share. Their gateway gives these codes before
// the service itself sees the request.
package gateway

import "strings"

// Fault is what a code means.
type Fault int

// The faults that a shared code can mean.
const (
	// Unknown: the code is none of the shared ones.
	Unknown Fault = iota
	// Throttled: the account's request quota is used up.
	Throttled
	// Failed: the service failed.
	Failed
	// NonceUsed: the request came twice.
	NonceUsed
	// BadKey: the access key does not exist, or its secret is another.
	BadKey
	// BadToken: the session token has expired, or is of another key.
	BadToken
	// BadClock: the date of the request is over 15 minutes off.
	BadClock
	// BadSignature: the request lacks something that signatures need.
	BadSignature
	// Denied: the identity lacks the permission.
	Denied
	// BadRequest: the API, its version, the action or a parameter is wrong.
	BadRequest
)

// faults maps the start of a code to its fault. The HTTP status of a code varies between documentation pages and
// gateways.
//
// Source: the public error codes of Alibaba Cloud's API gateway.
var faults = []struct {
	prefix string
	fault  Fault
}{
	{"Throttling", Throttled},
	{"Rejected.Throttling", Throttled},
	{"ServiceUnavailable", Failed},
	{"InternalError", Failed},
	{"UnknownError", Failed},
	{"SignatureNonceUsed", NonceUsed},
	{"InvalidAccessKeyId", BadKey},
	{"SignatureDoesNotMatch", BadKey},
	{"InvalidSecurityToken", BadToken},
	{"InvalidTimeStamp", BadClock},
	{"IllegalTimestamp", BadClock},
	{"IncompleteSignature", BadSignature},
	{"MissingSecurityToken", BadSignature},
	{"Forbidden", Denied},
	{"NoPermission", Denied},
	{"ActionUnauthorized", Denied},
	{"InvalidApi", BadRequest},
	{"InvalidAction", BadRequest},
	{"InvalidVersion", BadRequest},
	{"InvalidProduct", BadRequest},
	{"InvalidProtocol", BadRequest},
	{"InvalidParameter", BadRequest},
	{"Missing", BadRequest},
}

// FaultOf returns the fault of a code; the first prefix that fits decides.
func FaultOf(code string) Fault {
	for _, f := range faults {
		if strings.HasPrefix(code, f.prefix) {
			return f.fault
		}
	}
	return Unknown
}
