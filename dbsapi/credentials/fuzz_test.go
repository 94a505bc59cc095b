package credentials_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_dbs_exporter/dbsapi/credentials"
)

// fuzzMark is in everything that a fuzzed server says and that is not a good
// answer's.
const fuzzMark = "fuzz-mark"

// FuzzAnswers lets a server say anything, headers included, to every source.
// Either the keys are those that a strict reader finds in the answer, or there
// is an error that holds nothing of it.
func FuzzAnswers(f *testing.F) {
	add := func(said []byte) {
		for source := range uint8(fuzzedSources) {
			f.Add(said, source)
		}
	}
	good := func(body string) []byte {
		return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
	const end = `"Expiration":"2000-01-01T01:00:00Z"`
	for _, body := range []string{
		`{"Code":"Success","AccessKeyId":"STS.key","AccessKeySecret":"s","SecurityToken":"t",` + end + `,"Credentials":{"AccessKeyId":"STS.key","AccessKeySecret":"s","SecurityToken":"t",` + end + `}}`,
		`{"AccessKeyId":"a","AccessKeyId":"b","AccessKeySecret":"s","SecurityToken":"t",` + end + `}`,
		`{"AccessKeyId":null,"AccessKeySecret":[1],"SecurityToken":{},"Expiration":0}`,
		`{"Credentials":{"AccessKeyId":"a\r\nb","AccessKeySecret":"Ⱥ","SecurityToken":"\ufeff","Expiration":"9999-12-31T23:59:59.999999999+23:59"}}`,
		"", "null", "[]", `"` + fuzzMark + `"`, "<html>" + fuzzMark, strings.Repeat("[", 10_000), "{" + strings.Repeat(" ", 70_000) + "}",
	} {
		add(good(body))
	}
	for _, code := range []string{"NoPermission", "InvalidTimeStamp.Expired", "Throttling.User", "InvalidSecurityToken.Expired", fuzzMark} {
		for _, status := range []int{400, 403, 429, 500, 503} {
			add(fmt.Appendf(nil, "HTTP/1.1 %d %s\r\n\r\n{\"Code\":%q,\"Message\":%q}", status, fuzzMark, code, fuzzMark))
		}
	}
	for _, status := range []int{100, 101, 103, 201, 204, 206, 301, 302, 303, 304, 307, 308} {
		add(fmt.Appendf(nil, "HTTP/1.1 %d X\r\nLocation: http://%s/\r\nContent-Length: 0\r\n\r\n", status, fuzzMark))
	}
	add(append([]byte("HTTP/1.1 200 X\r\nContent-Encoding: gzip\r\n\r\n"), zipped(strings.Repeat(" ", 1<<20))...))
	add([]byte("HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n" + fuzzMark + ": x\r\n\r\n"))
	add([]byte("HTTP/1.1 200 X\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"))
	add([]byte("HTTP/1.0 200\r\n\r\n"))
	add([]byte("HTTP/1.1 200 X\r\n" + fuzzMark + strings.Repeat("x", 70_000)))
	add([]byte(fuzzMark))

	token := writeFile(f, "token", oidcMark)
	f.Fuzz(func(t *testing.T, said []byte, source uint8) {
		synctest.Test(t, func(t *testing.T) {
			n := &network{}
			n.serveAll(func(w io.Writer, _ *http.Request) bool {
				_, _ = w.Write(said)
				return false
			})
			c := n.client(nil)
			s := c.URI(credentials.Given("http://" + uriHost + "/"))
			source %= fuzzedSources
			switch source {
			case fuzzedSTS:
				s = c.OIDCRole(credentials.RoleOptions{RoleARN: podRole, STSEndpoint: stsHost, OIDCTokenFile: token})
			case fuzzedMetadata:
				s = c.ECSRole("reader", false)
			case fuzzedRoleName:
				s = c.ECSRole("", false)
			}
			cred, err := s.Get(t.Context())
			checkFuzzed(t, said, source, cred, err)
			// net/http asks again where a connection closes that
			// the request for a metadata token has used.
			if asked := len(n.asks()); asked > 2*3 {
				t.Errorf("%d requests", asked)
			}
			n.closed(t, c)
		})
	})
}

// The sources that are fuzzed. The metadata service gives the same answer to the
// request for the role's name and to that for its keys.
const (
	fuzzedURI = iota
	fuzzedSTS
	fuzzedMetadata
	fuzzedRoleName
	fuzzedSources
)

// strictKeys are the keys that a strict reader finds in an answer.
type strictKeys struct{ id, secret, token, expiration, code string }

// readStrictly reads what a server said with other libraries than the client.
func readStrictly(said []byte, source uint8) (keys strictKeys, err error) {
	from := bufio.NewReader(bytes.NewReader(said))
	resp, err := http.ReadResponse(from, nil)
	for err == nil && resp.StatusCode/100 == 1 {
		resp, err = http.ReadResponse(from, nil)
	}
	if err != nil {
		return strictKeys{}, err
	}
	body, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode != http.StatusOK || len(body) > 64<<10) {
		err = fmt.Errorf("HTTP %d with %d bytes", resp.StatusCode, len(body))
	}
	var members map[string]json.RawMessage
	err = errors.Join(err, json.Unmarshal(body, &members))
	if source == fuzzedSTS {
		inner := members["Credentials"]
		members = nil
		err = errors.Join(err, json.Unmarshal(inner, &members))
	}
	wanted := map[string]*string{
		"AccessKeyId": &keys.id, "AccessKeySecret": &keys.secret, "SecurityToken": &keys.token, "Expiration": &keys.expiration,
	}
	if source == fuzzedMetadata {
		wanted["Code"] = &keys.code
	}
	for name, value := range wanted {
		err = errors.Join(err, json.Unmarshal(members[name], value))
	}
	return keys, err
}

