package credentials

import (
	"cmp"
	"context"
	"errors"
	"os"
	"strings"

	"github.com/aliyun/credentials-go/credentials/providers"
)

// chainSource is one source of the default chain.
type chainSource struct {
	name string
	// open returns how to fetch from the source as it is set up now, and nil
	// if it is not set up.
	open func(*Client) (fetch, error)
	// probed: if nothing answers, the source counts as not set up.
	probed bool
}

// defaultChain is the order in which credentials-go looks for credentials.
var defaultChain = []*chainSource{
	{name: "environment", open: (*Client).environment},
	{name: "OIDC", open: (*Client).environmentOIDC},
	{name: "CLI profile", open: (*Client).cliProfile},
	{name: "credentials file", open: (*Client).iniProfile},
	{name: "ECS metadata", open: (*Client).environmentECS, probed: true},
	{name: "credentials URI", open: (*Client).environmentURI},
}

// Default returns the chain of environment, OIDC, CLI profile, credentials
// file, ECS metadata and credentials URI. The first source that has credentials
// gives them and stays the only one that the client asks, because the next source
// may be another identity. For the same reason the search stops at a source that
// is set up but does not answer, or of which a variable is missing, and at a file
// that is there but not readable, or lacks the profile or a key of it: it may be
// half written. It goes on if a source refuses, or nobody answers for the metadata
// service.
func (c *Client) Default() *Session {
	return NewSession(func(ctx context.Context) (Credentials, error) {
		if source := c.chosen.Load(); source != nil {
			return c.askChosen(ctx, source)
		}
		source, cred, err := c.search(ctx)
		switch {
		case err != nil:
			return Credentials{}, err
		case c.chosen.CompareAndSwap(nil, source):
			return cred, nil
		}
		// Another search has ended first, perhaps at another source.
		return c.askChosen(ctx, c.chosen.Load())
	})
}

// search returns the first source of the chain that has credentials.
func (c *Client) search(ctx context.Context) (*chainSource, Credentials, error) {
	var failures []string
	last := broken
	for _, source := range defaultChain {
		cred, err := c.ask(ctx, source)
		if err == nil {
			return source, cred, nil
		}
		known := failed("", "", err)
		if known.kind == absent {
			continue
		}
		failures = append(failures, source.name+": "+known.Cause)
		last = known.kind
		if noneHere := last == refused || last == rejected || source.probed && last == silent; !noneHere {
			break
		}
	}
	return nil, Credentials{}, &Error{
		Operation: "default chain",
		Cause:     "no source has credentials (" + strings.Join(failures, "; ") + ")",
		kind:      last,
	}
}

// askChosen gets credentials from the source that the chain stays with.
func (c *Client) askChosen(ctx context.Context, source *chainSource) (Credentials, error) {
	cred, err := c.ask(ctx, source)
	if err != nil {
		return Credentials{}, failed("default chain: "+source.name, "", err)
	}
	return cred, nil
}

const causeNotThere = "not there"

// Variables that errors name.
const (
	envKeyID       = "ALIBABA_CLOUD_ACCESS_KEY_ID"
	envKeySecret   = "ALIBABA_CLOUD_ACCESS_KEY_SECRET"
	envToken       = "ALIBABA_CLOUD_SECURITY_TOKEN" //nolint:gosec // a name, no secret
	envRoleARN     = "ALIBABA_CLOUD_ROLE_ARN"
	envProviderARN = "ALIBABA_CLOUD_OIDC_PROVIDER_ARN"
	envTokenFile   = "ALIBABA_CLOUD_OIDC_TOKEN_FILE"
)

// ask gets credentials from a source of the chain.
func (c *Client) ask(ctx context.Context, source *chainSource) (Credentials, error) {
	get, err := source.open(c)
	switch {
	case err != nil:
		return Credentials{}, err
	case get == nil:
		return Credentials{}, &Error{Cause: "not set up", kind: absent}
	}
	cred, err := get(ctx)
	if err == nil && !cred.sendable() {
		return Credentials{}, &Error{Cause: causeNoKeys}
	}
	return cred, err
}

