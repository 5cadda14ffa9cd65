package proof_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/proof"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/token"
)

func TestDPOP_TheExampleOfRFC9449Passes(t *testing.T) {
	var v struct {
		Token  string `json:"access_token"`
		Method string `json:"method"`
		URL    string `json:"url"`
		Proof  string `json:"dpop_proof"`
		JKT    string `json:"jkt"`
		Clock  int64  `json:"clock_for_test"`
	}
	vector(t, "dpop-rfc9449-vector.json", &v)
	p := proofs(t, accepting())
	check := func(tok, method, url string, clock int64) error {
		q := asked(v.Proof)
		q.Request.Method, q.Request.URL = method, url
		return verify(p, authz.Confirmation{JKT: v.JKT}, token.Credential{Token: secret.New(tok), Scheme: token.DPoP},
			q, time.Unix(clock, 0))
	}
	wantRefusal(t, "another token", check(v.Token+"x", v.Method, v.URL, v.Clock), proof.CodeInvalidProof)
	wantRefusal(t, "another method", check(v.Token, "POST", v.URL, v.Clock), proof.CodeInvalidProof)
	wantRefusal(t, "another URL", check(v.Token, v.Method, v.URL+"s", v.Clock), proof.CodeInvalidProof)
	wantRefusal(t, "two minutes later", check(v.Token, v.Method, v.URL, v.Clock+120), proof.CodeInvalidProof)
	wantPass(t, "the example", check(v.Token, v.Method, v.URL, v.Clock))
	wantRefusal(t, "the example again", check(v.Token, v.Method, v.URL, v.Clock), proof.CodeInvalidProof)
}

func TestDPOP1_ExactlyOneField(t *testing.T) {
	h, p := newHolder(t), proofs(t, accepting())
	wantRefusal(t, "none", shown(p, h.bound()), proof.CodeInvalidProof)
	wantRefusal(t, "two", shown(p, h.bound(), h.proof(t), h.proof(t)), proof.CodeInvalidProof)
	wantRefusal(t, "joined by a proxy", shown(p, h.bound(), h.proof(t)+","+h.proof(t)), proof.CodeInvalidProof)
	wantRefusal(t, "joined with a blank", shown(p, h.bound(), h.proof(t)+", "+h.proof(t)), proof.CodeInvalidProof)
	wantPass(t, "one", shown(p, h.bound(), h.proof(t)))
}

func TestDPOP2_OneWellFormedCompactJWT(t *testing.T) {
	h, p := newHolder(t), proofs(t, accepting())
	good := h.proof(t)
	parts := strings.Split(good, ".")
	for name, s := range map[string]string{
		"empty": "", "a word": "proof", "two parts": parts[0] + "." + parts[1], "four parts": good + ".x",
		"a blank before": " " + good,
		"padding":        good + "=", "JSON": `{"protected":"` + parts[0] + `"}`,
		"no signature":   parts[0] + "." + parts[1] + ".",
		"over the limit": h.proof(t, claim("long", strings.Repeat("x", 8<<10))),
	} {
		wantRefusal(t, name, shown(p, h.bound(), s), proof.CodeInvalidProof)
	}
}

func TestDPOP3_RequiredClaims(t *testing.T) {
	h, p := newHolder(t), proofs(t, accepting())
	for _, name := range []string{"jti", "htm", "htu", "iat", "ath"} {
		wantRefusal(t, "no "+name, shown(p, h.bound(), h.proof(t, claim(name, nil))), proof.CodeInvalidProof)
		err := shown(p, h.bound(), h.proof(t, claim(name, []string{"x"})))
		if wantRefusal(t, name+" of a wrong type", err, proof.CodeInvalidProof); !strings.Contains(fmt.Sprint(err),
			`member "`+name+`"`) {
			t.Errorf("the cause does not name %s: %v", name, err)
		}
	}
	for _, name := range []string{"jti", "htm", "htu", "ath"} {
		wantRefusal(t, "empty "+name, shown(p, h.bound(), h.proof(t, claim(name, ""))), proof.CodeInvalidProof)
	}
	wantRefusal(t, "iat in text", shown(p, h.bound(), h.proof(t, claim("iat", "1800000000"))), proof.CodeInvalidProof)
	wantRefusal(t, "jti as a number", shown(p, h.bound(), h.proof(t, claim("jti", 7))), proof.CodeInvalidProof)
	wantPass(t, "iat with a fraction", shown(p, h.bound(), h.proof(t, claim("iat", 1_800_000_000.25))))
	wantPass(t, "further claims", shown(p, h.bound(), h.proof(t, claim("nonce", "of the authorization server"),
		claim("x", object{}))))
}

func TestDPOP4_TypeIsDPoP(t *testing.T) {
	h, p := newHolder(t), proofs(t, accepting())
	for _, typ := range []any{nil, "", "JWT", "at+jwt", "dpop", 1} {
		wantRefusal(t, fmt.Sprint(typ), shown(p, h.bound(), h.proof(t, head("typ", typ))), proof.CodeInvalidProof)
	}
	wantPass(t, "as a media type", shown(p, h.bound(), h.proof(t, head("typ", "application/dpop+jwt"))))
}

