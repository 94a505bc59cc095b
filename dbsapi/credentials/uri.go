package credentials

import (
	"context"
	"net/http"
	"net/url"
)

// URI takes credentials from a URL that answers with AccessKeyId,
// AccessKeySecret, SecurityToken and Expiration. The URL may be a secret and
// may change. Plain http is accepted for hosts of this machine, its link and the
// metadata service only, because the answer holds keys.
func (c *Client) URI(location Text) *Session { return NewSession(c.uri(location)) }

func (c *Client) uri(location Text) fetch {
	const operation = "read credentials URI"
	return func(ctx context.Context) (Credentials, error) {
		text, err := location.Read()
		if err != nil {
			return Credentials{}, err
		}
		u, err := url.Parse(text)
		switch {
		case err != nil, u.Host == "", u.Scheme != "http" && u.Scheme != "https":
			return Credentials{}, &Error{Operation: operation, Cause: "it must be an http or https URL"}
		case u.Scheme == "http" && !isLocal(u.Hostname()):
			return Credentials{}, &Error{Operation: operation, Cause: "plain http is accepted for local addresses only, use https"}
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