func (*Client) environment() (fetch, error) {
	get := fromSDK(&Error{Cause: causeNotThere, kind: refused}, func() (providers.CredentialsProvider, error) {
		return providers.NewEnvironmentVariableCredentialsProviderBuilder().Build()
	})
	return func(ctx context.Context) (Credentials, error) {
		id, secret := os.Getenv(envKeyID), os.Getenv(envKeySecret)
		switch anySet := cmp.Or(id, secret, os.Getenv(envToken)) != ""; {
		case anySet && id == "":
			return Credentials{}, notSet(envKeyID)
		case anySet && secret == "":
			return Credentials{}, notSet(envKeySecret)
		}
		cred, err := get(ctx)
		if err != nil {
			return Credentials{}, err
		}
		return tidyEnvironment(cred)
	}, nil
}

// notSet is the error of a source of which some variables are set, and not this
// one. credentials-go goes on to the next source, which may be another identity.
func notSet(variable string) *Error {
	return &Error{Cause: variable + " is not set", kind: broken}
}

// tidyEnvironment removes what surrounds the keys of the environment, such as
// the line feed of a secret that was made with echo.
func tidyEnvironment(cred Credentials) (Credentials, error) {
	for _, part := range []struct {
		variable string
		value    *secret
	}{
		{envKeyID, &cred.accessKeyID},
		{envKeySecret, &cred.accessKeySecret},
		{envToken, &cred.securityToken},
	} {
		if *part.value == (secret{}) {
			continue
		}
		value, err := tidy(part.value.reveal())
		if err == nil && !hide(value).isKey() {
			err = errors.New(causeNoKeys)
		}
		if err != nil {
			return Credentials{}, &Error{Cause: part.variable + ": " + err.Error()}
		}
		*part.value = hide(value)
	}
	return cred, nil
}

// environmentOIDC is set up if a variable for OIDC is set. The role alone may be
// meant for other programs.
func (c *Client) environmentOIDC() (fetch, error) {
	o := RoleOptions{
		RoleARN:         os.Getenv(envRoleARN),
		SessionName:     os.Getenv("ALIBABA_CLOUD_ROLE_SESSION_NAME"),
		OIDCProviderARN: os.Getenv(envProviderARN),
		OIDCTokenFile:   os.Getenv(envTokenFile),
		STSEndpoint:     regionalSTS("", false),
	}
	if o.OIDCTokenFile == "" { // the file is renewed, and the variable is not
		o.oidcToken = Given(os.Getenv("ALIBABA_CLOUD_OIDC_TOKEN"))
	}
	hasToken := o.OIDCTokenFile != "" || o.oidcToken != (Text{})
	switch {
	case o.OIDCProviderARN == "" && !hasToken:
		return nil, nil
	case o.RoleARN == "":
		return nil, notSet(envRoleARN)
	case o.OIDCProviderARN == "":
		return nil, notSet(envProviderARN)
	case !hasToken:
		return nil, notSet(envTokenFile)
	}
	return c.oidcRole(o), nil
}

// environmentECS asks once, because outside of ECS nothing answers.
func (c *Client) environmentECS() (fetch, error) {
	if isTrue("ALIBABA_CLOUD_ECS_METADATA_DISABLED") {
		return nil, nil
	}
	return c.ecsRole("", false, 1), nil
}

func (c *Client) environmentURI() (fetch, error) {
	location := os.Getenv("ALIBABA_CLOUD_CREDENTIALS_URI")
	if location == "" {
		return nil, nil
	}
	return c.uri(Given(location)), nil
}

// regionalSTS returns the endpoint of STS for a region, or that of the
// environment's where it is empty.
func regionalSTS(region string, vpc bool) string {
	region = cmp.Or(region, os.Getenv("ALIBABA_CLOUD_STS_REGION"))
	switch {
	case region == "":
		return defaultSTSEndpoint
	case vpc || isTrue("ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED"):
		return "sts-vpc." + region + ".aliyuncs.com"
	}
	return "sts." + region + ".aliyuncs.com"
}
