package token

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Codes of refusals: RFC 6750 section 3.1, RFC 9449 section 7.1.
const (
	CodeToken = "invalid_token"
	CodeProof = "invalid_dpop_proof"
	CodeNonce = "use_dpop_nonce"
)

const (
	maxProofBytes = 4 << 10 // room for RSA with 8192 bits; a longer key would cost more than it proves
	maxJTIBytes   = 256
)

// Observer counts how checks of possession ended. method is "dpop" or "mtls"; outcome is one of
// those below.
type Observer interface {
	Proved(method, outcome string)
}

// The outcomes. ProofFull is a proof that there was no room to remember.
const (
	ProofVerified = "verified"
	ProofRefused  = "refused"
	ProofNonce    = "nonce"
	ProofReplayed = "replayed"
	ProofFull     = "full"
)

// Proofs checks that clients hold the keys their tokens are bound to. It is safe for concurrent use. A nil Proofs is one of
// the zero Config.
type Proofs struct {
	cfg      Config
	offer    Presentation
	base     *uri // nil takes the URL of the request as it is
	header   string
	hops     hops
	nonces   *nonces  // nil when none are asked for
	replays  *replays // nil when nothing is remembered
	observer Observer
}

// Presentation is what a challenge says about how tokens may be presented.
type Presentation struct {
	// Schemes are those that are accepted, the usual one first.
	Schemes []Scheme
	// Algorithms are those of proofs, joined by spaces.
	Algorithms string
}

// NewProofs prepares cfg. observer may be nil. The error is for operators.
func NewProofs(cfg Config, observer Observer) (_ *Proofs, err error) {
	p := &Proofs{cfg: cfg, header: cfg.MTLS.header(), observer: observer}
	if p.hops, err = readHops(cfg.MTLS.TrustedHops); err != nil {
		return nil, fmt.Errorf("read proof.mtls.trusted_hops: %w", err)
	}
	d := cfg.DPoP
	if d.PublicBaseURL != "" {
		if p.base, err = readBase(d.PublicBaseURL); err != nil {
			return nil, fmt.Errorf("read proof.dpop.public_base_url: %w", err)
		}
	}
	p.offer = Presentation{Schemes: []Scheme{Bearer}}
	switch d.Mode {
	case Accept:
		p.offer = Presentation{[]Scheme{Bearer, DPoP}, strings.Join(d.Algorithms, " ")}
	case Required:
		p.offer = Presentation{[]Scheme{DPoP}, strings.Join(d.Algorithms, " ")}
	case Off, "":
		return p, nil
	}
	if len(d.Algorithms) == 0 {
		return nil, errors.New("read proof.dpop.algorithms: there is none")
	}
	longest := d.MaxAge + d.FutureSkew
	if d.Nonce == NonceRequired {
		if p.nonces, err = newNonces(d); err != nil {
			return nil, fmt.Errorf("read proof.dpop.nonce_secret: %w", err)
		}
		longest = d.NonceLifetime + d.FutureSkew
	}
	if d.Replay == ReplayEnforce || d.Replay == ReplayObserve {
		p.replays = newReplays(d.ReplayMaxEntries, longest)
	}
	return p, nil
}

// Offer says how tokens may be presented.
func (p *Proofs) Presentation() Presentation {
	if p == nil {
		return Presentation{Schemes: []Scheme{Bearer}}
	}
	return p.offer
}

// Fresh returns header fields for an answer to a client that uses DPoP: its next nonce, and that nobody may keep it (RFC
// 9449 sections 8.2 and 9). There are none unless nonces are asked for, or browsers are to see the challenge (DPOP-20).
func (p *Proofs) ResponseHeaders(now time.Time) []authz.Header {
	if p == nil || p.offer.Algorithms == "" {
		return nil
	}
	var out []authz.Header
	if p.nonces != nil {
		out = append(out, authz.Header{Name: "DPoP-Nonce", Values: []string{p.nonces.fresh(now)}},
			authz.Header{Name: "Cache-Control", Values: []string{"no-store"}})
	}
	if p.cfg.DPoP.ExposeHeaders {
		out = append(out, authz.Header{Name: "Access-Control-Expose-Headers", Values: []string{"WWW-Authenticate, DPoP-Nonce"}})
	}
	return out
}

