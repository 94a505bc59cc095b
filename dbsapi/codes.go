package dbsapi

import (
	"net/http"
	"strings"

	"aliyun_dbs_exporter/dbsapi/internal/gateway"
)

// codeReasons maps the start of DBS' own error codes to their reasons; the first that fits decides.
//
// Source: the error codes of DBS, and the Terraform provider, which takes InvalidParameterValid and InvalidJobId for
// "does not exist".
var codeReasons = []struct {
	prefix string
	reason Reason
}{
	{"DBS.InternalError", ReasonServer},
	{"Request.Forbidden", ReasonForbidden},
	{"InvalidParameterValid", ReasonNotFound},
	{"Param.NotFound", ReasonNotFound},
	{"InvalidJobId", ReasonNotFound},
	{"DBS.ParamIsInValid", ReasonInvalidRequest},
}

// faultReasons are the reasons of the codes that all APIs share.
var faultReasons = map[gateway.Fault]Reason{
	gateway.Throttled:    ReasonThrottled,
	gateway.Failed:       ReasonServer,
	gateway.NonceUsed:    ReasonAuth,
	gateway.BadKey:       ReasonAuth,
	gateway.BadToken:     ReasonAuth,
	gateway.BadClock:     ReasonAuth,
	gateway.BadSignature: ReasonAuth,
	gateway.Denied:       ReasonForbidden,
	gateway.BadRequest:   ReasonInvalidRequest,
}

// classify returns the reason of an answer that reports an error: by its code, else by its status. The code is asked
// first, because its status varies.
func classify(code string, status int) Reason {
	for _, c := range codeReasons {
		if strings.HasPrefix(code, c.prefix) {
			return c.reason
		}
	}
	if reason, known := faultReasons[gateway.FaultOf(code)]; known {
		return reason
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
func (e *Error) BadClock() bool { return gateway.FaultOf(e.Code) == gateway.BadClock }
