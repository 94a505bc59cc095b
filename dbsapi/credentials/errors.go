package credentials

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"aliyun_dbs_exporter/dbsapi/internal/neterr"
)

// Error is a failure to get credentials, without the text of the error behind it: those of credentials-go hold signed
// URLs, whole answers and whole profile files.
type Error struct {
	// Operation is what was tried, such as "assume RAM role".
	Operation string
	// Host is who was asked, empty where nobody was.
	Host string
	// Class says what happened, in words from a fixed list.
	Class string
	// HTTPStatus is the status of the answer, 0 where it is not known.
	HTTPStatus int
}

func (e *Error) Error() string {
	text := e.Operation
	if e.Host != "" {
		text += " at " + e.Host
	}
	text += ": " + e.Class
	if e.HTTPStatus != 0 {
		text += " (HTTP " + strconv.Itoa(e.HTTPStatus) + ")"
	}
	return text
}

// failed rewrites an error. Errors that are already rewritten, as from a role's source, gain the operation.
func failed(operation, host string, err error) *Error {
	if known, ok := errors.AsType[*Error](err); ok {
		return &Error{Operation: operation + ": " + known.Operation, Host: known.Host, Class: known.Class, HTTPStatus: known.HTTPStatus}
	}
	return &Error{Operation: operation, Host: host, Class: class(err), HTTPStatus: status(err)}
}

// classTokenRejected is the class of a session token that has ended.
const classTokenRejected = "the security token was rejected"

// answerClasses are the error codes of STS that tell a person what to change; the first that fits decides.
//
// Source: the error codes of AssumeRole and AssumeRoleWithOIDC in the STS documentation.
var answerClasses = []struct{ code, class string }{
	{"NoPermission", "access denied, check the role's trust policy"},
	{"Forbidden", "access denied, check the role's trust policy"},
	{"AuthenticationFail.OIDCToken.Expired", "the OIDC token has expired"},
	{"AuthenticationFail", "the OIDC token was rejected"},
	{"EntityNotExist", "the role or the OIDC provider does not exist"},
	{"InvalidAccessKeyId", "the access key was rejected"},
	{"SignatureDoesNotMatch", "the access key was rejected"},
	{"InvalidSecurityToken", classTokenRejected},
	{"Throttling", "throttled"},
	{"ServiceUnavailable", "the service failed"},
	{"InternalError", "the service failed"},
	{"InvalidParameter", "a parameter was rejected, check role_arn, role_session_name and session_duration"},
}

var (
	codePattern   = regexp.MustCompile(`"Code"\s*:\s*"([A-Za-z.]{1,64})`)
	statusPattern = regexp.MustCompile(`httpStatus: (\d{3})\b|security-credentials\S* (\d{3})$`)
)

// class says what happened. credentials-go flattens most errors to text, so the text is all there is to look at.
func class(err error) string {
	var (
		urlErr *url.Error
		netErr net.Error
	)
	text := err.Error()
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Path + ": " + pathErr.Err.Error()
	}
	switch {
	case errors.Is(err, errIncomplete), strings.Contains(text, "fail to get credentials"), strings.Contains(text, "parsing time"):
		return "the answer lacks credentials"
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.As(err, &urlErr), errors.As(err, &netErr), errors.Is(err, context.DeadlineExceeded):
		return neterr.Describe(err).Text
	}
	if m := codePattern.FindStringSubmatch(text); m != nil {
		for _, c := range answerClasses {
			if strings.HasPrefix(m[1], c.code) {
				return c.class
			}
		}
	}
	switch {
	case strings.Contains(text, "i/o timeout"), strings.Contains(text, "deadline exceeded"), strings.Contains(text, "Timeout exceeded"):
		return "no answer in time"
	case strings.Contains(text, "connection refused"):
		return "connection refused"
	case strings.Contains(text, "unreachable"), strings.Contains(text, "no route"):
		return "no route to the host"
	case strings.Contains(text, "must be specified"), strings.HasPrefix(text, "ERROR: Can not open file"):
		return "not there"
	case strings.HasPrefix(text, "ERROR:"):
		return "the profile is not there or lacks a key"
	case strings.Contains(text, "nmarshal"):
		return "the answer is not readable"
	}
	return "refused"
}

// status finds the HTTP status where the text has it in a known place.
func status(err error) int {
	m := statusPattern.FindStringSubmatch(err.Error())
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(m[1] + m[2])
	return n
}