// Check reports why a token with this confirmation must not be used with a request, or nil: then a token that is bound is
// bound to a key that the client showed. It is asked on every request, when the token is known to be usable, for a proof
// is good once. Its errors are *authz.Error: Unauthenticated with one of the codes, Unavailable when there is no room to
// remember the proof, Misconfigured when nobody knows the URL that the client used.
func (p *Proofs) Verify(c authz.Confirmation, cred Credential, q *authz.Query, now time.Time) error {
	if p == nil {
		p = &Proofs{}
	}
	if !c.Bound() && cred.Scheme != DPoP && p.cfg.DPoP.Mode != Required {
		return nil
	}
	if why := p.mismatch(c, cred.Scheme); why != "" {
		return refuse(CodeToken, "check token: it %s", why)
	}
	if c.X5T != "" { // before the proof, which is burnt by being looked at
		if err := p.checkCertificate(c.X5T, q); err != nil {
			return err
		}
	}
	if c.JKT == "" {
		return nil
	}
	outcome, err := p.checkProof(c.JKT, cred.Token, &q.Request, now)
	p.observe("dpop", outcome)
	return err
}

// mismatch says how a token, its scheme and what is configured contradict each other, or "" (DPOP-13, DPOP-14).
func (p *Proofs) mismatch(c authz.Confirmation, s Scheme) string {
	accepted := p.offer.Algorithms != ""
	switch {
	case c.Unknown != "":
		return "is bound by a confirmation method that is not understood"
	case c.JKT == "" && s == DPoP:
		return "was presented as a DPoP token and is bound to no such key"
	case c.JKT == "" && p.cfg.DPoP.Mode == Required:
		return "is bound to no DPoP key, and proof.dpop.mode is required"
	case c.JKT != "" && !accepted:
		return "is bound to a DPoP key, and proof.dpop.mode is off"
	case c.JKT != "" && s != DPoP:
		return "is bound to a DPoP key and was presented as a bearer token"
	}
	return ""
}

func (p *Proofs) checkCertificate(x5t string, q *authz.Query) error {
	t, err := p.certificate(q)
	switch {
	case err != nil:
		p.observe("mtls", ProofRefused)
		return refuse(CodeToken, "check token: it is bound to a certificate, and the request %w", err)
	case !equal(t.String(), x5t):
		p.observe("mtls", ProofRefused)
		return refuse(CodeToken, "check token: it is bound to another certificate")
	}
	p.observe("mtls", ProofVerified)
	return nil
}

// proofClaims are the claims of a proof (RFC 9449 section 4.2). A text that is absent is empty.
type proofClaims struct {
	id, method, uri, hash, nonce string
	issued                       float64 // "iat", in seconds: proofs live for so short a time that its fraction counts
	hasIssued                    bool
}

// readProof reads the claims of a proof whose signature is good. The error names the one that cannot be read.
func readProof(claims jsontext.Value) (proofClaims, error) {
	var c proofClaims
	m, _ := jose.ReadClaims(claims) // it is an object: the proof has been verified
	for _, member := range []struct {
		name string
		to   *string
	}{{"jti", &c.id}, {"htm", &c.method}, {"htu", &c.uri}, {"ath", &c.hash}, {"nonce", &c.nonce}} {
		var err error
		if *member.to, err = m.Text(member.name); err != nil {
			return c, err
		}
	}
	if c.issued, c.hasIssued = m.Number("iat"); m.Has("iat") && !c.hasIssued {
		return c, errors.New(`member "iat" is not a time in seconds since 1970`)
	}
	return c, nil
}

// checkProof is RFC 9449 section 4.3. The proof is remembered last, when nothing else is wrong with it.
func (p *Proofs) checkProof(jkt string, tok secret.Text, req *authz.Request, now time.Time) (outcome string, err error) {
	text, why := theProof(req.Headers["dpop"])
	if why != "" {
		return ProofRefused, refuse(CodeProof, "check proof: %s", why)
	}
	target, ok := p.target(req.URL)
	if !ok {
		return ProofRefused, authz.Errorf(authz.Misconfigured, "check proof: the request does not say under which scheme and host its client sent it: give its absolute URL, or set proof.dpop.public_base_url")
	}
	verified, thumbprint, err := jose.VerifyEmbedded(text, jose.Expect{Types: []string{"dpop+jwt"}, Algorithms: p.cfg.DPoP.Algorithms, MaxBytes: maxProofBytes})
	if err != nil {
		return ProofRefused, refuse(CodeProof, "check proof: %w", err)
	}
	if !equal(thumbprint, jkt) {
		return ProofRefused, refuse(CodeToken, "check token: it is bound to another key than that of the proof")
	}
	c, err := readProof(verified.Claims)
	if err != nil {
		return ProofRefused, refuse(CodeProof, "check proof: %w", err)
	}
	if why := c.wrong(req.Method, target, tok); why != "" {
		return ProofRefused, refuse(CodeProof, "check proof: %s", why)
	}
	end, outcome, err := p.lifetime(&c, now)
	if err != nil {
		return outcome, err
	}
	return p.once(digestOf(jkt, target.origin, target.path, c.id), end, now)
}

