package authserver

import (
	"bytes"
	"context"
	"net/http"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Call is one request to an API that a server offers beside its OAuth endpoints. It carries an access token, and none of
// the credentials that Post uses.
type Call struct {
	Method, URL string
	Token       secret.Text
	// Body is JSON; nil sends none.
	Body []byte
	// MaxBytes bounds the answer, after decompression.
	MaxBytes int64
}

// Call sends c and reads the answer. See Post for the Reply and the error.
func (s *Server) Call(ctx context.Context, c Call) (Reply, error) {
	req, err := http.NewRequestWithContext(ctx, c.Method, c.URL, bytes.NewReader(c.Body))
	if err != nil {
		return Reply{Endpoint: c.URL}, authz.E(authz.Misconfigured, "call issuer %q: a URL cannot be used", s.cfg.Name)
	}
	req.Header.Set("Authorization", "Bearer "+c.Token.Reveal())
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", userAgent)
	if c.Body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return roundTrip(s.http, req, c.MaxBytes)
}

// Permit is why a URL that the server named must not be used, or nil: it is not https, or on a host that is neither the
// issuer's nor in endpoint_hosts. what names the URL in the error, which is an *authz.Error.
func (s *Server) Permit(what, url string) error {
	return s.discovery.faultOfEndpoint(Endpoint(what), url)
}
