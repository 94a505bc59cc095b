package config

import (
	"cmp"
	"errors"
	"strings"
	"time"

	promconfig "github.com/prometheus/common/config"
	"go.yaml.in/yaml/v4"

	"aliyun_dbs_exporter/dbsapi/credentials"
)

// CredentialsBlock says where credentials come from. Values are comparable
// with ==. The zero value is the default chain.
type CredentialsBlock struct {
	// Settings are the keys of the block. Which keys there are depends on the
	// type of the credentials.
	Settings CredentialsSettings
}

// CredentialsSettings are the keys of one type of credentials.
type CredentialsSettings interface {
	typeName() string
	// inDirectory returns the settings with relative paths in a directory.
	inDirectory(dir string) CredentialsSettings
	validate(f *file, path string) error
	provider(*credentials.Client) credentials.Provider
}

// Credentials returns a new provider of the target's credentials, whose requests
// the client sends. It fetches nothing until it is asked for some.
func (t *Target) Credentials(client *credentials.Client) credentials.Provider {
	return t.CredentialsBlock.provider(client)
}

// CredentialsType returns the type of the target's credentials, such as
// access_key.
func (t *Target) CredentialsType() string { return t.CredentialsBlock.settings().typeName() }

func defaultCredentials() CredentialsBlock {
	return CredentialsBlock{Settings: defaultChain{typed{"default"}}}
}

func (b CredentialsBlock) settings() CredentialsSettings {
	if b.Settings == nil {
		return defaultCredentials().Settings
	}
	return b.Settings
}

// IsZero reports whether the file has no such block.
func (b CredentialsBlock) IsZero() bool { return b.Settings == nil }

func (b CredentialsBlock) inDirectory(dir string) CredentialsBlock {
	if b.Settings == nil {
		return b
	}
	return CredentialsBlock{Settings: b.Settings.inDirectory(dir)}
}

func (b CredentialsBlock) validate(f *file, path string) error { return b.settings().validate(f, path) }

func (b CredentialsBlock) provider(client *credentials.Client) credentials.Provider {
	return b.settings().provider(client)
}

// MarshalYAML writes the keys of the block.
func (b CredentialsBlock) MarshalYAML() (any, error) { return b.Settings, nil }

// UnmarshalYAML reads a credentials block. Its type decides which keys it may
// have.
func (b *CredentialsBlock) UnmarshalYAML(node *yaml.Node) error {
	var err error
	switch name, at := typeOf(node); name {
	case "default":
		b.Settings, err = loadSettings(node, defaultChain{typed{"default"}}, "type (default); other types have more")
	case "access_key":
		b.Settings, err = loadSettings(node, accessKey{}, "type (access_key), "+
			"access_key_id, access_key_id_file, access_key_secret, access_key_secret_file")
	case "sts":
		b.Settings, err = loadSettings(node, sts{}, "type (sts), access_key_id, access_key_id_file, "+
			"access_key_secret, access_key_secret_file, security_token, security_token_file")
	case "ram_role_arn":
		b.Settings, err = loadSettings(node, ramRoleARN{}, "type (ram_role_arn), "+
			"role_arn, role_session_name, external_id, session_duration, sts_endpoint, source")
	case "ecs_ram_role":
		b.Settings, err = loadSettings(node, ecsRAMRole{}, "type (ecs_ram_role), role_name, disable_imds_v1")
	case "oidc_role_arn":
		b.Settings, err = loadSettings(node, oidcRoleARN{}, "type (oidc_role_arn), "+
			"role_arn, oidc_provider_arn, oidc_token_file, role_session_name, session_duration, sts_endpoint")
	case "credentials_uri":
		b.Settings, err = loadSettings(node, credentialsURI{}, "type (credentials_uri), url, url_file")
	default:
		err = &mistake{at: at, problem: "must be default, access_key, sts, ram_role_arn, ecs_ram_role, oidc_role_arn " +
			"or credentials_uri"}
	}
	return err
}

// typeOf returns the value of the key type and its position, or default if
// there is none.
func typeOf(node *yaml.Node) (string, position) {
	for i := 0; i+1 < len(node.Content); i += 2 {
		value := node.Content[i+1]
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		if node.Content[i].Value == "type" && value.Kind == yaml.ScalarNode && !isNull(value) {
			return value.Value, position{value.Line, value.Column}
		}
	}
	return "default", position{}
}

func loadSettings[T CredentialsSettings](node *yaml.Node, settings T, keys string) (CredentialsSettings, error) {
	err := load(node, &settings, keys)
	return settings, err
}

// typed has the key of all credentials blocks.
type typed struct {
	Type string `yaml:"type"`
}

func (t typed) typeName() string { return t.Type }

// defaultChain is the chain of environment, OIDC, CLI profile, credentials
// file, ECS metadata and credentials URI.
type defaultChain struct {
	typed `yaml:",inline"`
}

func (c defaultChain) inDirectory(string) CredentialsSettings { return c }

func (defaultChain) validate(*file, string) error { return nil }

