// Package credentials provides the access keys and session tokens that sign DBS
// requests.
//
// The library credentials-go reads the environment and gives the access keys
// that profiles hold. This package reads the files of profiles itself, once and
// up to a limit: credentials-go reads files of any size, waits for pipes, and
// runs commands that a profile names.
//
// [Client] sends the requests to STS, to the metadata service and to
// credentials URIs itself. Those of credentials-go follow redirects with the
// OIDC token, read answers of any size and take no context, and their errors
// hold signed URLs. They cannot be bounded either: the library clones
// http.DefaultTransport for each request and replaces its dialer.
package credentials

import (
	"context"
	"time"
)

// Credentials sign requests. Two values with the same content are ==. Printing
// or encoding them shows no secret.
type Credentials struct {
	accessKeyID, accessKeySecret, securityToken secret
	expiration                                  time.Time
}

// New returns credentials. The security token is empty for an access key that
// lasts. The expiration is zero where there is none, or where it is unknown.
func New(accessKeyID, accessKeySecret, securityToken string, expiration time.Time) Credentials {
	return Credentials{
		accessKeyID:     hide(accessKeyID),
		accessKeySecret: hide(accessKeySecret),
		securityToken:   hide(securityToken),
		expiration:      expiration.Round(0), // by the wall clock, as STS means it
	}
}

// AccessKeyID says whose key it is.
func (c Credentials) AccessKeyID() string { return c.accessKeyID.reveal() }

// AccessKeySecret is the key itself.
func (c Credentials) AccessKeySecret() string { return c.accessKeySecret.reveal() }

// SecurityToken accompanies temporary credentials; it is empty for others.
func (c Credentials) SecurityToken() string { return c.securityToken.reveal() }

// Expiration is when temporary credentials end; zero where that is unknown or
// they do not end.
func (c Credentials) Expiration() time.Time { return c.expiration }

// usable reports whether the credentials are there and have not ended.
func (c Credentials) usable() bool {
	return c.accessKeyID != secret{} && !c.endsWithin(0)
}

// endsWithin reports whether the credentials end within d, or have ended.
func (c Credentials) endsWithin(d time.Duration) bool {
	return !c.expiration.IsZero() && time.Until(c.expiration) <= d
}

// sendable reports whether the parts can be the values of headers.
func (c Credentials) sendable() bool {
	return c.accessKeyID.isKey() && c.accessKeySecret.isKey() && c.securityToken.isKey()
}

// Provider gives credentials. It is safe for concurrent use.
type Provider interface {
	// Get returns credentials to sign a request with. It may have to fetch
	// them, and stops waiting when the context ends. Its errors hold no
	// secret, no URL and no text of an answer.
	Get(ctx context.Context) (Credentials, error)
	// Reject says that the API no longer accepts these credentials. It
	// reports whether the next Get may return others.
	Reject(Credentials) bool
	// Usable reports whether there are credentials that need not be fetched.
	Usable() bool
	// ExpiresAt returns when the credentials in use end, without fetching
	// any; zero where they do not end, the end is unknown, or there are
	// none yet.
	ExpiresAt() time.Time
}

// Static are credentials that never change.
type Static struct{ credentials Credentials }

// NewStatic returns credentials that never change. The security token is empty
// for an access key that lasts.
func NewStatic(accessKeyID, accessKeySecret, securityToken string) Static {
	return Static{New(accessKeyID, accessKeySecret, securityToken, time.Time{})}
}

// Get returns the credentials.
func (s Static) Get(context.Context) (Credentials, error) { return s.credentials, nil }

// Reject returns false: there are no others.
func (Static) Reject(Credentials) bool { return false }

// Usable returns true: they are there.
func (Static) Usable() bool { return true }

// ExpiresAt returns zero: the end of given credentials is not known.
func (Static) ExpiresAt() time.Time { return time.Time{} }
