package oauth

import (
	"bytes"
	"context"
	"net/http"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Call is one request to an API that a server offers beside its OAuth endpoints. It carries an access token and,
// unlike Post, no credentials of the client but its certificate, where the server asks for one.
type Call struct {
	Method, URL string
	Token       secret.Text
	// Body is JSON; nil sends none.
	Body []byte
	// MaxBytes bounds the answer, after decompression.
	MaxBytes int64
}

// Call sends c and reads the answer. See Post for the Reply and the error.
func (s *Server) Call(ctx context.Context, c Call) (r Reply, err error) {
	s.identity.use(ctx, func(i identity) outcome {
		r, err = s.exchange(ctx, i, c.MaxBytes, func() (*http.Request, error) { return c.request(ctx, s.cfg.Name) })
		if err != nil && i.certificate != nil {
			return outcomeOfTLS(err)
		}
		return unknown // the token is not one of the credentials that rotate here
	})
	return r, s.describe(r, err)
}

func (c Call) request(ctx context.Context, issuer string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, c.Method, c.URL, bytes.NewReader(c.Body))
	if err != nil {
		return nil, authz.Errorf(authz.Misconfigured, "call issuer %q: a URL cannot be used", issuer)
	}
	req.Header.Set("Authorization", "Bearer "+c.Token.Reveal())
	req.Header.Set("Accept", "application/json")
	if c.Body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// CheckURL is why a URL that the server named must not be used, or nil: it is not https, or its host is neither the
// issuer's nor in endpoint_hosts. what names the URL in the error, which is an *authz.Error.
func (s *Server) CheckURL(what, url string) error {
	return s.discovery.checkURL(what, url)
}
