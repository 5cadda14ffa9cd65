package proof

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

const (
	maxProofBytes = 4 << 10 // fits RSA with 8192 bits; a longer key costs more to verify than it protects
	maxJTIBytes   = 256
)

// proofClaims are the claims of a DPoP proof (RFC 9449 section 4.2). A text that is absent is empty.
type proofClaims struct {
	id, method, uri, hash, nonce string
	issued                       float64 // "iat" in seconds; proofs live so short that the fraction counts
	hasIssued                    bool
}

// readProof reads the claims of a proof whose signature has been verified. The error names the claim that is
// malformed.
func readProof(claims jsontext.Value) (proofClaims, error) {
	var c proofClaims
	m, _ := jose.ReadClaims(claims) // an object: the proof has been verified
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

// checkProof is RFC 9449 section 4.3. The replay cache comes last, so that a refused proof does not count as used.
func (v *Verifier) checkProof(jkt string, tok secret.Text, r *authz.Request, now time.Time) (outcome string,
	first *Use, err error) {
	text, cause := singleProof(r.Headers["dpop"])
	if cause != "" {
		return OutcomeRefused, nil, refuse(CodeInvalidProof, "check proof: %s", cause)
	}
	target, ok := v.target(r.URL)
	if !ok {
		return OutcomeRefused, nil, authz.Errorf(authz.Misconfigured,
			"check proof: the request does not say under which scheme "+
				"and host its client sent it: give its absolute URL, or set proof.dpop.public_base_url")
	}
	verified, thumbprint, err := jose.VerifyEmbedded(text, v.expected())
	if err != nil {
		return OutcomeRefused, nil, refuse(CodeInvalidProof, "check proof: %w", err)
	}
	if !equal(thumbprint, jkt) {
		return OutcomeRefused, nil,
			refuse(CodeInvalidToken, "check token: it is bound to another key than that of the proof")
	}
	c, err := readProof(verified.Claims)
	if err != nil {
		return OutcomeRefused, nil, refuse(CodeInvalidProof, "check proof: %w", err)
	}
	if cause := c.mismatch(r.Method, target, tok); cause != "" {
		return OutcomeRefused, nil, refuse(CodeInvalidProof, "check proof: %s", cause)
	}
	expires, outcome, err := v.expiry(&c, now)
	if err != nil {
		return outcome, nil, err
	}
	return v.checkReplay(digestOf(jkt, target.origin, target.path, c.id), expires, now)
}

func (v *Verifier) expected() jose.Expect {
	return jose.Expect{Types: []string{"dpop+jwt"}, Algorithms: v.cfg.DPoP.Algorithms, MaxBytes: maxProofBytes}
}

// singleProof returns the one proof of a request (DPOP-1). Proxies join repeated fields with a comma.
func singleProof(fields []string) (text, cause string) {
	switch {
	case len(fields) == 0:
		return "", "the request has none"
	case len(fields) > 1 || strings.Contains(fields[0], ","):
		return "", "the request has more than one"
	}
	return fields[0], ""
}

// mismatch returns how a proof differs from the request and the token, or "": DPOP-3, DPOP-8, DPOP-9, DPOP-12.
func (c *proofClaims) mismatch(method string, target uri, tok secret.Text) string {
	hash := sha256.Sum256([]byte(tok.Reveal()))
	htu, ok := readURI(c.uri)
	switch {
	case c.id == "" || len(c.id) > maxJTIBytes:
		return "its jti is missing or too long"
	case c.method != method:
		return "its htm is another method"
	case !ok || htu != target:
		return "its htu is another URI"
	case !c.hasIssued:
		return "its iat is missing"
	case !equal(c.hash, base64.RawURLEncoding.EncodeToString(hash[:])):
		return "its ath is the hash of another token"
	}
	return ""
}

// expiry returns when a proof expires, if it is valid now (DPOP-10, DPOP-11, DPOP-17). Where nonces are required, the
// age is that of the nonce, so the clock of the client does not matter.
func (v *Verifier) expiry(c *proofClaims, now time.Time) (expires time.Time, outcome string, err error) {
	if v.nonces != nil {
		issued, ok := v.nonces.verify(c.nonce, now)
		if !ok {
			err = refuse(CodeUseNonce, "check proof: its nonce is missing, too old or of another server")
			return time.Time{}, OutcomeNonce, err
		}
		return issued.Add(v.nonces.lifetime), OutcomeVerified, nil
	}
	const farthest = 1 << 40 // seconds: what fits a time.Time
	if math.Abs(c.issued) > farthest {
		return time.Time{}, OutcomeRefused, refuse(CodeInvalidProof, "check proof: its iat is no time")
	}
	whole, part := math.Modf(c.issued)
	issued := time.Unix(int64(whole), int64(part*float64(time.Second)))
	switch age := now.Sub(issued); {
	case age > v.cfg.DPoP.MaxAge:
		err = refuse(CodeInvalidProof, "check proof: it is too old: %s by its iat", age.Round(time.Second))
		return time.Time{}, OutcomeRefused, err
	case age < -v.cfg.DPoP.FutureSkew:
		err = refuse(CodeInvalidProof, "check proof: it comes %s too early by its iat", (-age).Round(time.Second))
		return time.Time{}, OutcomeRefused, err
	}
	return issued.Add(v.cfg.DPoP.MaxAge), OutcomeVerified, nil
}

// checkReplay records the use of a proof, unless v only looks, and refuses one that is in use or was used before
// (DPOP-15, DPOP-22).
func (v *Verifier) checkReplay(d digest, expires, now time.Time) (outcome string, first *Use, err error) {
	if v.replays == nil {
		return OutcomeVerified, nil, nil
	}
	outcome = OutcomeVerified
	use := v.replays.use
	if v.looking {
		use = v.replays.look
	}
	result, first := use(d, expires, now)
	switch result {
	case firstUse:
		return OutcomeVerified, first, nil
	case inUse:
		if v.cfg.DPoP.Replay == ReplayEnforce {
			return "", nil, &authz.Error{Kind: authz.Unavailable, Err: &InUse{by: first}}
		}
		outcome = OutcomeReplayed
	case usedBefore:
		outcome, err = OutcomeReplayed, refuse(CodeInvalidProof, "check proof: it was used before")
	case cacheFull:
		outcome, err = OutcomeFull, &authz.Error{
			Kind: authz.Unavailable, RetryAfter: v.replays.retryAfter(),
			Err: errors.New("check proof: proof.dpop.replay_max_entries proofs are remembered, there is no room for " +
				"one more"),
		}
	}
	if v.cfg.DPoP.Replay == ReplayObserve {
		return outcome, nil, nil
	}
	return outcome, nil, err
}
