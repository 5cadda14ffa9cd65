package doctor_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// signedWith is a JWT with that header, whose signature is none.
func signedWith(header, claims string) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(header)) + "." + enc([]byte(claims)) + ".c2ln"
}

// What is wrong in a header is wrong with all tokens of a server: the canary shows it.
func TestAHeaderThatIsRefusedNamesWhatIsInIt(t *testing.T) {
	for header, says := range map[string][]string{
		`{"alg":"RS256","typ":"JWT","kid":"a"}`: {"has a typ that is not expected here",
			`"JWT", and not one of ["at+jwt"]`, "jwt.types"},
		`{"alg":"HS256","typ":"at+jwt","kid":"a"}`: {"has an alg or enc that is not allowed",
			`"HS256", and not one of ["RS256"]`, "jwt.algorithms"},
		`{"alg":"RS256","typ":"at+jwt","kid":"zz"}`: {"names no key that is known and fits", `kid "zz"`, "jwks_uri"},
		`{"alg":"RS256","typ":"at+jwt","kid":"a"}`: {"has a signature that does not verify", `kid "a"`,
			"did not sign this"},
	} {
		tok := signedWith(header, `{"exp":9999999999,"aud":"orders-api"}`)
		cfg := replay{server: openiddict, mode: authz.ModeJWT, token: issues(tok)}.config(t)
		wants(t, examine(t, cfg), append(says, "fault canary: a token that the server issued to the sidecar a "+
			"moment ago")...)
		wants(t, ask(t, cfg, tok), append(says, "fault token: the server was not asked: it ")...)
	}
}

func TestJSONThatCannotBeUsedIsNotBlamedOnItsMediaType(t *testing.T) {
	for body, why := range map[string]string{
		`{"active":true,"exp":"soon"}`: `member "exp"`,
		`{"active":"true"}`:            `member "active"`,
		`{"a":1}`:                      `member "active"`,
		`[]`:                           "not one JSON object",
	} {
		said := ask(t, endpoint(t, answers(200, "application/json", body)), "tok-123456")
		wants(t, said, why, "correct at the server what the cause names")
		never(t, said, "answers with")
	}
}

func TestAKeyThatIsIgnoredIsNamed(t *testing.T) {
	bad := strings.Replace(strings.Replace(keys, `"kid":"a"`, `"kid":"bad"`, 1), `"AQAB"`, `"AQAB="`, 1)
	one := strings.TrimSuffix(strings.TrimPrefix(bad, `{"keys":[`), `]}`)
	tok := signedWith(`{"alg":"RS256","typ":"at+jwt","kid":"bad"}`, `{"exp":9999999999,"aud":"orders-api"}`)
	r := replay{server: openiddict, mode: authz.ModeJWT, token: issues(tok),
		keys: strings.Replace(keys, `[`, `[`+one+`,`, 1)}
	cfg := r.config(t)
	said := examine(t, cfg)
	wants(t, said, "ok keys:",
		`doubt keys: tokens that one of the keys signed are refused, for it is ignored: key 0 (kid "bad", kty "RSA"): `, "replace that key at the server", "fault canary:", "names a key that is ignored")
	r.keys = bad
	wants(t, examine(t, r.config(t)), "fault keys:", "has no key that can check a signature", `kid "bad"`)
}
