// Package proof verifies that a client holds the key that its access token is bound to (RFC 7800): by a DPoP proof
// (RFC 9449), or by the certificate that it presented in TLS (RFC 8705).
//
// Verify runs on every request, after every cache: a DPoP proof is valid for one request.
package proof

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/metrics"
	"github.com/authz-sidecar/sidecar/internal/token"
)

// Error codes of challenges: RFC 6750 section 3.1, RFC 9449 section 7.1.
const (
	CodeInvalidToken = "invalid_token"
	CodeInvalidProof = "invalid_dpop_proof"
	CodeUseNonce     = "use_dpop_nonce"
)

// The methods, as the metric has them.
const (
	methodDPoP = "dpop"
	methodMTLS = "mtls"
)

// The outcomes. OutcomeFull is a proof that was refused because the replay cache is full.
const (
	OutcomeVerified = "verified"
	OutcomeRefused  = "refused"
	OutcomeNonce    = "nonce"
	OutcomeReplayed = "replayed"
	OutcomeFull     = "full"
)

// Verifier verifies possession of keys. It is safe for concurrent use. A nil Verifier is that of the zero Config.
type Verifier struct {
	cfg          Config
	presentation Presentation
	base         *uri   // the public base URL; nil compares with the URL of the request as it is
	header       string // that holds the certificate of the client
	trusted      proxies
	nonces       *nonces                      // nil when nonces are not required
	replays      *replays                     // nil when replays are not looked for
	verified     map[string]*metrics.Counters // by method
	// looking is set where a proof is not used up: the request that it came with is served elsewhere.
	looking bool
}

// Presentation is what a challenge says about how tokens may be presented.
type Presentation struct {
	// Schemes are the accepted ones, the preferred one first.
	Schemes []token.Scheme
	// Algorithms are the accepted alg values of DPoP proofs, separated by spaces.
	Algorithms string
}

// New returns the Verifier of cfg, whose verifications are counted in r. The error is for operators.
func New(cfg Config, r metrics.Registerer) (_ *Verifier, err error) {
	v := &Verifier{cfg: cfg, header: cfg.MTLS.header(), verified: map[string]*metrics.Counters{
		methodDPoP: countVerified(r, methodDPoP, OutcomeVerified, OutcomeRefused, OutcomeNonce, OutcomeReplayed,
			OutcomeFull),
		methodMTLS: countVerified(r, methodMTLS, OutcomeVerified, OutcomeRefused),
	}}
	if v.trusted, err = readProxies(cfg.MTLS.TrustedProxies); err != nil {
		return nil, fmt.Errorf("read proof.mtls.trusted_proxies: %w", err)
	}
	d := cfg.DPoP
	if d.PublicBaseURL != "" {
		if v.base, err = readBase(d.PublicBaseURL); err != nil {
			return nil, fmt.Errorf("read proof.dpop.public_base_url: %w", err)
		}
	}
	v.presentation = Presentation{Schemes: []token.Scheme{token.Bearer}}
	switch d.Mode {
	case Accept:
		v.presentation = Presentation{[]token.Scheme{token.Bearer, token.DPoP}, strings.Join(d.Algorithms, " ")}
	case Required:
		v.presentation = Presentation{[]token.Scheme{token.DPoP}, strings.Join(d.Algorithms, " ")}
	case Off, "":
		return v, nil
	}
	if len(d.Algorithms) == 0 {
		return nil, errors.New("read proof.dpop.algorithms: there is none")
	}
	longest := d.MaxAge + d.FutureSkew
	if d.Nonce == NonceRequired {
		if v.nonces, err = newNonces(d); err != nil {
			return nil, fmt.Errorf("read proof.dpop.nonce_secret: %w", err)
		}
		longest = d.NonceLifetime + d.FutureSkew
	}
	if d.Replay == ReplayEnforce || d.Replay == ReplayObserve {
		v.replays = newReplays(d.ReplayMaxEntries, longest)
	}
	return v, nil
}

// Presentation returns how tokens may be presented.
func (v *Verifier) Presentation() Presentation {
	if v == nil {
		return Presentation{Schemes: []token.Scheme{token.Bearer}}
	}
	return v.presentation
}

