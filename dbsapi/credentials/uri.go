package credentials

import (
	"context"
	"net/http"
	"net/url"
)

// URI takes credentials from a URL that answers with AccessKeyId,
// AccessKeySecret, SecurityToken and Expiration. The URL may be a secret and
// may change.
func (c *Client) URI(location Text) *Session { return NewSession(c.uri(location)) }

func (c *Client) uri(location Text) fetch {
	const operation = "read credentials URI"
	return func(ctx context.Context) (Credentials, error) {
		text, err := location.Read()
		if err != nil {
			return Credentials{}, err
		}
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return Credentials{}, &Error{Operation: operation, Cause: "it must be an http or https URL"}
		}
		cred, err := attempts(ctx, maxAttempts, func(ctx context.Context) (Credentials, error) {
			req, err := newRequest(ctx, http.MethodGet, text, nil)
			if err != nil {
				return Credentials{}, err
			}
			status, body, err := c.send(req)
			if err != nil {
				return Credentials{}, err
			}
			return parseKeys(status, body)
		})
		if err != nil {
			return Credentials{}, failed(operation, u.Host, err)
		}
		return cred, nil
	}
}