func (defaultChain) provider(client *credentials.Client) credentials.Provider { return client.Default() }

// accessKey is an access key.
type accessKey struct {
	typed               `yaml:",inline"`
	AccessKeyID         Secret `yaml:"access_key_id,omitempty"`
	AccessKeyIDFile     string `yaml:"access_key_id_file,omitempty"`
	AccessKeySecret     Secret `yaml:"access_key_secret,omitempty"`
	AccessKeySecretFile string `yaml:"access_key_secret_file,omitempty"`
}

func (k accessKey) inDirectory(dir string) CredentialsSettings {
	k.AccessKeyIDFile = promconfig.JoinDir(dir, k.AccessKeyIDFile)
	k.AccessKeySecretFile = promconfig.JoinDir(dir, k.AccessKeySecretFile)
	return k
}

func (k accessKey) validate(f *file, path string) error {
	return cmp.Or(
		f.needsSecret(path, "access_key_id", k.Type, k.AccessKeyID, k.AccessKeyIDFile),
		f.needsSecret(path, "access_key_secret", k.Type, k.AccessKeySecret, k.AccessKeySecretFile),
	)
}

func (k accessKey) provider(*credentials.Client) credentials.Provider {
	return credentials.NewKeys(
		text(k.AccessKeyID, k.AccessKeyIDFile),
		text(k.AccessKeySecret, k.AccessKeySecretFile),
		credentials.Text{},
	)
}

// sts is a session that something else renews.
type sts struct {
	typed               `yaml:",inline"`
	AccessKeyID         Secret `yaml:"access_key_id,omitempty"`
	AccessKeyIDFile     string `yaml:"access_key_id_file,omitempty"`
	AccessKeySecret     Secret `yaml:"access_key_secret,omitempty"`
	AccessKeySecretFile string `yaml:"access_key_secret_file,omitempty"`
	SecurityToken       Secret `yaml:"security_token,omitempty"`
	SecurityTokenFile   string `yaml:"security_token_file,omitempty"`
}

func (s sts) inDirectory(dir string) CredentialsSettings {
	s.AccessKeyIDFile = promconfig.JoinDir(dir, s.AccessKeyIDFile)
	s.AccessKeySecretFile = promconfig.JoinDir(dir, s.AccessKeySecretFile)
	s.SecurityTokenFile = promconfig.JoinDir(dir, s.SecurityTokenFile)
	return s
}

func (s sts) validate(f *file, path string) error {
	return cmp.Or(
		f.needsSecret(path, "access_key_id", s.Type, s.AccessKeyID, s.AccessKeyIDFile),
		f.needsSecret(path, "access_key_secret", s.Type, s.AccessKeySecret, s.AccessKeySecretFile),
		f.needsSecret(path, "security_token", s.Type, s.SecurityToken, s.SecurityTokenFile),
	)
}

func (s sts) provider(*credentials.Client) credentials.Provider {
	return credentials.NewKeys(
		text(s.AccessKeyID, s.AccessKeyIDFile),
		text(s.AccessKeySecret, s.AccessKeySecretFile),
		text(s.SecurityToken, s.SecurityTokenFile),
	)
}

// ramRoleARN is a RAM role, assumed with other credentials.
type ramRoleARN struct {
	typed           `yaml:",inline"`
	RoleARN         string           `yaml:"role_arn"`
	RoleSessionName string           `yaml:"role_session_name,omitempty"`
	ExternalID      string           `yaml:"external_id,omitempty"`
	SessionDuration Duration         `yaml:"session_duration,omitempty"`
	STSEndpoint     string           `yaml:"sts_endpoint,omitempty"`
	Source          CredentialsBlock `yaml:"source,omitempty"`
}

func (r ramRoleARN) inDirectory(dir string) CredentialsSettings {
	r.Source = r.Source.inDirectory(dir)
	return r
}

func (r ramRoleARN) validate(f *file, path string) error {
	return cmp.Or(
		f.needs(path, "role_arn", r.Type, r.RoleARN),
		f.validateSession(path, r.SessionDuration, r.STSEndpoint),
		r.Source.validate(f, path+".source"),
	)
}

func (r ramRoleARN) provider(client *credentials.Client) credentials.Provider {
	return client.RAMRole(r.Source.provider(client), credentials.RoleOptions{
		RoleARN:         r.RoleARN,
		SessionName:     r.RoleSessionName,
		ExternalID:      r.ExternalID,
		SessionDuration: time.Duration(r.SessionDuration),
		STSEndpoint:     r.STSEndpoint,
	})
}

// ecsRAMRole is the RAM role of the ECS instance.
type ecsRAMRole struct {
	typed         `yaml:",inline"`
	RoleName      string `yaml:"role_name,omitempty"`
	DisableIMDSv1 bool   `yaml:"disable_imds_v1,omitempty"`
}

func (r ecsRAMRole) inDirectory(string) CredentialsSettings { return r }

func (ecsRAMRole) validate(*file, string) error { return nil }