func TestDPOP5_AlgorithmIsAsymmetricAndAllowed(t *testing.T) {
	h, p := newHolder(t), proofs(t, accepting())
	for _, alg := range []any{nil, "none", "None", "HS256", "ES384", "RS256", "es256", "ES256K", ""} {
		wantRefusal(t, fmt.Sprint(alg), shown(p, h.bound(), h.proof(t, head("alg", alg))), proof.CodeInvalidProof)
	}
	strict := proofs(t, accepting(func(c *proof.Config) { c.DPoP.Algorithms = []string{"PS256"} }))
	wantRefusal(t, "ES256 where it is not allowed", shown(strict, h.bound(), h.proof(t)), proof.CodeInvalidProof)
}

func TestDPOP6_SignatureIsOfTheKeyInTheHeader(t *testing.T) {
	h, other, p := newHolder(t), newHolder(t), proofs(t, accepting())
	wantRefusal(t, "another key in the header", shown(p, h.bound(), other.proof(t, head("jwk", h.jwk))),
		proof.CodeInvalidProof)
	good := h.proof(t)
	for i := 0; i < len(good); i += 7 {
		c := byte('A')
		if good[i] == c {
			c = 'B'
		}
		if err := shown(p, h.bound(), good[:i]+string(c)+good[i+1:]); err == nil {
			t.Errorf("byte %d changed, and it passed", i)
		}
	}
	wantPass(t, "unchanged", shown(p, h.bound(), good))
}

func TestDPOP7_KeyIsPublicAndEmbedded(t *testing.T) {
	h, p := newHolder(t), proofs(t, accepting())
	for _, member := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
		with := object{member: "AA"}
		for k, v := range h.jwk {
			with[k] = v
		}
		wantRefusal(t, "with "+member, shown(p, h.bound(), h.proof(t, head("jwk", with))), proof.CodeInvalidProof)
	}
	wantRefusal(t, "no key", shown(p, h.bound(), h.proof(t, head("jwk", nil))), proof.CodeInvalidProof)
	wantRefusal(t, "by name", shown(p, h.bound(), h.proof(t, head("jwk", nil), head("kid", h.jkt))),
		proof.CodeInvalidProof)
	wantRefusal(t, "by address", shown(p, h.bound(), h.proof(t, head("jwk", nil),
		head("jku", "https://evil.example/keys"))), proof.CodeInvalidProof)
	wantRefusal(t, "symmetric", shown(p, h.bound(), h.proof(t, head("jwk", object{"kty": "oct", "k": "AAAA"}))),
		proof.CodeInvalidProof)
}

func TestDPOP8_MethodIsComparedCaseSensitively(t *testing.T) {
	h, p := newHolder(t), proofs(t, accepting())
	for _, htm := range []string{"get", "Get", "POST", "GET "} {
		wantRefusal(t, htm, shown(p, h.bound(), h.proof(t, claim("htm", htm))), proof.CodeInvalidProof)
	}
	q := asked(h.proof(t, claim("htm", "get")))
	q.Request.Method = "get"
	wantPass(t, "get for get", verify(p, h.bound(), as(token.DPoP), q, aTime))
}

// nonce returns the one that an answer at a time carries.
func TestDPOP11_AgeByIat(t *testing.T) {
	h, p := newHolder(t), proofs(t, accepting())
	at := func(d time.Duration) error {
		return shown(p, h.bound(), h.proof(t, claim("iat", aTime.Add(d).Unix())))
	}
	wantPass(t, "a minute old", at(-time.Minute))
	wantRefusal(t, "a second older", at(-61*time.Second), proof.CodeInvalidProof)
	wantPass(t, "ten seconds ahead", at(10*time.Second))
	wantRefusal(t, "eleven seconds ahead", at(11*time.Second), proof.CodeInvalidProof)
	for _, iat := range []any{0, -1, 1e300, -1e300, 1_800_000_000_000} {
		wantRefusal(t, fmt.Sprint(iat), shown(p, h.bound(), h.proof(t, claim("iat", iat))), proof.CodeInvalidProof)
	}
}

func TestDPOP12_ProofIsOfTheTokenAndItsKey(t *testing.T) {
	h, other, p := newHolder(t), newHolder(t), proofs(t, accepting())
	wantRefusal(t, "hash of another token", shown(p, h.bound(), h.proof(t, claim("ath", hashOf("other")))),
		proof.CodeInvalidProof)
	wantRefusal(t, "hash with padding", shown(p, h.bound(), h.proof(t, claim("ath", hashOf(anAccessToken)+"="))),
		proof.CodeInvalidProof)
	wantRefusal(t, "key of another client", shown(p, h.bound(), other.proof(t)), proof.CodeInvalidToken)
	wantRefusal(t, "confirmation that is no thumbprint", shown(p, authz.Confirmation{JKT: "x"}, h.proof(t)),
		proof.CodeInvalidToken)
}