func checkFuzzed(t *testing.T, said []byte, source uint8, cred credentials.Credentials, err error) {
	t.Helper()
	if err == nil {
		want, err := readStrictly(said, source)
		end, timeErr := time.Parse(time.RFC3339, want.expiration)
		switch {
		case err != nil || timeErr != nil:
			t.Errorf("there are keys in an answer that has none: %v, %v", err, timeErr)
		case cred.AccessKeyID() != want.id, cred.AccessKeySecret() != want.secret, cred.SecurityToken() != want.token,
			!cred.Expiration().Equal(end), source == fuzzedMetadata && want.code != "Success":
			t.Errorf("the keys are %q %q %q, which end at %v; the answer has %+v",
				cred.AccessKeyID(), cred.AccessKeySecret(), cred.SecurityToken(), cred.Expiration(), want)
		case !end.After(time.Now()):
			t.Errorf("the keys have ended at %v", end)
		}
		for _, part := range []string{cred.AccessKeyID(), cred.AccessKeySecret(), cred.SecurityToken()} {
			if part == "" || strings.ContainsFunc(part, func(r rune) bool { return r <= ' ' || r > '~' }) {
				t.Errorf("the keys hold %q", part)
			}
		}
		return
	}
	failure, ok := errors.AsType[*credentials.Error](err)
	if !ok || cred != (credentials.Credentials{}) {
		t.Fatalf("%#v", err)
	}
	if text := fmt.Sprintf("%v %#v", err, err); strings.Contains(text, fuzzMark) {
		t.Errorf("the error holds what the server said: %s", text)
	}
	if !knownCauses[failure.Cause] {
		t.Errorf("unknown cause %q for %q", failure.Cause, said)
	}
}

// knownCauses are the words that errors about an answer are made of.
var knownCauses = func() map[string]bool {
	known := make(map[string]bool)
	for _, tt := range hostile {
		cause, _, _ := strings.Cut(tt.cause, " (HTTP")
		known[cause] = true
	}
	for _, cause := range []string{
		"the access key was rejected", "the security token was rejected", "the OIDC token has expired", "the OIDC token was rejected",
		"the role or the OIDC provider does not exist", "access denied, check the role's trust policy and the OIDC provider",
		"a parameter was rejected, check role_arn, role_session_name and session_duration", "the answer is no name of a role",
		"connection reset",
	} {
		known[cause] = true
	}
	return known
}()
