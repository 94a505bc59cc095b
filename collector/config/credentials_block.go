package config

import (
	"strings"
	"time"

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
		if err := checkSecret(credentials.Given(string(value))); err != nil {
			return f.errorAt(path+"."+key, "must be one secret: "+err.Error())
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
	if err := checkSecret(credentials.File(file)); err != nil {
		return f.errorAt(path, "must be the path of a file with one secret: "+err.Error())
	}
	return nil
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
