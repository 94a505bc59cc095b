package credentials

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"
)

const (
	metadataHost = "100.100.100.200"
	metadataURL  = "http://" + metadataHost + "/latest/"
	// metadataTimeout bounds one request to the metadata service, which is
	// on the same host. Outside of ECS nothing answers. In a container, the
	// answer with the token may be lost at its second hop.
	metadataTimeout = 2 * time.Second
)

// rolePattern is what the name of a RAM role may be (CreateRole, RAM
// documentation).
var rolePattern = regexp.MustCompile(`^[A-Za-z0-9._@-]{1,64}$`)

// ECSRole takes the credentials of this ECS instance's RAM role from its
// metadata service. An empty role name means the role that the service names.
// With disableIMDSv1, requests without a token are not made.
func (c *Client) ECSRole(roleName string, disableIMDSv1 bool) *Session {
	return NewSession(c.ecsRole(roleName, disableIMDSv1, maxAttempts))
}

func (c *Client) ecsRole(roleName string, disableIMDSv1 bool, n int) fetch {
	const operation = "read ECS role"
	return func(ctx context.Context) (Credentials, error) {
		if isTrue("ALIBABA_CLOUD_ECS_METADATA_DISABLED") {
			return Credentials{}, &Error{Operation: operation, Cause: "ALIBABA_CLOUD_ECS_METADATA_DISABLED is true"}
		}
		name := roleName
		if name == "" {
			name = os.Getenv("ALIBABA_CLOUD_ECS_METADATA")
		}
		tokenOnly := disableIMDSv1 || isTrue("ALIBABA_CLOUD_IMDSV1_DISABLED")
		cred, err := attempts(ctx, n, func(ctx context.Context) (Credentials, error) {
			return c.askMetadata(ctx, name, tokenOnly)
		})
		if err != nil {
			return Credentials{}, failed(operation, metadataHost, err)
		}
		return cred, nil
	}
}

// askMetadata reads a role's keys, with a token if the service gives one.
func (c *Client) askMetadata(ctx context.Context, role string, tokenOnly bool) (Credentials, error) {
	token, err := c.metadata(ctx, http.MethodPut, "api/token", http.Header{"X-Aliyun-Ecs-Metadata-Token-Ttl-Seconds": {"60"}})
	token = strings.TrimSpace(token)
	if err == nil && (token == "" || !hide(token).isKey()) {
		err = &Error{Cause: causeUnreadable, kind: broken}
	}
	header := http.Header{}
	switch {
	case err == nil:
		header.Set("X-Aliyun-Ecs-Metadata-Token", token)
	case tokenOnly:
		return Credentials{}, err
	}
	cred, failure := c.askKeys(ctx, role, header)
	if kindOf(err) != silent {
		failure = answered(failure)
	}
	return cred, failure
}

// answered returns the failure of a service that has answered before: it is not
// silent.
func answered(err error) error {
	known, ok := errors.AsType[*Error](err)
	if !ok || known.kind != silent {
		return err
	}
	e := *known
	e.kind = passing
	return &e
}

// askKeys reads the keys of a role, or of the one that the service names.
func (c *Client) askKeys(ctx context.Context, role string, header http.Header) (cred Credentials, err error) {
	const folder = "meta-data/ram/security-credentials/"
	named := role == ""
	if named {
		if role, err = c.metadata(ctx, http.MethodGet, folder, header); err != nil {
			return Credentials{}, err
		}
		if role = strings.TrimSpace(role); !rolePattern.MatchString(role) {
			return Credentials{}, &Error{Cause: "the answer is no name of a role", kind: broken}
		}
	}
	body, err := c.metadata(ctx, http.MethodGet, folder+url.PathEscape(role), header)
	switch {
	case err != nil && named:
		return Credentials{}, answered(err)
	case err != nil:
		return Credentials{}, err
	}
	return parseInstanceKeys(http.StatusOK, []byte(body))
}

// metadata returns the text of a good answer.
func (c *Client) metadata(ctx context.Context, method, path string, header http.Header) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, metadataTimeout)
	defer cancel()
	req, err := newRequest(ctx, method, metadataURL+path, nil)
	if err != nil {
		return "", err
	}
	maps.Copy(req.Header, header)
	status, body, err := c.send(req)
	switch {
	case err == nil && status == http.StatusNotFound: // the instance has no role, or not this one
		err = &Error{Cause: "refused", HTTPStatus: status, kind: refused}
	case err == nil:
		err = checkStatus(status, body)
	}
	return string(body), err
}

// isTrue reports whether an environment variable switches something on.
func isTrue(name string) bool { return strings.EqualFold(os.Getenv(name), "true") }