// theProof returns the one proof of a request (DPOP-1). Proxies join fields with a comma.
func theProof(fields []string) (text, why string) {
	switch {
	case len(fields) == 0:
		return "", "the request has none"
	case len(fields) > 1 || strings.Contains(fields[0], ","):
		return "", "the request has more than one"
	}
	return fields[0], ""
}

// wrong compares what a proof says with the request and the token: DPOP-3, DPOP-8, DPOP-9, DPOP-12.
func (c *proofClaims) wrong(method string, target uri, tok secret.Text) string {
	hash := sha256.Sum256([]byte(tok.Reveal()))
	named, ok := readURI(c.uri)
	switch {
	case c.id == "" || len(c.id) > maxJTIBytes:
		return "its jti is missing or too long"
	case c.method != method:
		return "its htm is another method"
	case !ok || named != target:
		return "its htu is another URI"
	case !c.hasIssued:
		return "its iat is missing"
	case !equal(c.hash, base64.RawURLEncoding.EncodeToString(hash[:])):
		return "its ath is the hash of another token"
	}
	return ""
}

// lifetime returns when a proof ends to be good, if it is good now (DPOP-10, DPOP-11, DPOP-17). Where nonces are asked for,
// they say how old it is: then the clocks of clients do not matter.
func (p *Proofs) lifetime(c *proofClaims, now time.Time) (end time.Time, outcome string, err error) {
	if p.nonces != nil {
		made, ok := p.nonces.made(c.nonce, now)
		if !ok {
			return time.Time{}, ProofNonce, refuse(CodeNonce, "check proof: its nonce is missing, too old or of another server")
		}
		return made.Add(p.nonces.lifetime), ProofVerified, nil
	}
	const farthest = 1 << 40 // seconds: what fits a time
	if math.Abs(c.issued) > farthest {
		return time.Time{}, ProofRefused, refuse(CodeProof, "check proof: its iat is no time")
	}
	whole, part := math.Modf(c.issued)
	issued := time.Unix(int64(whole), int64(part*float64(time.Second)))
	switch age := now.Sub(issued); {
	case age > p.cfg.DPoP.MaxAge:
		return time.Time{}, ProofRefused, refuse(CodeProof, "check proof: it is too old: %s by its iat", age.Round(time.Second))
	case age < -p.cfg.DPoP.FutureSkew:
		return time.Time{}, ProofRefused, refuse(CodeProof, "check proof: it comes %s too early by its iat", (-age).Round(time.Second))
	}
	return issued.Add(p.cfg.DPoP.MaxAge), ProofVerified, nil
}

// once remembers a proof, and refuses one that it remembers (DPOP-15, DPOP-22).
func (p *Proofs) once(d digest, end, now time.Time) (outcome string, err error) {
	if p.replays == nil {
		return ProofVerified, nil
	}
	outcome = ProofVerified
	switch p.replays.remember(d, end, now) {
	case seen:
		outcome, err = ProofReplayed, refuse(CodeProof, "check proof: it was used before")
	case full:
		outcome, err = ProofFull, &authz.Error{
			Kind: authz.Unavailable, RetryAfter: p.replays.wait(),
			Err: fmt.Errorf("check proof: proof.dpop.replay_max_entries proofs are remembered, there is no room for one more"),
		}
	}
	if p.cfg.DPoP.Replay == ReplayObserve {
		return outcome, nil
	}
	return outcome, err
}

func (p *Proofs) observe(method, outcome string) {
	if p.observer != nil {
		p.observer.Proved(method, outcome)
	}
}

// equal compares in a time that does not depend on where two texts differ.
func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func refuse(code, format string, args ...any) error {
	return &authz.Error{Kind: authz.Unauthenticated, Code: code, Err: fmt.Errorf(format, args...)}
}