func TestDPOP13_TheRecordedConfirmationOfKeycloakNamesItsKey(t *testing.T) {
	// Keycloak 26.7.3 writes {"jkt": ..., "kc-jkt-type": "DPoP"}. How the annotation is read is tested in package
	// dialect, and that such a token passes in package decision; here the recorded key must have the recorded name.
	const key = `{"kty":"EC","crv":"P-256","x":"czsaAI5yEXU8RVETfGf2-ctxSOMWDlJ3fxTwJPjmqio","y":"wR_CkCjqSc_O9ICPVw12MwUD94649B6Unx7r0Gi9c9Q"}`
	got, err := jose.Thumbprint([]byte(key))
	if want := "0rHb3fmegcsnzm-f_T2EWNj9u7giWs9wfutyJEF4548"; err != nil || got != want {
		t.Errorf("got %q, want %q: %v", got, want, err)
	}
}

func TestDPOP14_SchemeAndBindingFitEachOther(t *testing.T) {
	h, p := newHolder(t), proofs(t, accepting())
	check := func(c authz.Confirmation, s token.Scheme) error {
		return verify(p, c, as(s), asked(h.proof(t)), aTime)
	}
	wantRefusal(t, "bound, as Bearer, with a proof", check(h.bound(), token.Bearer), proof.CodeInvalidToken)
	wantRefusal(t, "unbound, as DPoP", check(authz.Confirmation{}, token.DPoP), proof.CodeInvalidToken)
	wantRefusal(t, "bound to a certificate only, as DPoP", check(authz.Confirmation{X5T: "x"}, token.DPoP),
		proof.CodeInvalidToken)
	wantRefusal(t, "DPoP without a key", check(authz.Confirmation{Unknown: "dpop without jkt"}, token.DPoP),
		proof.CodeInvalidToken)
	wantRefusal(t, "an unknown method", check(authz.Confirmation{Unknown: "jwe"}, token.Bearer),
		proof.CodeInvalidToken)
	wantRefusal(t, "an unknown method besides", check(authz.Confirmation{JKT: h.jkt, Unknown: "jwe"}, token.DPoP),
		proof.CodeInvalidToken)
	wantPass(t, "unbound, as Bearer", check(authz.Confirmation{}, token.Bearer))
}

func TestModeSaysWhichTokensPass(t *testing.T) {
	h := newHolder(t)
	off := proofs(t, accepting(func(c *proof.Config) { c.DPoP.Mode = proof.Off }))
	required := proofs(t, accepting(func(c *proof.Config) { c.DPoP.Mode = proof.Required }))
	wantRefusal(t, "off, bound", shown(off, h.bound(), h.proof(t)), proof.CodeInvalidToken)
	wantPass(t, "off, unbound", verify(off, authz.Confirmation{}, as(token.Bearer), asked(), aTime))
	wantPass(t, "required, bound", shown(required, h.bound(), h.proof(t)))
	wantRefusal(t, "required, unbound", verify(required, authz.Confirmation{}, as(token.Bearer), asked(), aTime),
		proof.CodeInvalidToken)
	wantRefusal(t, "required, bound to a certificate",
		verify(required, authz.Confirmation{X5T: "x"}, as(token.Bearer), asked(), aTime), proof.CodeInvalidToken)
	for _, none := range []*proof.Verifier{nil, proofs(t, proof.Config{})} {
		wantRefusal(t, "nothing configured", shown(none, h.bound(), h.proof(t)), proof.CodeInvalidToken)
		wantPass(t, "nothing configured, unbound", verify(none, authz.Confirmation{}, as(token.Bearer), asked(),
			aTime))
		if o := none.Presentation(); len(o.Schemes) != 1 || o.Schemes[0] != token.Bearer ||
			none.ResponseHeaders(aTime) != nil {
			t.Error("DPoP is offered")
		}
	}
}

// A proof is remembered as long as it could pass, however the two windows lie.

func TestDPOP23_EveryRequestNeedsAProof(t *testing.T) {
	h, p := newHolder(t), proofs(t, accepting())
	wantPass(t, "with a proof", shown(p, h.bound(), h.proof(t)))
	wantRefusal(t, "next time, without one", shown(p, h.bound()), proof.CodeInvalidProof)
}

func TestErrorsNeverShowTheProofNorTheToken(t *testing.T) {
	h, p := newHolder(t), proofs(t, accepting())
	for _, s := range []string{h.proof(t, claim("jti", nil)),
		h.proof(t, claim("htu", "https://user:hunter2@api.example/")), h.proof(t, claim("ath", "hunter2")), h.proof(t,
			head("typ", "hunter2")), "hunter2"} {
		err := shown(p, h.bound(), s)
		if err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), s) ||
			strings.Contains(err.Error(), anAccessToken) {
			t.Errorf("%v", err)
		}
	}
}

func TestUnboundBearerTokensCostNothing(t *testing.T) {
	p, cred, q := proofs(t, accepting()), as(token.Bearer), asked()
	if n := testing.AllocsPerRun(100, func() { _ = verify(p, authz.Confirmation{}, cred, q, aTime) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
