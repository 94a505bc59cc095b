package credentials

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"gopkg.in/ini.v1"
)

const (
	// maxCLIConfig bounds the configuration of the aliyun CLI, which is read at
	// every renewal. A profile of CloudSSO has about 3 kB, and there is one for
	// each account of a company.
	maxCLIConfig = 512 << 10
	// maxProfiles bounds its profiles, which take much more memory than text.
	maxProfiles = 1000
	// maxCredentialsFile and maxLines bound the credentials file: the library
	// needs the square of the number of lines (64 KiB of short ones take about
	// 1 s with ini 1.67.3, and 1,000 lines 10 ms).
	maxCredentialsFile = 64 << 10
	maxLines           = 1000
	// maxProfileChain bounds how many profiles may assume each other's
	// roles.
	maxProfileChain = 8
)

// Faults of a profile.
const (
	causeBadProfile    = "the profile is not there or lacks a key"
	causeUnknownMode   = "the profile's mode is not supported"
	causeUnsafeProfile = "the profile's mode needs a person, runs commands or rewrites files"
	causeCircle        = "the profiles build on each other in a circle"
	causeBadConfig     = "the file is not readable"
	causeLargeCLI      = "the file is larger than 512 KiB or 1,000 profiles"
	causeLargeFile     = "the file is larger than 64 KiB or 1,000 lines"
)

// cliProfile is a profile of the aliyun CLI.
type cliProfile struct {
	Name            string `json:"name"`
	Mode            string `json:"mode"`
	AccessKeyID     secret `json:"access_key_id"`
	AccessKeySecret secret `json:"access_key_secret"`
	SecurityToken   secret `json:"sts_token"`
	RoleARN         string `json:"ram_role_arn"`
	SessionName     string `json:"ram_session_name"`
	DurationSeconds int    `json:"expired_seconds"`
	STSRegion       string `json:"sts_region"`
	EnableVPC       bool   `json:"enable_vpc"`
	SourceProfile   string `json:"source_profile"`
	RoleName        string `json:"ram_role_name"`
	OIDCTokenFile   string `json:"oidc_token_file"`
	OIDCToken       secret `json:"oidc_token"`
	OIDCProviderARN string `json:"oidc_provider_arn"`
	Policy          string `json:"policy"`
	ExternalID      string `json:"external_id"`
}

// role is the role that a profile names.
func (p cliProfile) role() RoleOptions {
	return RoleOptions{
		RoleARN:         p.RoleARN,
		SessionName:     p.SessionName,
		SessionDuration: time.Duration(p.DurationSeconds) * time.Second,
		STSEndpoint:     regionalSTS(p.STSRegion, p.EnableVPC),
		ExternalID:      p.ExternalID,
		OIDCProviderARN: p.OIDCProviderARN,
		OIDCTokenFile:   p.OIDCTokenFile,
		policy:          p.Policy,
		oidcToken:       Text{value: p.OIDCToken},
	}
}

// cliProfile opens the profile that the aliyun CLI would use.
func (c *Client) cliProfile() (fetch, error) {
	content, err := readConfig("ALIBABA_CLOUD_CONFIG_FILE", ".aliyun/config.json", maxCLIConfig)
	switch {
	case isTrue("ALIBABA_CLOUD_CLI_PROFILE_DISABLED"), errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, unusable(err, causeLargeCLI)
	}
	current, profiles, err := parseCLIProfiles(content)
	if err != nil {
		return nil, err
	}
	name := cmp.Or(os.Getenv("ALIBABA_CLOUD_PROFILE"), current)
	if slices.ContainsFunc(profiles, func(p cliProfile) bool { return p.Name == name && p.unconfigured() }) {
		return nil, nil
	}
	return c.openProfile(profiles, name, maxProfileChain)
}

