package credentials

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // HMAC-SHA1 is the signature that STS documents
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	defaultSTSEndpoint = "sts.aliyuncs.com"
	// defaultSessionName identifies the exporter in the audit trail of the
	// role's account.
	defaultSessionName = "aliyun_dbs_exporter"
	// defaultSessionDuration is the default of STS as well.
	defaultSessionDuration = time.Hour
)

// RoleOptions describe a RAM role to assume. RoleARN is required.
type RoleOptions struct {
	RoleARN string
	// SessionName appears in the audit trail; the exporter's name where
	// empty.
	SessionName string
	// SessionDuration is how long a session lasts, an hour where zero. STS
	// accepts at least 15 minutes and at most what the role allows.
	SessionDuration time.Duration
	// STSEndpoint is a host or host:port that answers with TLS;
	// sts.aliyuncs.com where empty.
	STSEndpoint string
	// ExternalID is what the role's trust policy may ask for; only for
	// [Client.RAMRole].
	ExternalID string
	// OIDCProviderARN and OIDCTokenFile are for [Client.OIDCRole]. The file
	// is read at every renewal.
	OIDCProviderARN, OIDCTokenFile string

	// A profile may have a policy that narrows the session, and a token in
	// the place of the file.
	policy    string
	oidcToken Text
}

func (o RoleOptions) withDefaults() RoleOptions {
	if o.SessionName == "" {
		o.SessionName = defaultSessionName
	}
	if o.SessionDuration == 0 {
		o.SessionDuration = defaultSessionDuration
	}
	if o.STSEndpoint == "" {
		o.STSEndpoint = defaultSTSEndpoint
	}
	if o.oidcToken == (Text{}) {
		o.oidcToken = File(o.OIDCTokenFile)
	}
	return o
}

// RAMRole assumes a RAM role with the credentials of a source, which may be a
// role in another account.
func (c *Client) RAMRole(source Provider, o RoleOptions) *Session {
	return NewSession(c.ramRole(source, o))
}

func (c *Client) ramRole(source Provider, o RoleOptions) fetch {
	o = o.withDefaults()
	return func(ctx context.Context) (Credentials, error) {
		cred, from, err := c.assume(ctx, source, o)
		if err != nil && kindOf(err) == rejected && source.Reject(from) {
			cred, _, err = c.assume(ctx, source, o)
		}
		return cred, err
	}
}

// assume asks STS for a session. It also returns the credentials it asked with.
func (c *Client) assume(ctx context.Context, source Provider, o RoleOptions) (cred, from Credentials, err error) {
	const operation = "assume RAM role"
	from, err = source.Get(ctx)
	if err != nil {
		return Credentials{}, from, failed(operation, "", err)
	}
	cred, err = attempts(ctx, maxAttempts, func(ctx context.Context) (Credentials, error) {
		return c.askSTS(ctx, o, signedQuery(from, o.ramForm()), o.ramForm())
	})
	if err != nil {
		return Credentials{}, from, failed(operation, o.STSEndpoint, err)
	}
	return cred, from, nil
}

// OIDCRole assumes a RAM role with an OIDC token, as RRSA gives to the pods of
// a Kubernetes service account.
func (c *Client) OIDCRole(o RoleOptions) *Session { return NewSession(c.oidcRole(o)) }

func (c *Client) oidcRole(o RoleOptions) fetch {
	const operation = "assume RAM role with OIDC"
	o = o.withDefaults()
	return func(ctx context.Context) (Credentials, error) {
		token, err := o.oidcToken.Read()
		if err == nil && token == "" {
			err = &Error{Cause: "there is no OIDC token"}
		}
		if err != nil {
			return Credentials{}, failed(operation, "", err)
		}
		cred, err := attempts(ctx, maxAttempts, func(ctx context.Context) (Credentials, error) {
			return c.askSTS(ctx, o, query("AssumeRoleWithOIDC"), o.oidcForm(token))
		})
		if err != nil {
			return Credentials{}, failed(operation, o.STSEndpoint, err)
		}
		return cred, nil
	}
}

func (c *Client) askSTS(ctx context.Context, o RoleOptions, query, form url.Values) (Credentials, error) {
	address := "https://" + o.STSEndpoint + "/?" + query.Encode()
	if u, err := url.Parse(address); err != nil || u.Host != o.STSEndpoint {
		return Credentials{}, &Error{Cause: "the STS endpoint must be a host or host:port; check sts_endpoint or the STS region"}
	}
	req, err := newRequest(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return Credentials{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	status, body, err := c.send(req)
	if err != nil {
		return Credentials{}, err
	}
	return parseSession(status, body)
}

func (o RoleOptions) form() url.Values {
	form := url.Values{
		"RoleArn":         {o.RoleARN},
		"RoleSessionName": {o.SessionName},
		"DurationSeconds": {strconv.Itoa(int(o.SessionDuration.Seconds()))},
	}
	if o.policy != "" {
		form.Set("Policy", o.policy)
	}
	return form
}

func (o RoleOptions) ramForm() url.Values {
	form := o.form()
	if o.ExternalID != "" {
		form.Set("ExternalId", o.ExternalID)
	}
	return form
}

func (o RoleOptions) oidcForm(token string) url.Values {
	form := o.form()
	form.Set("OIDCProviderArn", o.OIDCProviderARN)
	form.Set("OIDCToken", token)
	return form
}

// query has the parameters that every request to STS needs.
func query(action string) url.Values {
	return url.Values{
		"Action":    {action},
		"Version":   {"2015-04-01"},
		"Format":    {"JSON"},
		"Timestamp": {time.Now().UTC().Format("2006-01-02T15:04:05Z")},
	}
}

// signedQuery returns the query of an AssumeRole request whose signature covers
// query and form.
//
// Source: "Signature mechanism", STS documentation; credentials-go signs
// likewise.
func signedQuery(cred Credentials, form url.Values) url.Values {
	q := query("AssumeRole")
	q.Set("SignatureMethod", "HMAC-SHA1")
	q.Set("SignatureVersion", "1.0")
	q.Set("SignatureNonce", rand.Text())
	q.Set("AccessKeyId", cred.AccessKeyID())
	if token := cred.SecurityToken(); token != "" {
		q.Set("SecurityToken", token)
	}
	all := maps.Clone(q)
	maps.Copy(all, form)
	mac := hmac.New(sha1.New, []byte(cred.AccessKeySecret()+"&"))
	mac.Write([]byte(http.MethodPost + "&%2F&" + escape(escapeSpaces(all.Encode()))))
	q.Set("Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return q
}

// escape percent-encodes all but RFC 3986's unreserved characters.
func escape(s string) string { return escapeSpaces(url.QueryEscape(s)) }

// escapeSpaces turns the form encoding of net/url into that of RFC 3986. They
// differ only in the space.
func escapeSpaces(s string) string { return strings.ReplaceAll(s, "+", "%20") }