func (r ecsRAMRole) provider(client *credentials.Client) credentials.Provider {
	return client.ECSRole(r.RoleName, r.DisableIMDSv1)
}

// oidcRoleARN is a RAM role, assumed with an OIDC token.
type oidcRoleARN struct {
	typed           `yaml:",inline"`
	RoleARN         string   `yaml:"role_arn"`
	OIDCProviderARN string   `yaml:"oidc_provider_arn"`
	OIDCTokenFile   string   `yaml:"oidc_token_file"`
	RoleSessionName string   `yaml:"role_session_name,omitempty"`
	SessionDuration Duration `yaml:"session_duration,omitempty"`
	STSEndpoint     string   `yaml:"sts_endpoint,omitempty"`
}

func (r oidcRoleARN) inDirectory(dir string) CredentialsSettings {
	r.OIDCTokenFile = promconfig.JoinDir(dir, r.OIDCTokenFile)
	return r
}

func (r oidcRoleARN) validate(f *file, path string) error {
	return cmp.Or(
		f.needs(path, "role_arn", r.Type, r.RoleARN),
		f.needs(path, "oidc_provider_arn", r.Type, r.OIDCProviderARN),
		f.needs(path, "oidc_token_file", r.Type, r.OIDCTokenFile),
		f.validateSecretFile(path+".oidc_token_file", r.OIDCTokenFile),
		f.validateSession(path, r.SessionDuration, r.STSEndpoint),
	)
}

func (r oidcRoleARN) provider(client *credentials.Client) credentials.Provider {
	return client.OIDCRole(credentials.RoleOptions{
		RoleARN:         r.RoleARN,
		OIDCProviderARN: r.OIDCProviderARN,
		OIDCTokenFile:   r.OIDCTokenFile,
		SessionName:     r.RoleSessionName,
		SessionDuration: time.Duration(r.SessionDuration),
		STSEndpoint:     r.STSEndpoint,
	})
}

// credentialsURI is a URL that answers with a session.
type credentialsURI struct {
	typed   `yaml:",inline"`
	URL     Secret `yaml:"url,omitempty"`
	URLFile string `yaml:"url_file,omitempty"`
}

func (u credentialsURI) inDirectory(dir string) CredentialsSettings {
	u.URLFile = promconfig.JoinDir(dir, u.URLFile)
	return u
}

func (u credentialsURI) validate(f *file, path string) error {
	return f.needsSecret(path, "url", u.Type, u.URL, u.URLFile)
}

func (u credentialsURI) provider(client *credentials.Client) credentials.Provider {
	return client.URI(text(u.URL, u.URLFile))
}

// text returns a secret, either given or from a file that is read each time.
func text(value Secret, file string) credentials.Text {
	if file != "" {
		return credentials.File(file)
	}
	return credentials.Given(string(value))
}

// needs makes sure that a key has a value.
func (f *file) needs(path, key, typ, value string) error {
	if value == "" {
		return f.errorAt(path+"."+key, "must be set for type "+typ)
	}
	return nil
}

// needsSecret makes sure that a secret is given in one of two ways: as the
// value of its key, or as the path of a file.
func (f *file) needsSecret(path, key, typ string, value Secret, file string) error {
	switch {
	case value == "" && file == "":
		return f.errorAt(path+"."+key, "must be set for type "+typ+", or "+key+"_file")
	case value != "" && file != "":
		return f.errorAt(path+"."+key, "must not be set together with "+key+"_file; remove one of the two")
	}
	if value != "" {
		if _, err := credentials.Given(string(value)).Read(); err != nil {
			return f.errorAt(path+"."+key, "must be one secret: "+reasonOf(err))
		}
	}
	return f.validateSecretFile(path+"."+key+"_file", file)
}

// validateSecretFile makes sure that a file can be read. The error does not
// repeat the path, which is a secret if a key was mistaken for its _file twin.
func (f *file) validateSecretFile(path, file string) error {
	if file == "" {
		return nil
	}
	_, err := credentials.File(file).Read()
	if err == nil {
		return nil
	}
	return f.errorAt(path, "must be the path of a file with one secret: "+reasonOf(err))
}

// reasonOf returns why a secret cannot be used, without its value or its path.
func reasonOf(err error) string {
	if fileErr, ok := errors.AsType[*credentials.Error](err); ok {
		return fileErr.Class
	}
	return "it cannot be read"
}

// STS accepts sessions from 15 minutes to the maximum that the role sets, which
// is at most 12 hours (AssumeRole, API page).
const (
	minSessionDuration = Duration(15 * time.Minute)
	maxSessionDuration = Duration(12 * time.Hour)
)

func (f *file) validateSession(path string, duration Duration, endpoint string) error {
	switch {
	case f.has(path+".session_duration") && (duration < minSessionDuration || duration > maxSessionDuration):
		return f.errorAt(path+".session_duration", "must be 15m to 12h")
	case strings.Contains(endpoint, "/"):
		return f.errorAt(path+".sts_endpoint", "must be a host or host:port, without scheme or path")
	}
	return nil
}