// unconfigured reports whether a profile is the one that the aliyun CLI writes
// before anybody has given it keys. It is a state that may last, and any key makes
// the profile one that is being set up.
func (p cliProfile) unconfigured() bool {
	return p == cliProfile{Name: "default", Mode: "AK"}
}

// parseCLIProfiles returns the profiles of the aliyun CLI and the name of the
// current one.
//
// The aliyun CLI takes names of members in any case. One that appears twice is
// an error: programs disagree about which of the two counts. The errors of
// Unmarshal could repeat a piece of the file.
func parseCLIProfiles(content []byte) (current string, profiles []cliProfile, err error) {
	var config struct {
		Current  string      `json:"current"`
		Profiles cliProfiles `json:"profiles"`
	}
	if err := json.Unmarshal(content, &config, json.MatchCaseInsensitiveNames(true)); err != nil {
		return "", nil, unusable(err, causeLargeCLI)
	}
	return config.Current, config.Profiles, nil
}

// cliProfiles decodes no more than maxProfiles: a list of empty ones takes a
// hundred times the memory of its text.
type cliProfiles []cliProfile

// UnmarshalJSONFrom takes one profile after the other.
func (ps *cliProfiles) UnmarshalJSONFrom(in *jsontext.Decoder) error {
	if in.PeekKind() == 'n' {
		return in.SkipValue()
	}
	if token, err := in.ReadToken(); err != nil || token.Kind() != '[' {
		return cmp.Or(err, errNotList)
	}
	for in.PeekKind() != ']' {
		if len(*ps) == maxProfiles {
			return errTooLarge
		}
		var p cliProfile
		if err := json.UnmarshalDecode(in, &p); err != nil {
			return err
		}
		*ps = append(*ps, p)
	}
	_, err := in.ReadToken()
	return err
}

var errNotList = errors.New("it is not a list")

// openProfile returns how to fetch from a profile. A daemon must not run a
// command (External) or rewrite the file (OAuth), and a login of CloudSSO ends
// within a day. A profile that is not there or lacks a key may be half set up, so
// it is no refusal. Depth bounds how many profiles may build on each other.
func (c *Client) openProfile(all []cliProfile, name string, depth int) (fetch, error) {
	i := slices.IndexFunc(all, func(p cliProfile) bool { return p.Name == name })
	if i < 0 {
		return nil, &Error{Cause: causeBadProfile, kind: broken}
	}
	p := all[i]
	hasKey := p.AccessKeyID != (secret{}) && p.AccessKeySecret != (secret{})
	switch {
	case p.Mode == "AK" && hasKey:
		return staticAK(p.AccessKeyID, p.AccessKeySecret), nil
	case p.Mode == "StsToken" && hasKey && p.SecurityToken != (secret{}):
		return staticSTS(p.AccessKeyID, p.AccessKeySecret, p.SecurityToken), nil
	case p.Mode == "EcsRamRole":
		return c.ecsRole(p.RoleName, false, maxAttempts), nil
	case p.Mode == "RamRoleArn" && hasKey && p.RoleARN != "":
		return c.ramRole(NewStatic(p.AccessKeyID.reveal(), p.AccessKeySecret.reveal(), ""), p.role()), nil
	case p.Mode == "OIDC" && p.RoleARN != "" && p.OIDCProviderARN != "" && (p.OIDCTokenFile != "" || p.OIDCToken != (secret{})):
		return c.oidcRole(p.role()), nil
	case p.Mode == "ChainableRamRoleArn" && p.RoleARN != "":
		if depth == 1 {
			return nil, &Error{Cause: causeCircle, kind: refused}
		}
		source, err := c.openProfile(all, p.SourceProfile, depth-1)
		if err != nil {
			return nil, err
		}
		return c.ramRole(fetched{source}, p.role()), nil
	case slices.Contains([]string{"External", "OAuth", "CloudSSO"}, p.Mode):
		return nil, &Error{Cause: causeUnsafeProfile, kind: refused}
	case !slices.Contains([]string{"", "AK", "StsToken", "RamRoleArn", "OIDC", "ChainableRamRoleArn"}, p.Mode):
		return nil, &Error{Cause: causeUnknownMode, kind: broken}
	}
	return nil, &Error{Cause: causeBadProfile, kind: broken}
}

