package dbsapi

import (
	"net/http"
	"strings"
)

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

// BadClock reports whether the API rejected the date of the request: it is over
// 15 minutes off.
func (e *Error) BadClock() bool {
	return strings.HasPrefix(e.Code, "InvalidTimeStamp") || strings.HasPrefix(e.Code, "IllegalTimestamp")
}

func isTokenCode(code string) bool { return strings.HasPrefix(code, "InvalidSecurityToken") }
