package introspect

import (
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// maxRetryAfter bounds what a server may ask us to wait, and to pass on.
const maxRetryAfter = time.Hour

// interpret turns a reply into a fact, or into an error that says whose fault it is: INT-6 to INT-9, INT-8b.
func (c *client) interpret(r reply, tok secret.Text, fetched time.Time) (fact, error) {
	switch {
	case r.status == http.StatusOK:
		return c.interpretOK(r, tok, fetched)
	case r.status == http.StatusTooManyRequests || r.status >= 500:
		return fact{}, r.refuse(authz.Unavailable, "")
	case r.status == http.StatusBadRequest && r.oauthError() == "unsupported_token_type":
		f := inactive("is of a type that the authorization server does not introspect", fetched)
		f.keep = keepInactive
		return f, nil
	case r.status >= 300 && r.status < 400:
		return fact{}, r.refuse(authz.Misconfigured, "redirects are not followed")
	case r.status >= 400:
		return fact{}, r.refuse(authz.Misconfigured, "it refuses our credentials or our request")
	}
	return fact{}, r.refuse(authz.Unavailable, "this is no answer of an introspection endpoint")
}

func (c *client) interpretOK(r reply, tok secret.Text, fetched time.Time) (fact, error) {
	switch {
	case r.over:
		return fact{}, r.refuse(authz.Unavailable, fmt.Sprintf("the answer is over %d bytes", len(r.body)))
	case !r.isJSON():
		return fact{}, r.refuse(authz.Unavailable, "the content type is not application/json")
	}
	f, err := c.normaliser.read(redact(r.body, tok, c.normaliser.dialect.credentials), fetched)
	if err != nil {
		return fact{}, r.refuse(authz.Unavailable, err.Error())
	}
	return f, nil
}

func (r reply) isJSON() bool {
	t, _, err := mime.ParseMediaType(r.header.Get("Content-Type"))
	return err == nil && t == "application/json"
}

// refuse makes the error of a reply: it names the host, the status, a known OAuth error code and why, and quotes nothing else.
func (r reply) refuse(kind authz.Kind, why string) error {
	parts := []string{"status " + strconv.Itoa(r.status)}
	if code := r.oauthError(); code != "" {
		parts = append(parts, "error "+code)
	}
	if why != "" {
		parts = append(parts, why)
	}
	e := &authz.Error{Kind: kind, Err: fmt.Errorf("ask %q: %s", r.host(), strings.Join(parts, ", "))}
	if kind == authz.Unavailable {
		e.RetryAfter = retryAfter(r.header.Get("Retry-After"), time.Now())
	}
	return e
}

func (r reply) host() string {
	u, err := url.Parse(r.endpoint)
	if err != nil {
		return ""
	}
	return u.Host
}

// oauthErrors are the codes an error may repeat. Others are left out: nothing says that a server does not echo a token there.
func oauthErrors() []string {
	return []string{
		"access_denied", "invalid_client", "invalid_dpop_proof", "invalid_grant", "invalid_request", "invalid_scope",
		"invalid_target", "invalid_token", "insufficient_scope", "missing_token", "request_unauthorized", "server_error",
		"temporarily_unavailable", "unauthorized_client", "unsupported_token_type",
	}
}

// oauthError is the error code of a refusal (RFC 6749 section 5.2), or "" when there is none that is known.
func (r reply) oauthError() string {
	if r.status < 400 || r.over || !r.isJSON() {
		return ""
	}
	var body struct {
		Error any `json:"error"`
	}
	if json.Unmarshal(r.body, &body) != nil {
		return ""
	}
	code, _ := body.Error.(string)
	if !slices.Contains(oauthErrors(), code) {
		return ""
	}
	return code
}

// retryAfter reads a Retry-After header, seconds or a date (RFC 9110 section 10.2.3); 0 when it says nothing usable.
func retryAfter(value string, now time.Time) time.Duration {
	var d time.Duration
	if n, err := strconv.ParseUint(value, 10, 63); err == nil {
		d = time.Duration(min(n, uint64(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), maxRetryAfter)
}
