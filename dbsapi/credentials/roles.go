package credentials

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/aliyun/credentials-go/credentials/providers"
)

const (
	defaultSTSEndpoint = "sts.aliyuncs.com"
	// defaultSessionName identifies the exporter in the audit trail of the role's account.
	defaultSessionName = "aliyun_dbs_exporter"
	metadataHost       = "100.100.100.200"
)

// RoleOptions describe a RAM role to assume. RoleARN is required.
type RoleOptions struct {
	RoleARN string
	// SessionName appears in the audit trail; the exporter's name where empty.
	SessionName string
	// SessionDuration is how long a session lasts, an hour where zero. STS accepts 15 minutes at the least and what the
	// role allows at the most.
	SessionDuration time.Duration
	// STSEndpoint is a host or host:port that answers with TLS; sts.aliyuncs.com where empty.
	STSEndpoint string
	// ExternalID is what the role's trust policy may ask for; only for [RAMRole].
	ExternalID string
	// OIDCProviderARN and OIDCTokenFile are for [OIDCRole]. The file is read at every renewal.
	OIDCProviderARN, OIDCTokenFile string
}

func (o RoleOptions) withDefaults() RoleOptions {
	if o.SessionName == "" {
		o.SessionName = defaultSessionName
	}
	if o.STSEndpoint == "" {
		o.STSEndpoint = defaultSTSEndpoint
	}
	return o
}

// fetcher returns a fetch for a [Session] that builds a provider of credentials-go for every renewal and asks it once.
func fetcher(operation, host string, build func(context.Context) (providers.CredentialsProvider, error)) func(context.Context) (Credentials, error) {
	return func(ctx context.Context) (Credentials, error) {
		p, err := build(ctx)
		if err != nil {
			return Credentials{}, failed(operation, "", err)
		}
		cred, err := fromSDK(p)
		if err != nil {
			return Credentials{}, failed(operation, host, err)
		}
		return cred, nil
	}
}

// RAMRole assumes a RAM role with the credentials of a source, which may be a role in another account.
func RAMRole(source Provider, o RoleOptions) *Session {
	o = o.withDefaults()
	return NewSession(func(ctx context.Context) (Credentials, error) {
		cred, from, err := assume(ctx, source, o)
		if failure, ok := errors.AsType[*Error](err); ok && failure.Class == classTokenRejected && source.Reject(from) {
			cred, _, err = assume(ctx, source, o)
		}
		return cred, err
	})
}

// assume asks STS for a session, and returns what it was asked with as well.
func assume(ctx context.Context, source Provider, o RoleOptions) (cred, from Credentials, err error) {
	from, err = source.Get(ctx)
	if err != nil {
		return Credentials{}, from, failed("assume RAM role", "", err)
	}
	cred, err = fetcher("assume RAM role", o.STSEndpoint, func(context.Context) (providers.CredentialsProvider, error) {
		return providers.NewRAMRoleARNCredentialsProviderBuilder().
			WithAccessKeyId(from.AccessKeyID).
			WithAccessKeySecret(from.AccessKeySecret).
			WithSecurityToken(from.SecurityToken).
			WithRoleArn(o.RoleARN).
			WithRoleSessionName(o.SessionName).
			WithDurationSeconds(int(o.SessionDuration.Seconds())).
			WithExternalId(o.ExternalID).
			WithStsEndpoint(o.STSEndpoint).
			Build()
	})(ctx)
	return cred, from, err
}

// OIDCRole assumes a RAM role with an OIDC token, as RRSA gives to the pods of a Kubernetes service account.
func OIDCRole(o RoleOptions) *Session {
	o = o.withDefaults()
	return NewSession(fetcher("assume RAM role with OIDC", o.STSEndpoint, func(context.Context) (providers.CredentialsProvider, error) {
		return providers.NewOIDCCredentialsProviderBuilder().
			WithRoleArn(o.RoleARN).
			WithOIDCProviderARN(o.OIDCProviderARN).
			WithOIDCTokenFilePath(o.OIDCTokenFile).
			WithRoleSessionName(o.SessionName).
			WithDurationSeconds(int(o.SessionDuration.Seconds())).
			WithSTSEndpoint(o.STSEndpoint).
			Build()
	}))
}

// ECSRole takes the credentials of the RAM role that is attached to this ECS instance from its metadata service.
// The role's name is asked for where it is empty. With disableIMDSv1 only the session-oriented mode is used.
func ECSRole(roleName string, disableIMDSv1 bool) *Session {
	return NewSession(fetcher("read ECS role", metadataHost, func(context.Context) (providers.CredentialsProvider, error) {
		return providers.NewECSRAMRoleCredentialsProviderBuilder().
			WithRoleName(roleName).
			WithDisableIMDSv1(disableIMDSv1).
			Build()
	}))
}

// URI takes credentials from a URL that answers with AccessKeyId, AccessKeySecret, SecurityToken and Expiration.
// The URL may be a secret; it comes from a function because it may be in a file that changes.
func URI(location Text) *Session {
	return NewSession(func(ctx context.Context) (Credentials, error) {
		text, err := location()
		if err != nil {
			return Credentials{}, err
		}
		host := ""
		if u, err := url.Parse(text); err == nil {
			host = u.Host
		}
		return fetcher("read credentials URI", host, func(context.Context) (providers.CredentialsProvider, error) {
			return providers.NewURLCredentialsProviderBuilder().WithUrl(text).Build()
		})(ctx)
	})
}
