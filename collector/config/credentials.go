package config

import (
	"cmp"
	"errors"
	"time"

	promconfig "github.com/prometheus/common/config"

	"aliyun_dbs_exporter/dbsapi/credentials"
)

// defaultChain is the chain of environment, OIDC, CLI profile, credentials
// file, ECS metadata and credentials URI.
type defaultChain struct {
	typed `yaml:",inline"`
}

func (c defaultChain) inDirectory(string) CredentialsSettings { return c }

func (defaultChain) validate(*file, string) error { return nil }

func (defaultChain) provider(client *credentials.Client) credentials.Provider {
	return client.Default()
}

// keyPair has the keys that an access key and a session share. It is flat in the
// file.
type keyPair struct {
	AccessKeyID         Secret `yaml:"access_key_id,omitempty"`
	AccessKeyIDFile     string `yaml:"access_key_id_file,omitempty"`
	AccessKeySecret     Secret `yaml:"access_key_secret,omitempty"`
	AccessKeySecretFile string `yaml:"access_key_secret_file,omitempty"`
}

func (k *keyPair) setDirectory(dir string) {
	k.AccessKeyIDFile = promconfig.JoinDir(dir, k.AccessKeyIDFile)
	k.AccessKeySecretFile = promconfig.JoinDir(dir, k.AccessKeySecretFile)
}

func (k *keyPair) validatePair(f *file, path, typ string) error {
	return cmp.Or(
		f.needsSecret(path, "access_key_id", typ, k.AccessKeyID, k.AccessKeyIDFile),
		f.needsSecret(path, "access_key_secret", typ, k.AccessKeySecret, k.AccessKeySecretFile),
	)
}

func (k *keyPair) keys(securityToken credentials.Text) credentials.Provider {
	return credentials.NewKeys(text(k.AccessKeyID, k.AccessKeyIDFile), text(k.AccessKeySecret, k.AccessKeySecretFile), securityToken)
}

// accessKey is an access key.
type accessKey struct {
	typed   `yaml:",inline"`
	keyPair `yaml:",inline"`
}

func (k accessKey) inDirectory(dir string) CredentialsSettings {
	k.setDirectory(dir)
	return k
}

func (k accessKey) validate(f *file, path string) error { return k.validatePair(f, path, k.Type) }

func (k accessKey) provider(*credentials.Client) credentials.Provider {
	return k.keys(credentials.Text{})
}

// sts is a session that something else renews.
type sts struct {
	typed             `yaml:",inline"`
	keyPair           `yaml:",inline"`
	SecurityToken     Secret `yaml:"security_token,omitempty"`
	SecurityTokenFile string `yaml:"security_token_file,omitempty"`
}

func (s sts) inDirectory(dir string) CredentialsSettings {
	s.setDirectory(dir)
	s.SecurityTokenFile = promconfig.JoinDir(dir, s.SecurityTokenFile)
	return s
}

func (s sts) validate(f *file, path string) error {
	return cmp.Or(
		s.validatePair(f, path, s.Type),
		f.needsSecret(path, "security_token", s.Type, s.SecurityToken, s.SecurityTokenFile),
	)
}

func (s sts) provider(*credentials.Client) credentials.Provider {
	return s.keys(text(s.SecurityToken, s.SecurityTokenFile))
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

// checkSecret returns why a secret cannot be used, without the secret or its path.
func checkSecret(secret credentials.Text) error {
	_, err := secret.Read()
	if err == nil {
		return nil
	}
	if fileErr, ok := errors.AsType[*credentials.Error](err); ok {
		return problem(fileErr.Cause)
	}
	return problem("it cannot be read")
}
