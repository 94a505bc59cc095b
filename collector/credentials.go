package collector

import (
	"fmt"
	"slices"
	"strings"
	"time"

	promconfig "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"

	"aliyun_dbs_exporter/dbsapi/credentials"
)

// CredentialsType says where credentials come from.
type CredentialsType string

// The types of a credentials block.
const (
	// CredentialsDefault is the chain of environment, OIDC, CLI profile, credentials file, ECS metadata and URI.
	CredentialsDefault CredentialsType = "default"
	// CredentialsAccessKey is an access key.
	CredentialsAccessKey CredentialsType = "access_key"
	// CredentialsSTS is a session token that something else keeps fresh.
	CredentialsSTS CredentialsType = "sts"
	// CredentialsRAMRole is a RAM role, assumed from another credentials block.
	CredentialsRAMRole CredentialsType = "ram_role_arn"
	// CredentialsECSRole is the RAM role of the ECS instance.
	CredentialsECSRole CredentialsType = "ecs_ram_role"
	// CredentialsOIDCRole is a RAM role, assumed with an OIDC token.
	CredentialsOIDCRole CredentialsType = "oidc_role_arn"
	// CredentialsURI is a URL that gives session tokens.
	CredentialsURI CredentialsType = "credentials_uri"
)

// CredentialsConfig is a credentials block. Which keys it may have depends on its type.
type CredentialsConfig struct {
	Type CredentialsType `yaml:"type"`

	AccessKeyID         promconfig.Secret `yaml:"access_key_id,omitempty"`
	AccessKeyIDFile     string            `yaml:"access_key_id_file,omitempty"`
	AccessKeySecret     promconfig.Secret `yaml:"access_key_secret,omitempty"`
	AccessKeySecretFile string            `yaml:"access_key_secret_file,omitempty"`
	SecurityToken       promconfig.Secret `yaml:"security_token,omitempty"`
	SecurityTokenFile   string            `yaml:"security_token_file,omitempty"`

	RoleARN         string             `yaml:"role_arn,omitempty"`
	RoleSessionName string             `yaml:"role_session_name,omitempty"`
	ExternalID      string             `yaml:"external_id,omitempty"`
	SessionDuration model.Duration     `yaml:"session_duration,omitempty"`
	STSEndpoint     string             `yaml:"sts_endpoint,omitempty"`
	Source          *CredentialsConfig `yaml:"source,omitempty"`

	RoleName      string `yaml:"role_name,omitempty"`
	DisableIMDSv1 bool   `yaml:"disable_imds_v1,omitempty"`

	OIDCProviderARN string `yaml:"oidc_provider_arn,omitempty"`
	OIDCTokenFile   string `yaml:"oidc_token_file,omitempty"`

	URL     promconfig.Secret `yaml:"url,omitempty"`
	URLFile string            `yaml:"url_file,omitempty"`
}

func (c *CredentialsConfig) setDefaults() { c.Type = CredentialsDefault }

func (c *CredentialsConfig) resolvePaths(dir string) {
	for _, path := range []*string{&c.AccessKeyIDFile, &c.AccessKeySecretFile, &c.SecurityTokenFile, &c.OIDCTokenFile, &c.URLFile} {
		*path = promconfig.JoinDir(dir, *path)
	}
	if c.Source != nil {
		c.Source.resolvePaths(dir)
	}
}

// credentialKeys are the keys of a type. A required key may be given as <key>_file instead if it is a secret.
type credentialKeys struct{ required, optional []string }

var credentialTypes = map[CredentialsType]credentialKeys{
	CredentialsDefault:   {},
	CredentialsAccessKey: {required: []string{"access_key_id", "access_key_secret"}},
	CredentialsSTS:       {required: []string{"access_key_id", "access_key_secret", "security_token"}},
	CredentialsRAMRole: {
		required: []string{"role_arn"},
		optional: []string{"role_session_name", "external_id", "session_duration", "sts_endpoint", "source"},
	},
	CredentialsECSRole: {optional: []string{"role_name", "disable_imds_v1"}},
	CredentialsOIDCRole: {
		required: []string{"role_arn", "oidc_provider_arn", "oidc_token_file"},
		optional: []string{"role_session_name", "session_duration", "sts_endpoint"},
	},
	CredentialsURI: {required: []string{"url"}},
}

// secretKeys may be given as <key>_file.
var secretKeys = []string{"access_key_id", "access_key_secret", "security_token", "url"}

// allCredentialKeys are the keys of a credentials block but type.
var allCredentialKeys = []string{
	"access_key_id", "access_key_id_file", "access_key_secret", "access_key_secret_file", "security_token", "security_token_file",
	"role_arn", "role_session_name", "external_id", "session_duration", "sts_endpoint", "source", "role_name", "disable_imds_v1",
	"oidc_provider_arn", "oidc_token_file", "url", "url_file",
}