// ResponseHeaders returns header fields for the response to a client that uses DPoP: its next nonce, which must not be
// cached (RFC 9449 sections 8.2 and 9), and what lets scripts in browsers read the challenge (DPOP-20). There are none
// unless the configuration asks for them.
func (v *Verifier) ResponseHeaders(now time.Time) []authz.Header {
	if v == nil || v.presentation.Algorithms == "" {
		return nil
	}
	var out []authz.Header
	if v.nonces != nil {
		out = append(out, authz.Header{Name: "DPoP-Nonce", Values: []string{v.nonces.issue(now)}},
			authz.Header{Name: "Cache-Control", Values: []string{"no-store"}})
	}
	if v.cfg.DPoP.ExposeHeaders {
		exposed := []string{"WWW-Authenticate, DPoP-Nonce"}
		out = append(out, authz.Header{Name: "Access-Control-Expose-Headers", Values: exposed})
	}
	return out
}

// Verify returns why a token with this confirmation must not be used with a request. It returns nil when the token is
// bound to no key, or to one that the client has shown that it holds. It consumes the proof, so it is called once a
// request, after the token is known to be usable. The caller ends the use of the proof, when there is one, with the
// request.
//
// Its errors are *authz.Error: Unauthenticated with one of the codes; Unavailable when the replay cache is full, and,
// around an *InUse, while another request with the proof is being decided; Misconfigured when the URL that the client
// used is not known.
func (v *Verifier) Verify(c authz.Confirmation, cred token.Credential, q *authz.Query, now time.Time) (*Use, error) {
	if v == nil {
		v = &Verifier{}
	}
	if !c.Bound() && cred.Scheme != token.DPoP && v.cfg.DPoP.Mode != Required {
		return nil, nil
	}
	if cause := v.mismatch(c, cred.Scheme); cause != "" {
		return nil, refuse(CodeInvalidToken, "check token: it %s", cause)
	}
	if c.X5T != "" { // before the proof, which can be used once
		if err := v.checkCertificate(c.X5T, q); err != nil {
			return nil, err
		}
	}
	if c.JKT == "" {
		return nil, nil
	}
	outcome, use, err := v.checkProof(c.JKT, cred.Token, &q.Request, now)
	if outcome != "" { // which is not known while the proof is in use
		v.count(methodDPoP, outcome)
	}
	return use, err
}

// Look returns what Verify would. It uses up no proof, so that the request can still be served, and counts nothing.
func (v *Verifier) Look(c authz.Confirmation, cred token.Credential, q *authz.Query, now time.Time) error {
	if v == nil {
		v = &Verifier{}
	}
	only := *v
	only.looking, only.verified = true, nil
	_, err := only.Verify(c, cred, q, now)
	return err
}

// mismatch returns how the binding of a token contradicts its scheme or the configuration, or "" (DPOP-13, DPOP-14).
func (v *Verifier) mismatch(c authz.Confirmation, s token.Scheme) string {
	accepted := v.presentation.Algorithms != ""
	switch {
	case c.Unknown != "":
		return "is bound by a confirmation method that is not understood"
	case c.JKT == "" && s == token.DPoP:
		return "was presented as a DPoP token and is bound to no such key"
	case c.JKT == "" && v.cfg.DPoP.Mode == Required:
		return "is bound to no DPoP key, and proof.dpop.mode is required"
	case c.JKT != "" && !accepted:
		return "is bound to a DPoP key, and proof.dpop.mode is off"
	case c.JKT != "" && s != token.DPoP:
		return "is bound to a DPoP key and was presented as a bearer token"
	}
	return ""
}

func countVerified(r metrics.Registerer, method string, outcomes ...string) *metrics.Counters {
	return metrics.NewCounters(metrics.With(r, "method", method), "sidecar_token_proofs_total",
		"Proof-of-possession checks of bound tokens, by method and outcome.", "outcome", outcomes...)
}

func (v *Verifier) count(method, outcome string) {
	if c := v.verified[method]; c != nil { // nil in the zero Verifier
		c.Inc(outcome)
	}
}

// equal compares in a time that does not depend on where two texts differ.
func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func refuse(code, format string, args ...any) error {
	return &authz.Error{Kind: authz.Unauthenticated, Code: code, Err: fmt.Errorf(format, args...)}
}
