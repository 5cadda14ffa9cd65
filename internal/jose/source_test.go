package jose_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"

	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

var longSecret = secret.New(strings.Repeat("s", 64))

func TestKeysThatMayNotVerifyAreLeftOut(t *testing.T) {
	s := signer(t, "p256", "", "k")
	good := string(s.Public())
	tok := sign(t, s, "JWT", struct{}{})
	private, err := json.Marshal(gojose.JSONWebKey{Key: privates()["p256"], KeyID: "k"})
	if err != nil {
		t.Fatal(err)
	}
	other := string(signer(t, "p384", "", "other").Public())
	for name, key := range map[string]string{
		"for encryption":      with(t, good, map[string]any{"use": "enc"}),
		"use unknown":         with(t, good, map[string]any{"use": "x"}),
		"use of another type": with(t, good, map[string]any{"use": 1}),
		"private":             string(private), "another alg": with(t, good, map[string]any{"alg": "ES384"}),
		"alg unknown":        with(t, good, map[string]any{"alg": "XX1"}),
		"alg none":           with(t, good, map[string]any{"alg": "none"}),
		"ops without verify": with(t, good, map[string]any{"key_ops": []string{"sign"}}),
		"another kid":        with(t, good, map[string]any{"kid": "K"}),
		"a member twice":     good[:len(good)-1] + `,"use":"sig"}`,
	} {
		keys, err := jose.StaticKeys(jwks(other, key))
		if err != nil {
			if name != "a member twice" {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if _, err := jose.Verify(t.Context(), tok, anything, keys); !errors.Is(err, jose.ErrNoKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, key := range map[string]string{
		"no kid, which may be any": with(t, good, map[string]any{"kid": nil}),
		"as it is":                 good, "use null": with(t, good, map[string]any{"use": nil})[:1] + `"use":null,` +
			with(t, good, map[string]any{"use": nil})[1:], "ops with verify": with(t, good,
			map[string]any{"key_ops": []string{"verify"}}),
		"rubbish for a certificate": with(t, good, map[string]any{"x5c": []string{"AAAA"}, "x5u": ":", "x5t": "!"}),
	} {
		if _, err := jose.Verify(t.Context(), tok, anything, static(t, other, key)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatIsNoKeySetIsAnError(t *testing.T) {
	for name, doc := range map[string]string{
		"nothing": "", "null": "null", "HTML": "<html>", "a list": "[]", "no keys": "{}", "null keys": `{"keys":null}`,
		"keys of another type": `{"keys":{}}`, "none": `{"keys":[]}`,
		"none that can be used": `{"keys":[{"kty":"oct","k":"AAAA"},1,null,"x"]}`,
		"keys twice":            `{"keys":[],"keys":[]}`, "a key alone": string(signer(t, "p256", "", "").Public()),
	} {
		if _, err := jose.StaticKeys([]byte(doc)); err == nil {
			t.Errorf("%s: is one", name)
		}
	}
}

func TestOneNameMayBeThatOfSeveralKeys(t *testing.T) {
	a, b := signer(t, "p256", "", "k"), signer(t, "rsa", "", "k")
	keys := static(t, string(a.Public()), string(b.Public()))
	for _, s := range []*jose.Signer{a, b} {
		if _, err := jose.Verify(t.Context(), sign(t, s, "JWT", struct{}{}), anything, keys); err != nil {
			t.Error(err)
		}
	}
}

func TestAKeySetOfThousandsIsRefusedAndATokenWithoutKidTriesSixtyFourKeys(t *testing.T) {
	good := string(signer(t, "p256", "", "").Public())
	many := func(n int, name string) []string {
		var all []string
		for i := range n {
			all = append(all, with(t, good, map[string]any{"kid": fmt.Sprint(name, i)}))
		}
		return all
	}
	if _, err := jose.StaticKeys(jwks(many(1001, "k")...)); err == nil {
		t.Error("1001 keys are a set")
	}
	keys := static(t, many(1000, "k")...)
	if found, err := keys.Find(t.Context(), jose.Header{Algorithm: "ES256"}); err != nil || len(found) != 1 {
		t.Errorf("one key under a thousand names: %d candidates, %v", len(found), err)
	}
	if found, _ := keys.Find(t.Context(), jose.Header{Algorithm: "ES256", KeyID: "k999"}); len(found) != 1 {
		t.Errorf("%d keys of one name", len(found))
	}
	var different []string
	for range 70 {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		jwk, err := json.Marshal(gojose.JSONWebKey{Key: k.Public()})
		if err != nil {
			t.Fatal(err)
		}
		different = append(different, string(jwk))
	}
	if found, _ := static(t, different...).Find(t.Context(), jose.Header{Algorithm: "ES256"}); len(found) != 64 {
		t.Errorf("%d candidates", len(found))
	}
	last := static(t, append(different[:40], good)...)
	if _, err := jose.Verify(t.Context(), sign(t, signer(t, "p256", "", ""), "JWT", struct{}{}), anything,
		last); err != nil {
		t.Errorf("the last of 41 keys without a name: %v", err)
	}
}

func TestNothingSecretIsPrinted(t *testing.T) {
	const text = "ssssssssssssssssssssssssssssssssssssssssssssssss"
	found, err := jose.SharedSecret(secret.New(text)).Find(t.Context(), jose.Header{})
	if err != nil {
		t.Fatal(err)
	}
	mac, err := jose.NewSigner(secret.New(text), "HS256", "")
	if err != nil {
		t.Fatal(err)
	}
	d, p := decrypter(t, "p256", ofEC, allEncryptions), signer(t, "p256", "", "")
	number := privates()["p256"].(*ecdsa.PrivateKey).D.String() //nolint:staticcheck // as fmt would print it
	for _, v := range []any{d, *d, p, *p, struct{ s *jose.Signer }{mac}, struct{ s *jose.Signer }{p},
		struct{ d *jose.Decrypter }{d}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
			if s := fmt.Sprintf(verb, v); strings.Contains(s, number) || strings.Contains(s, "115 115 115") {
				t.Errorf("%T with %s prints it", v, verb)
			}
		}
	}
	for _, v := range []any{found, found[0], mac, *mac, jose.SharedSecret(secret.New(text))} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
			if s := fmt.Sprintf(verb, v); strings.Contains(s, "ssss") || strings.Contains(s, "115 115 115") ||
				strings.Contains(s, "73737373") || strings.Contains(s, "0x73, 0x73") {
				t.Errorf("%T with %s prints it", v, verb)
			}
		}
	}
}
