package dbsapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"aliyun_dbs_exporter/dbsapi/credentials"
)

const (
	signatureAlgorithm = "ACS3-HMAC-SHA256"
	// emptyPayloadHash is the SHA-256 of an empty body: every parameter travels in the query.
	emptyPayloadHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	// signatureTimeLayout is ISO 8601 in UTC without fractions, the only form that x-acs-date takes.
	signatureTimeLayout = "2006-01-02T15:04:05Z"
)

// sign adds the headers of an ACS3-HMAC-SHA256 signature to a request without a body whose path is "/" and whose
// query is canonical. It depends on nothing but its arguments, so that the published vectors can test it.
//
// Source: "Request syntax and signature method V3", Alibaba Cloud OpenAPI documentation.
func sign(req *http.Request, cred credentials.Credentials, at time.Time, nonce string) {
	req.Header.Set("X-Acs-Date", at.UTC().Format(signatureTimeLayout))
	req.Header.Set("X-Acs-Signature-Nonce", nonce)
	req.Header.Set("X-Acs-Content-Sha256", emptyPayloadHash)
	if token := cred.SecurityToken(); token != "" {
		req.Header.Set("X-Acs-Accesskey-Id", cred.AccessKeyID())
		req.Header.Set("X-Acs-Security-Token", token)
	}

	canonical, signedHeaders := canonicalRequest(req)
	signature := hmacSHA256Hex(cred.AccessKeySecret(), signatureAlgorithm+"\n"+sha256Hex(canonical))
	req.Header.Set("Authorization", signatureAlgorithm+" Credential="+cred.AccessKeyID()+
		",SignedHeaders="+signedHeaders+",Signature="+signature)
}

// canonicalRequest returns the text whose hash is signed, and the names of the headers in it.
func canonicalRequest(req *http.Request) (canonical, signedHeaders string) {
	values := map[string]string{"host": req.Host}
	for name, v := range req.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-acs-") {
			values[name] = strings.TrimSpace(v[0])
		}
	}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)

	var headers strings.Builder
	for _, name := range names {
		headers.WriteString(name + ":" + values[name] + "\n")
	}
	signedHeaders = strings.Join(names, ";")
	canonical = strings.Join([]string{
		req.Method, "/", req.URL.RawQuery, headers.String(), signedHeaders, emptyPayloadHash,
	}, "\n")
	return canonical, signedHeaders
}

// canonicalQuery encodes parameters in the form that is signed, which is also the form that is sent:
// sorted by name, RFC 3986 escapes (space is %20, not +), an empty value kept as "name=".
func canonicalQuery(params map[string]string) string {
	names := make([]string, 0, len(params))
	for name := range params {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		names[i] = escape(name) + "=" + escape(params[name])
	}
	return strings.Join(names, "&")
}

// escape percent-encodes all but RFC 3986's unreserved characters. url.QueryEscape differs in the space only.
func escape(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}

func sha256Hex(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func hmacSHA256Hex(key, s string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(s))
	return hex.EncodeToString(mac.Sum(nil))
}
