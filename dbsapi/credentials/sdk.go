package credentials

import (
	"context"
	"time"

	"github.com/aliyun/credentials-go/credentials/providers"
)

// fromSDK fetches from a provider of credentials-go that reads the environment
// or a file; class says what a failure means. The provider is a new one each
// time, because it keeps what it has read. Its errors can hold a whole file,
// and it panics on profiles that are null.
func fromSDK(class string, build func() (providers.CredentialsProvider, error)) fetch {
	return func(context.Context) (cred Credentials, err error) {
		failure := &Error{Class: class}
		defer func() {
			if recover() != nil {
				cred, err = Credentials{}, failure
			}
		}()
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
