// Package credentials provides the access keys and session tokens that sign DBS requests. It wraps the providers of
// credentials-go, which block without a context, race, and put secrets into their errors.
package credentials

import (
	"context"
	"time"
)

// Credentials sign requests.
type Credentials struct {
	AccessKeyID     string
	AccessKeySecret string
	// SecurityToken accompanies temporary credentials, else it is empty.
	SecurityToken string
	// Expiration is when temporary credentials end; zero where that is unknown or they do not end.
	Expiration time.Time
}

// String hides the secrets, so that a stray %v cannot show them.
func (Credentials) String() string { return "<credentials>" }

// GoString hides the secrets from %#v.
func (c Credentials) GoString() string { return c.String() }

// Provider gives credentials. It is safe for concurrent use.
type Provider interface {
	// Get returns credentials to sign a request with. It may fetch them, which ends with the context.
	// Its errors hold no secret, no URL and no text of an answer.
	Get(ctx context.Context) (Credentials, error)
	// Reject says that the API no longer accepts these credentials. It returns true if the next Get may return others.
	Reject(Credentials) bool
	// ExpiresAt returns when the credentials in use end, without fetching any; zero where they do not end, the end
	// is unknown, or there are none yet.
	ExpiresAt() time.Time
}

// Static are credentials that never change.
type Static Credentials

// Get returns the credentials.
func (s Static) Get(context.Context) (Credentials, error) { return Credentials(s), nil }

// Reject returns false: there are no others.
func (Static) Reject(Credentials) bool { return false }

// ExpiresAt returns zero: the end of given credentials is not known.
func (Static) ExpiresAt() time.Time { return time.Time{} }
