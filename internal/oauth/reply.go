package oauth

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/jose"
)

// maxRetryAfter bounds the pause that a server may ask for.
const maxRetryAfter = time.Hour

// Reply is an HTTP answer, read and bounded.
type Reply struct {
	// Endpoint is the URL that was asked.
	Endpoint string
	// Status is the HTTP status; 0 when there was no answer.
	Status int
	Header http.Header
	// Body is the payload, decompressed, and without a byte order mark (RFC 8259 section 8.1 lets a reader ignore it).
	Body []byte
	// Over is set when the payload was longer than the limit; Body is then its beginning.
	Over bool

	encrypted bool // it came over TLS
}

// MediaType is that of the answer: see the function.
func (r Reply) MediaType() string { return MediaType(r.Header) }

// IsJSON reports whether the answer calls itself application/json.
func (r Reply) IsJSON() bool { return r.MediaType() == "application/json" }

// Refuse makes the error of a reply. It names the host, the status, a known OAuth error code and why, and quotes
// nothing else.
func (r Reply) Refuse(kind authz.Kind, why string) error {
	parts := []string{"status " + strconv.Itoa(r.Status)}
	if code := r.OAuthError(); code != "" {
		parts = append(parts, "error "+code)
	}
	if why != "" {
		parts = append(parts, why)
	}
	text := fmt.Sprintf("ask %q: %s", r.host(), strings.Join(parts, ", "))
	e := &authz.Error{Kind: kind, Err: &Failure{Status: r.Status, Code: r.OAuthError(), text: text}}
	if kind == authz.Unavailable {
		e.RetryAfter = RetryAfter(r.Header.Get("Retry-After"), time.Now())
	}
	return e
}

// Temporary reports whether the same request may succeed later: the server, or a gateway before it, did not get the
// request in time, limits the rate of requests, or failed (RFC 9110 sections 15.5.9 and 15.6, RFC 6585 section 4, RFC
// 8470 section 5.2).
func (r Reply) Temporary() bool {
	switch r.Status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return r.Status >= 500
}

// Unexpected is Refuse for a status without a document: Unavailable where a later request may get it, Misconfigured
// where the server says that it does not exist, or that the sidecar may not read it.
func (r Reply) Unexpected(why string) error {
	kind := authz.Misconfigured
	if r.Status < 300 || r.Temporary() {
		kind = authz.Unavailable
	}
	return r.Refuse(kind, why)
}

func (r Reply) host() string {
	u, err := url.Parse(r.Endpoint)
	if err != nil {
		return ""
	}
	return u.Host
}

// oauthErrors are the codes that a message may repeat. A server could echo a token in another one.
func oauthErrors() []string {
	return []string{
		"access_denied", "invalid_client", "invalid_dpop_proof", "invalid_grant", "invalid_request", "invalid_scope",
		"invalid_target", "invalid_token", "insufficient_scope", "missing_token", "request_unauthorized",
		"server_error",
		"temporarily_unavailable", "unauthorized_client", "unsupported_token_type",
	}
}

// OAuthError is the error code of a refusal (RFC 6749 section 5.2), or "" when there is none that is known.
func (r Reply) OAuthError() string {
	if r.Status < 400 || r.Over || !r.IsJSON() {
		return ""
	}
	body, _ := jose.ReadClaims(r.Body)
	code, _ := body.Text("error")
	if !slices.Contains(oauthErrors(), code) {
		return ""
	}
	return code
}

// RetryAfter reads a Retry-After field, seconds or a date (RFC 9110 section 10.2.3); 0 when it says nothing usable.
func RetryAfter(value string, now time.Time) time.Duration {
	var d time.Duration
	if n, err := strconv.ParseUint(value, 10, 63); err == nil {
		d = time.Duration(min(n, uint64(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), maxRetryAfter)
}
