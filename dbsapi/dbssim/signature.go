package dbssim

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// maxClockSkew is how far a request's date may be off (API documentation of the signature).
const maxClockSkew = 15 * time.Minute

// identity is who a request says that it is from, and the proof.
type identity struct {
	keyID, token, nonce, signature string
	at                             time.Time
}

// authenticate checks a request's signature, date, nonce and token. It accepts both schemes of the official clients:
// ACS3-HMAC-SHA256 in headers, and the older RPC scheme with HMAC-SHA1 in the query.
func (s *Simulator) authenticate(r *http.Request, params url.Values) (identity, *gatewayError) {
	var (
		id  identity
		err *gatewayError
	)
	if r.Header.Get("Authorization") != "" {
		id, err = s.checkACS3(r)
	} else {
		id, err = s.checkRPC(r, params)
	}
	if err != nil {
		return id, err
	}
	if off := s.now().Sub(id.at); off > maxClockSkew || off < -maxClockSkew {
		return id, gateway(http.StatusBadRequest, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")
	}
	if !s.useNonce(id.nonce) {
		return id, gateway(http.StatusBadRequest, "SignatureNonceUsed", "Specified signature nonce was used already.")
	}
	return id, nil
}

// checkACS3 rebuilds the canonical request from what arrived and compares the signatures.
func (s *Simulator) checkACS3(r *http.Request) (identity, *gatewayError) {
	id := identity{token: r.Header.Get("X-Acs-Security-Token"), nonce: r.Header.Get("X-Acs-Signature-Nonce")}
	fields, ok := authorizationFields(r.Header.Get("Authorization"))
	id.keyID, id.signature = fields["Credential"], fields["Signature"]
	at, err := time.Parse("2006-01-02T15:04:05Z", r.Header.Get("X-Acs-Date"))
	if err != nil {
		return id, gateway(http.StatusBadRequest, "InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted.")
	}
	id.at = at

	bodyHash := r.Header.Get("X-Acs-Content-Sha256")
	names, complete := requiredHeaders(r)
	if !ok || !complete || id.keyID == "" || id.nonce == "" || fields["SignedHeaders"] != strings.Join(names, ";") || bodyHash != hashBody(r) {
		return id, gateway(http.StatusBadRequest, "IncompleteSignature", "The request signature does not conform to Aliyun standards.")
	}
	secret, failure := s.secretOf(id)
	if failure != nil {
		return id, failure
	}
	canonical := canonicalRequest(r, names, bodyHash)
	toSign := "ACS3-HMAC-SHA256\n" + hexSHA256(canonical)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(toSign))
	if !hmac.Equal([]byte(hex.EncodeToString(mac.Sum(nil))), []byte(id.signature)) {
		// The real gateway repeats what it signed, session token included.
		return id, gateway(http.StatusBadRequest, "SignatureDoesNotMatch", fmt.Sprintf(
			"Specified signature is not matched with our calculation. server StringToSign is [%s] server CanonicalRequest is [%s]", toSign, canonical))
	}
	return id, nil
}

// canonicalRequest is the text whose hash is signed, with the headers of these
// names. Parameters in the body are covered by its hash.
func canonicalRequest(r *http.Request, names []string, bodyHash string) string {
	path := strings.NewReplacer("+", "%20", "*", "%2A", "%7E", "~").Replace(r.URL.EscapedPath())
	if path == "" {
		path = "/"
	}
	var headers strings.Builder
	for _, name := range names {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		fmt.Fprintf(&headers, "%s:%s\n", name, strings.TrimSpace(value))
	}
	return strings.Join([]string{
		r.Method, path, rfc3986(r.URL.Query()), headers.String(), strings.Join(names, ";"), bodyHash,
	}, "\n")
}

// requiredHeaders returns the names of the headers that the signature must
// cover, in their order. Complete reports whether none is missing and none comes
// twice.
func requiredHeaders(r *http.Request) (names []string, complete bool) {
	names, complete = []string{"host"}, true
	for name, values := range r.Header {
		name = strings.ToLower(name)
		if strings.HasPrefix(name, "x-acs-") || name == "content-type" {
			names = append(names, name)
			complete = complete && len(values) == 1
		}
	}
	for _, name := range []string{"x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"} {
		complete = complete && slices.Contains(names, name)
	}
	slices.Sort(names)
	return names, complete
}

// hashBody returns the hash of a body that [parameters] has read.
func hashBody(r *http.Request) string {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return "" // never the hash of anything
	}
	return hexSHA256(string(body))
}

// checkRPC checks the older scheme, in which the signature covers the sorted query and form.
func (s *Simulator) checkRPC(r *http.Request, params url.Values) (identity, *gatewayError) {
	id := identity{
		keyID:     params.Get("AccessKeyId"),
		token:     params.Get("SecurityToken"),
		nonce:     params.Get("SignatureNonce"),
		signature: params.Get("Signature"),
	}
	at, err := time.Parse("2006-01-02T15:04:05Z", params.Get("Timestamp"))
	switch {
	case id.keyID == "" || id.signature == "":
		return id, gateway(http.StatusBadRequest, "MissingAccessKeyId", "AccessKeyId is mandatory for this action.")
	case err != nil:
		return id, gateway(http.StatusBadRequest, "InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted.")
	}
	id.at = at
	secret, failure := s.secretOf(id)
	if failure != nil {
		return id, failure
	}
	unsigned := url.Values{}
	for name, value := range params {
		if name != "Signature" {
			unsigned[name] = value
		}
	}
	toSign := r.Method + "&%2F&" + escape(rfc3986(unsigned))
	mac := hmac.New(sha1.New, []byte(secret+"&"))
	mac.Write([]byte(toSign))
	if !hmac.Equal([]byte(base64.StdEncoding.EncodeToString(mac.Sum(nil))), []byte(id.signature)) {
		return id, gateway(http.StatusBadRequest, "SignatureDoesNotMatch",
			"Specified signature is not matched with our calculation. server string to sign is:"+toSign)
	}
	return id, nil
}

// authorizationFields splits "ACS3-HMAC-SHA256 Credential=…,SignedHeaders=…,Signature=…".
func authorizationFields(header string) (fields map[string]string, ok bool) {
	rest, ok := strings.CutPrefix(header, "ACS3-HMAC-SHA256 ")
	parts := strings.Split(rest, ",")
	names := []string{"Credential", "SignedHeaders", "Signature"}
	if !ok || len(parts) != len(names) {
		return nil, false
	}
	fields = make(map[string]string)
	for i, name := range names {
		value, ok := strings.CutPrefix(parts[i], name+"=")
		if !ok {
			return nil, false
		}
		fields[name] = value
	}
	return fields, true
}

// rfc3986 writes parameters sorted by name and escaped as they are signed.
func rfc3986(params url.Values) string {
	names := slices.Sorted(maps.Keys(params))
	for i, name := range names {
		names[i] = escape(name) + "=" + escape(params.Get(name))
	}
	return strings.Join(names, "&")
}

// escape leaves A-Z a-z 0-9 - _ . ~ and writes every other byte as %XX.
func escape(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_', c == '.', c == '~':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func hexSHA256(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
