package credentials

import (
	"context"
	"time"

	"github.com/aliyun/credentials-go/credentials/providers"
)

// staticAK fetches an access key that a profile holds.
func staticAK(id, key secret) fetch {
	return fromSDK(&Error{Cause: causeBadProfile}, func() (providers.CredentialsProvider, error) {
		return providers.NewStaticAKCredentialsProviderBuilder().WithAccessKeyId(id.reveal()).WithAccessKeySecret(key.reveal()).Build()
	})
}

// staticSTS fetches an access key and a session token that a profile holds.
func staticSTS(id, key, token secret) fetch {
	return fromSDK(&Error{Cause: causeBadProfile}, func() (providers.CredentialsProvider, error) {
		return providers.NewStaticSTSCredentialsProviderBuilder().
			WithAccessKeyId(id.reveal()).WithAccessKeySecret(key.reveal()).WithSecurityToken(token.reveal()).Build()
	})
}

// fromSDK fetches from a provider of credentials-go. Its own errors could hold
// secrets; failure says what they mean.
func fromSDK(failure *Error, build func() (providers.CredentialsProvider, error)) fetch {
	return func(context.Context) (Credentials, error) {
		p, err := build()
		if err != nil {
			return Credentials{}, failure
		}
		c, err := p.GetCredentials()
		if err != nil || c == nil || c.AccessKeyId == "" || c.AccessKeySecret == "" {
			return Credentials{}, failure
		}
		return New(c.AccessKeyId, c.AccessKeySecret, c.SecurityToken, time.Time{}), nil
	}
}
