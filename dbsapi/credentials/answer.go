package credentials

import (
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
)

// issuedKeys are credentials as STS, the metadata service and credentials URIs
// write them.
type issuedKeys struct {
	AccessKeyID     secret `json:"AccessKeyId"`
	AccessKeySecret secret `json:"AccessKeySecret"`
	SecurityToken   secret `json:"SecurityToken"`
	Expiration      string `json:"Expiration"`
	// Code is "Success" in the metadata service's answers; the others have
	// none.
	Code string `json:"Code"`
}

// credentials returns the keys if they are complete and have not ended.
func (k issuedKeys) credentials() (Credentials, error) {
	if k.AccessKeyID == (secret{}) || k.AccessKeySecret == (secret{}) || k.SecurityToken == (secret{}) || k.Expiration == "" {
		return Credentials{}, &Error{Cause: causeIncomplete, kind: broken}
	}
	end, err := time.Parse(time.RFC3339, k.Expiration)
	if err != nil || !k.AccessKeyID.isKey() || !k.AccessKeySecret.isKey() || !k.SecurityToken.isKey() {
		return Credentials{}, &Error{Cause: causeUnreadable, kind: broken}
	}
	if !time.Now().Before(end) {
		return Credentials{}, &Error{Cause: causeEnded, kind: broken}
	}
	return Credentials{k.AccessKeyID, k.AccessKeySecret, k.SecurityToken, end}, nil
}

// parseSession reads the answer to AssumeRole and AssumeRoleWithOIDC.
func parseSession(status int, body []byte) (Credentials, error) {
	var answer struct {
		Credentials issuedKeys `json:"Credentials"`
	}
	if err := parse(status, body, &answer); err != nil {
		return Credentials{}, err
	}
	return answer.Credentials.credentials()
}

// parseKeys reads the answer of a credentials URI.
func parseKeys(status int, body []byte) (Credentials, error) {
	var answer issuedKeys
	if err := parse(status, body, &answer); err != nil {
		return Credentials{}, err
	}
	return answer.credentials()
}

// parseInstanceKeys reads the metadata service's answer about a role.
func parseInstanceKeys(status int, body []byte) (Credentials, error) {
	var answer issuedKeys
	if err := parse(status, body, &answer); err != nil {
		return Credentials{}, err
	}
	if answer.Code != "Success" {
		return Credentials{}, &Error{Cause: causeIncomplete, kind: broken}
	}
	return answer.credentials()
}

// parse reads a good answer. Members that appear twice are an error, and those
// in another case are ignored: programs disagree about which of them counts.
func parse(status int, body []byte, into any) error {
	if err := checkStatus(status, body); err != nil {
		return err
	}
	if json.Unmarshal(body, into) != nil { // its error repeats a piece of the answer
		return &Error{Cause: causeUnreadable, kind: broken}
	}
	return nil
}

// checkStatus returns the error that an answer with a status other than 200
// stands for.
func checkStatus(status int, body []byte) error {
	switch {
	case status == http.StatusOK:
		return nil
	case status/100 == 2:
		return &Error{Cause: causeUnreadable, HTTPStatus: status, kind: broken}
	case status/100 == 3:
		return &Error{Cause: causeRedirect, HTTPStatus: status, kind: broken}
	}
	var answer struct {
		Code string `json:"Code"`
	}
	if json.Unmarshal(body, &answer) == nil {
		if f, known := findingOf(answer.Code); known {
			return &Error{Cause: f.cause, kind: f.kind}
		}
	}
	switch {
	case status == http.StatusTooManyRequests:
		return &Error{Cause: "throttled", HTTPStatus: status, kind: passing}
	case status == http.StatusRequestTimeout, status >= http.StatusInternalServerError:
		return &Error{Cause: "the service failed", HTTPStatus: status, kind: passing}
	}
	// It may be from a proxy, or something else in between.
	return &Error{Cause: "refused", HTTPStatus: status, kind: broken}
}
