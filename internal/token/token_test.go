package token_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/token"
)

func header(fields ...string) token.Sources { return token.Sources{Header: fields} }

func TestBR1_SchemeIsCaseInsensitive(t *testing.T) {
	for field, want := range map[string]token.Scheme{
		"Bearer abc": token.Bearer, "bearer abc": token.Bearer, "BEARER   abc": token.Bearer, "DPoP abc": token.DPoP,
		"dpop abc": token.DPoP,
	} {
		c, err := token.Extract(header(field))
		if err != nil || c.Scheme != want || c.Token.Reveal() != "abc" {
			t.Errorf("%q: got %q %q, %v", field, c.Scheme, c.Token.Reveal(), err)
		}
	}
}

func TestNoCredentialIsNotAnError(t *testing.T) {
	for name, p := range map[string]token.Sources{
		"no header": {}, "empty header": header(""), "another scheme": header("Basic dXNlcjpwYXNz"),
		"a list":            header(`Digest realm="Bearer", uri="/, x", qop=auth`),
		"no scheme we know": header("Bearerabc"),
	} {
		c, err := token.Extract(p)
		if err != nil || c.Present() {
			t.Errorf("%s: got %v, present %v", name, err, c.Present())
		}
	}
}

func TestBR1_TokenInTheQueryIsNoCredential(t *testing.T) {
	c, err := token.Extract(token.Sources{Elsewhere: 1})
	if err != nil || c.Present() {
		t.Errorf("got %v, present %v", err, c.Present())
	}
}

func TestBR2_TwoCredentialsAreMalformed(t *testing.T) {
	for name, extract := range map[string]func() (token.Credential, error){
		"two headers": func() (token.Credential, error) {
			return token.Extract(header("Bearer a", "Bearer b"))
		},
		"joined by comma": func() (token.Credential, error) { return token.Extract(header("Bearer a, Bearer b")) },
		"joined behind another scheme": func() (token.Credential, error) {
			return token.Extract(header("Basic YTpi,bearer b"))
		},
		"joined behind a list": func() (token.Credential, error) {
			return token.Extract(header(`Digest realm="a", uri="/" , DPoP b`))
		},
		"joined behind nothing": func() (token.Credential, error) { return token.Extract(header(",Bearer b")) },
		"header and given": func() (token.Credential, error) {
			return token.Extract(token.Sources{Header: []string{"Bearer a"}, Explicit: secret.New("b")})
		},
		"other scheme and given": func() (token.Credential, error) {
			return token.Extract(token.Sources{Header: []string{"Basic YTpi"}, Explicit: secret.New("b")})
		},
		"header and query": func() (token.Credential, error) {
			return token.Extract(token.Sources{Header: []string{"Bearer a"}, Elsewhere: 1})
		},
		"given and query": func() (token.Credential, error) {
			return token.Extract(token.Sources{Elsewhere: 1, Explicit: secret.New("b")})
		},
	} {
		c, err := extract()
		if authz.KindOf(err) != authz.Malformed || c.Present() {
			t.Errorf("%s: got %v, present %v", name, err, c.Present())
		}
	}
}

func TestINT12_MalformedTokensAreRefusedAndNeverPrinted(t *testing.T) {
	for _, tok := range []string{"", " ", "=", "se cret", "sec\nret", "sec\tret", "secret\x00", `sec\ret`, "sécret",
		"secret,x", `secret"`, strings.Repeat("secret", token.MaxBytes)} {
		_, err := token.Extract(header("Bearer " + tok))
		if authz.KindOf(err) != authz.Malformed {
			t.Errorf("%.20q in a header: got %v", tok, err)
		}
		if tok != "" {
			if _, err = token.Extract(token.Sources{Explicit: secret.New(tok)}); authz.KindOf(err) != authz.Malformed {
				t.Errorf("%.20q given: got %v", tok, err)
			}
		}
		if tok != "" && strings.Contains(fmt.Sprint(err), "ecret") {
			t.Errorf("error tells the token: %v", err)
		}
	}
}

func TestTokensOfOtherAlphabetsPass(t *testing.T) {
	for _, tok := range []string{"00D000000000001!AQ0AQFake.Fake_Fake", "12|abcdef", "Atza|IwEB", "sha256~a:b", "a$b",
		"a=b", "%41#?&;@[]{}()<>'`^*"} {
		for name, p := range map[string]token.Sources{"in a header": header("Bearer " + tok),
			"given": {Explicit: secret.New(tok)}} {
			if c, err := token.Extract(p); err != nil || c.Token.Reveal() != tok {
				t.Errorf("%q %s: got %q, %v", tok, name, c.Token.Reveal(), err)
			}
		}
	}
}

func TestBlanksAroundACredentialAreNoPartOfIt(t *testing.T) {
	for name, p := range map[string]token.Sources{
		"after it": header("Bearer abc "), "before the scheme": header(" Bearer abc"),
		"tabs": header("\tBearer abc\t"), "given": {Explicit: secret.New(" abc\r\n")},
	} {
		if c, err := token.Extract(p); err != nil || c.Token.Reveal() != "abc" {
			t.Errorf("%s: got %q, %v", name, c.Token.Reveal(), err)
		}
	}
	for name, p := range map[string]token.Sources{"a line break in a header": header("Bearer abc\n"),
		"only blanks given": {Explicit: secret.New(" ")}, "only a scheme": header("Bearer ")} {
		c, err := token.Extract(p)
		if authz.KindOf(err) != authz.Malformed || c.Present() {
			t.Errorf("%s: got %v, present %v", name, err, c.Present())
		}
	}
}

func TestGivenTokenIsBearer(t *testing.T) {
	c, err := token.Extract(token.Sources{Explicit: secret.New("a.b-c_d~e+f/g==")})
	if err != nil || c.Scheme != token.Bearer || !c.Present() {
		t.Errorf("got %v %v", c.Scheme, err)
	}
}

func FuzzExtractTakesOnlyWhatATokenMayHold(f *testing.F) {
	f.Add("Bearer abc")
	f.Add("DPoP a, b")
	f.Add("bearer ;")
	f.Add(`Digest realm="a", Bearer b`)
	f.Fuzz(func(t *testing.T, field string) {
		c, err := token.Extract(header(field))
		if err != nil && c.Present() {
			t.Fatal("an error and a credential")
		}
		other := func(r rune) bool { return r < '!' || r > '~' || strings.ContainsRune("\",\\", r) }
		if strings.ContainsFunc(c.Token.Reveal(), other) || len(c.Token.Reveal()) > token.MaxBytes {
			t.Fatalf("took %q", c.Token.Reveal())
		}
	})
}