// fetched is the source of a role that a profile builds on. It is asked at
// every renewal of the role.
type fetched struct{ fetch fetch }

func (f fetched) Get(ctx context.Context) (Credentials, error) { return f.fetch(ctx) }
func (fetched) Reject(Credentials) bool                        { return false }
func (fetched) Usable() bool                                   { return false }
func (fetched) ExpiresAt() time.Time                           { return time.Time{} }

// iniProfile opens the profile in the credentials file that the SDKs share.
func (c *Client) iniProfile() (fetch, error) {
	content, err := readConfig("ALIBABA_CLOUD_CREDENTIALS_FILE", ".alibabacloud/credentials", maxCredentialsFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &Error{Cause: causeNotThere, kind: refused}
	case err != nil:
		return nil, unusable(err, causeLargeFile)
	case bytes.Count(content, []byte("\n")) > maxLines:
		return nil, &Error{Cause: causeLargeFile}
	}
	file, err := ini.Load(content)
	if err != nil || len(bytes.TrimSpace(content)) == 0 { // empty while somebody writes it
		return nil, &Error{Cause: causeBadConfig}
	}
	// A file that is half written may well be a valid one with fewer lines, or
	// without the profile.
	incomplete := &Error{Cause: causeBadProfile, kind: broken}
	section, err := file.GetSection(cmp.Or(os.Getenv("ALIBABA_CLOUD_PROFILE"), "default"))
	if err != nil {
		return nil, incomplete
	}
	// Value does not expand %(name)s. Expansion turns a file of 560 bytes
	// into 192 MiB, and two values that name each other overflow the stack,
	// which ends the process (measured with ini 1.67.3).
	key := func(name string) string { return section.Key(name).Value() }
	hasKey := key("access_key_id") != "" && key("access_key_secret") != ""
	switch kind := key("type"); {
	case kind == "access_key" && hasKey:
		return staticAK(hide(key("access_key_id")), hide(key("access_key_secret"))), nil
	case kind == "ecs_ram_role" && section.HasKey("role_name"):
		return c.ecsRole(key("role_name"), false, maxAttempts), nil
	case kind == "ram_role_arn" && hasKey && key("role_arn") != "" && key("role_session_name") != "":
		return c.ramRole(NewStatic(key("access_key_id"), key("access_key_secret"), ""), RoleOptions{
			RoleARN:     key("role_arn"),
			SessionName: key("role_session_name"),
			STSEndpoint: regionalSTS("", false),
			policy:      key("policy"),
		}), nil
	}
	return nil, incomplete
}

// readConfig returns the content of a file of profiles. It reports that there
// is none below a home that this user may not enter, such as one that systemd
// hides.
func readConfig(variable, name string, limit int64) ([]byte, error) {
	content, _, err := readRegular(configPath(variable, name), limit)
	pathErr, ok := errors.AsType[*fs.PathError](err)
	hidden := ok && pathErr.Op == "stat" && errors.Is(err, fs.ErrPermission) && os.Getenv(variable) == ""
	if hidden || errors.Is(err, syscall.ENOTDIR) {
		return nil, fs.ErrNotExist
	}
	return content, err
}

// unusable is the error of a file of profiles that is there and cannot be read,
// or is too large.
func unusable(err error, causeLarge string) *Error {
	if errors.Is(err, errTooLarge) {
		return &Error{Cause: causeLarge}
	}
	return &Error{Cause: causeBadConfig}
}

// configPath returns the file that an environment variable names, or one below
// the home.
func configPath(variable, name string) string {
	if path := os.Getenv(variable); path != "" {
		return path
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return name
	}
	return filepath.Join(home, filepath.FromSlash(name))
}
