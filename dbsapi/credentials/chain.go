package credentials

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aliyun/credentials-go/credentials/providers"
)

// link is one source of the default chain. Its build fails where the source is not configured.
type link struct {
	name  string
	build func() (providers.CredentialsProvider, error)
}

// defaultChain is the order in which credentials-go looks for credentials. The chain is not taken from there as a
// whole: after one failure that one asks its last source for ever.
var defaultChain = []link{
	{"environment", func() (providers.CredentialsProvider, error) {
		return providers.NewEnvironmentVariableCredentialsProviderBuilder().Build()
	}},
	{"OIDC", func() (providers.CredentialsProvider, error) {
		return providers.NewOIDCCredentialsProviderBuilder().Build()
	}},
	{"CLI profile", func() (providers.CredentialsProvider, error) {
		if err := checkCLIProfile(); err != nil {
			return nil, err
		}
		return providers.NewCLIProfileCredentialsProviderBuilder().Build()
	}},
	{"credentials file", func() (providers.CredentialsProvider, error) {
		return providers.NewProfileCredentialsProviderBuilder().Build()
	}},
	{"ECS metadata", func() (providers.CredentialsProvider, error) {
		return providers.NewECSRAMRoleCredentialsProviderBuilder().Build()
	}},
	{"credentials URI", func() (providers.CredentialsProvider, error) {
		return providers.NewURLCredentialsProviderBuilder().Build()
	}},
}

// Default returns the chain of environment, OIDC, CLI profile, credentials file, ECS metadata and credentials URI:
// the first that has credentials gives them. All sources are asked anew for every renewal.
func Default() *Session {
	return NewSession(func(ctx context.Context) (Credentials, error) {
		var failures []string
		for _, l := range defaultChain {
			if err := ctx.Err(); err != nil {
				return Credentials{}, failed("default chain", "", err)
			}
			p, err := l.build()
			if err != nil {
				continue // not configured
			}
			cred, err := fromSDK(p)
			if err == nil {
				return cred, nil
			}
			failures = append(failures, l.name+": "+class(err))
		}
		return Credentials{}, &Error{Operation: "default chain", Class: "no source has credentials (" + strings.Join(failures, "; ") + ")"}
	})
}

// safeCLIModes are the modes of an aliyun CLI profile that only read. External runs a command, and OAuth rewrites the
// CLI's configuration; neither is what a daemon may do on its own.
var safeCLIModes = []string{"AK", "StsToken", "RamRoleArn", "EcsRamRole", "OIDC", "ChainableRamRoleArn", "CloudSSO"}

// maxProfileChain bounds how many profiles may assume each other's roles. credentials-go follows them without a
// bound, so that a profile which names itself overflows the stack.
const maxProfileChain = 8

var errUnsafeProfile = errors.New("the CLI profile is of a mode that runs commands or rewrites files")

// checkCLIProfile looks at the profile that credentials-go would use, and at those it builds on.
func checkCLIProfile() error {
	path := os.Getenv("ALIBABA_CLOUD_CONFIG_FILE")
	if path == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return err
		}
		path = filepath.Join(home, ".aliyun", "config.json")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	type profile struct {
		Name   string `json:"name"`
		Mode   string `json:"mode"`
		Source string `json:"source_profile"`
	}
	var config struct {
		Current  string    `json:"current"`
		Profiles []profile `json:"profiles"`
	}
	if json.Unmarshal(text, &config) != nil {
		return fmt.Errorf("%s is not readable", path) // the JSON error could repeat a piece of it
	}
	name := os.Getenv("ALIBABA_CLOUD_PROFILE")
	if name == "" {
		name = config.Current
	}
	for range maxProfileChain {
		i := slices.IndexFunc(config.Profiles, func(p profile) bool { return p.Name == name })
		switch {
		case i < 0:
			return fmt.Errorf("%s has no such profile", path)
		case !slices.Contains(safeCLIModes, config.Profiles[i].Mode):
			return errUnsafeProfile
		case config.Profiles[i].Mode != "ChainableRamRoleArn":
			return nil
		}
		name = config.Profiles[i].Source
	}
	return fmt.Errorf("%s has profiles that build on each other in a circle", path)
}