// STS accepts sessions from 15 minutes to the role's maximum, which is 12 hours at the most (AssumeRole, API page).
const (
	minSessionDuration = model.Duration(15 * time.Minute)
	maxSessionDuration = model.Duration(12 * time.Hour)
)

// checkCredentials makes sure that a block has the keys of its type and no others.
func (d *document) checkCredentials(key string, c *CredentialsConfig) error {
	keys, known := credentialTypes[c.Type]
	if !known {
		return d.fail(key+".type", "want default, access_key, sts, ram_role_arn, ecs_ram_role, oidc_role_arn or credentials_uri")
	}
	for _, name := range allCredentialKeys {
		secret := strings.TrimSuffix(name, "_file")
		belongs := slices.Contains(keys.required, name) || slices.Contains(keys.optional, name) ||
			slices.Contains(secretKeys, secret) && slices.Contains(keys.required, secret)
		if d.has(key+"."+name) && !belongs {
			return d.fail(key+"."+name, "does not belong to type "+string(c.Type))
		}
	}
	for _, name := range keys.required {
		if err := d.checkRequired(key, name, c); err != nil {
			return err
		}
	}
	if c.SessionDuration != 0 && (c.SessionDuration < minSessionDuration || c.SessionDuration > maxSessionDuration) {
		return d.fail(key+".session_duration", "want 15m to 12h")
	}
	if strings.Contains(c.STSEndpoint, "/") {
		return d.fail(key+".sts_endpoint", "want a host or host:port, without scheme or path")
	}
	if c.Source != nil {
		return d.checkCredentials(key+".source", c.Source)
	}
	return nil
}

// checkRequired makes sure that a key is there, for a secret in one of its two ways, and that files can be read.
func (d *document) checkRequired(key, name string, c *CredentialsConfig) error {
	value, file := c.required(name)
	switch {
	case value == "" && file == "" && slices.Contains(secretKeys, name):
		return d.fail(key+"."+name, fmt.Sprintf("type %s needs it, or %s_file", c.Type, name))
	case value == "" && file == "":
		return d.fail(key+"."+name, fmt.Sprintf("type %s needs it", c.Type))
	case value != "" && file != "" && name != "oidc_token_file":
		return d.fail(key+"."+name, "is given twice, here and as "+name+"_file")
	case file != "":
		if _, err := credentials.File(file)(); err != nil {
			return d.fail(key+"."+strings.TrimSuffix(name, "_file")+"_file", err.Error())
		}
	}
	return nil
}

// required returns the value of a required key, and the file that may hold it.
func (c *CredentialsConfig) required(name string) (value, file string) {
	switch name {
	case "access_key_id":
		return string(c.AccessKeyID), c.AccessKeyIDFile
	case "access_key_secret":
		return string(c.AccessKeySecret), c.AccessKeySecretFile
	case "security_token":
		return string(c.SecurityToken), c.SecurityTokenFile
	case "url":
		return string(c.URL), c.URLFile
	case "role_arn":
		return c.RoleARN, ""
	case "oidc_provider_arn":
		return c.OIDCProviderARN, ""
	default: // oidc_token_file
		return "", c.OIDCTokenFile
	}
}

// provider returns the credentials that a checked block describes. Nothing is fetched yet.
func (c *CredentialsConfig) provider() credentials.Provider {
	role := credentials.RoleOptions{
		RoleARN:         c.RoleARN,
		SessionName:     c.RoleSessionName,
		SessionDuration: time.Duration(c.SessionDuration),
		STSEndpoint:     c.STSEndpoint,
		ExternalID:      c.ExternalID,
		OIDCProviderARN: c.OIDCProviderARN,
		OIDCTokenFile:   c.OIDCTokenFile,
	}
	switch c.Type {
	case CredentialsAccessKey, CredentialsSTS:
		return credentials.NewKeys(c.text("access_key_id"), c.text("access_key_secret"), c.text("security_token"))
	case CredentialsRAMRole:
		source := credentials.Provider(credentials.Default())
		if c.Source != nil {
			source = c.Source.provider()
		}
		return credentials.RAMRole(source, role)
	case CredentialsECSRole:
		return credentials.ECSRole(c.RoleName, c.DisableIMDSv1)
	case CredentialsOIDCRole:
		return credentials.OIDCRole(role)
	case CredentialsURI:
		return credentials.URI(c.text("url"))
	default:
		return credentials.Default()
	}
}

// text returns a secret, from wherever it is given.
func (c *CredentialsConfig) text(name string) credentials.Text {
	value, file := c.required(name)
	if file != "" {
		return credentials.File(file)
	}
	return credentials.Given(value)
}
