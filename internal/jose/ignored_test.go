package jose_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/jose"
)

// damaged are ways in which servers have published a key, by what is said of it.
func damaged(t *testing.T, jwk string) map[string]string {
	padded := strings.Replace(jwk, `"y":"`, `"y":"=`, 1)
	return map[string]string{
		"is no JSON object":  `7`,
		"with unique names":  jwk[:len(jwk)-1] + `,"use":"sig","use":"sig"}`,
		"valid UTF-8":        jwk[:len(jwk)-1] + ",\"x\xff\":1}",
		"it has no kty":      with(t, jwk, map[string]any{"kty": nil}),
		"it has no y":        with(t, jwk, map[string]any{"y": nil}),
		"certificates (x5c)": with(t, jwk, map[string]any{"y": nil, "x5c": []string{"AAAA"}}),
		"y is not base64url": padded,
		"x has padding":      with(t, jwk, map[string]any{"x": otherX + "="}),
		"x is plain base64":  with(t, jwk, map[string]any{"x": "/" + otherX[1:]}),
		"x has 31 bytes":     with(t, jwk, map[string]any{"x": b64(strings.Repeat("x", 31))}),
		"x is no text":       with(t, jwk, map[string]any{"x": 1}),
		"no key of its kty":  with(t, jwk, map[string]any{"x": otherX}),
		"kid or alg":         with(t, jwk, map[string]any{"alg": 1}),
		`its alg "RS257"`:    with(t, jwk, map[string]any{"alg": "RS257"}),
		`use is "SIG"`:       with(t, jwk, map[string]any{"use": "SIG"}),
		`private member "d"`: with(t, jwk, map[string]any{"d": otherX}),
	}
}

// TestNullIsNoMemberOfAKey: some servers write out every member that a key may have.
func TestNullIsNoMemberOfAKey(t *testing.T) {
	good := signer(t, "p256", "", "k")
	nulls := map[string]any{}
	for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv", "n", "e", "use", "key_ops",
		"x5c", "x5u", "x5t"} {
		nulls[name] = json.RawMessage("null")
	}
	keys, err := jose.StaticKeys([]byte(jwks(with(t, string(good.Public()), nulls))))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jose.Verify(t.Context(), sign(t, good, "JWT", struct{}{}), anything, keys); err != nil {
		t.Error(err)
	}
}

func TestADamagedKeyCostsItselfOnlyAndSaysWhy(t *testing.T) {
	good, bad := signer(t, "p384", "", "good"), signer(t, "p256", "", "bad")
	for why, key := range damaged(t, string(bad.Public())) {
		var log bytes.Buffer
		set := jose.NewKeySet(jose.KeySetConfig{
			Name: "a", Log: slog.New(slog.NewTextHandler(&log, nil)),
			Fetch: (&publisher{jwks: jwks(key, string(good.Public()))}).fetch,
		})
		defer set.Close()
		if _, err := jose.Verify(t.Context(), sign(t, good, "JWT", struct{}{}), anything, set); err != nil {
			t.Errorf("%s: the other key: %v", why, err)
		}
		if i := set.Ignored(); len(i) != 1 || i[0].Index != 0 || !strings.Contains(i[0].String(), why) {
			t.Errorf("%s: ignored %v", why, i)
		}
		if !strings.Contains(log.String(), "key is ignored") {
			t.Errorf("%s: log %s", why, &log)
		}
		if key == "7" {
			continue // it has no name
		}
		_, err := jose.Verify(t.Context(), sign(t, bad, "JWT", struct{}{}), anything, set)
		e, ok := errors.AsType[*jose.IgnoredKeyError](err)
		if !ok || !errors.Is(err, jose.ErrNoKey) || e.Key.ID != "bad" || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: the token that it signed: %v", why, err)
		}
	}
}

func TestATokenThatADamagedKeyMayHaveSignedSaysSo(t *testing.T) {
	bad := with(t, string(signer(t, "p256", "", "").Public()), map[string]any{"x": otherX + "="})
	set := jose.NewKeySet(jose.KeySetConfig{Name: "a",
		Fetch: (&publisher{jwks: jwks(string(signer(t, "rsa", "", "r").Public()), bad)}).fetch})
	defer set.Close()
	for kid, said := range map[string]bool{"": true, "k": true, "r": true} {
		_, err := jose.Verify(t.Context(), sign(t, signer(t, "p256", "", kid), "JWT", struct{}{}), anything, set)
		if e, ok := errors.AsType[*jose.IgnoredKeyError](err); ok != said || ok &&
			(e.Named || !errors.Is(err, jose.ErrNoKey)) {
			t.Errorf("kid %q: %v", kid, err)
		}
	}
	_, err := jose.Verify(t.Context(), sign(t, signer(t, "ed25519", "", ""), "JWT", struct{}{}), anything, set)
	if _, ok := errors.AsType[*jose.IgnoredKeyError](err); ok || !errors.Is(err, jose.ErrNoKey) {
		t.Errorf("of another type: %v", err)
	}
}

func TestTheLogTellsIgnoredKeysOnce(t *testing.T) {
	inBubble(t, func(b *bed) {
		var log bytes.Buffer
		bad := with(t, string(b.old.Public()), map[string]any{"x": "="})
		set := jose.NewKeySet(jose.KeySetConfig{Name: "a", Log: slog.New(slog.NewTextHandler(&log, nil)),
			Fetch: (&publisher{jwks: jwks(bad, string(b.next.Public()))}).fetch})
		set.Warm(b.t.Context())
		time.Sleep(10 * time.Hour)
		set.Close()
		if n := strings.Count(log.String(), "key is ignored"); n != 1 {
			b.t.Errorf("told %d times", n)
		}
	})
}

func TestASetOfDamagedKeysSaysWhatIsWrongWithThem(t *testing.T) {
	k := with(t, string(signer(t, "p256", "", "k1").Public()), map[string]any{"x": otherX + "="})
	set := jose.NewKeySet(jose.KeySetConfig{Name: "a", Fetch: (&publisher{jwks: jwks(k)}).fetch})
	defer set.Close()
	_, err := set.Find(t.Context(), jose.Header{Algorithm: "ES256"})
	if authz.KindOf(err) != authz.Unavailable || !strings.Contains(err.Error(),
		`key 0 (kid "k1", kty "EC"): its x has padding`) {
		t.Error(err)
	}
	if len(set.Ignored()) != 1 {
		t.Error("the set does not tell")
	}
}

func TestAKeyForAnotherUseIsIgnoredWithoutAWarning(t *testing.T) {
	good := string(signer(t, "p256", "", "k").Public())
	for name, key := range map[string]string{
		"for encryption":       with(t, good, map[string]any{"use": "enc"}),
		"an alg of encryption": with(t, good, map[string]any{"alg": "ECDH-ES+A128KW"}),
		"only for signing":     with(t, good, map[string]any{"key_ops": []string{"sign"}}),
		"a new kty":            `{"kty":"AKP","alg":"ML-DSA-44","pub":"AA"}`,
		"a new curve":          with(t, good, map[string]any{"crv": "secp256k1"}),
	} {
		var log bytes.Buffer
		set := jose.NewKeySet(jose.KeySetConfig{Name: "a", Log: slog.New(slog.NewTextHandler(&log, nil)),
			Fetch: (&publisher{jwks: jwks(key, good)}).fetch})
		set.Warm(t.Context())
		if i := set.Ignored(); len(i) != 1 || !i[0].Expected || strings.Contains(log.String(), "WARN") {
			t.Errorf("%s: %v, %s", name, i, &log)
		}
		set.Close()
	}
}

func TestTheNameOfAnIgnoredKeyIsShortened(t *testing.T) {
	long := strings.Repeat("é", 500)
	k := with(t, string(signer(t, "p256", "", "k").Public()), map[string]any{"kid": long, "x": "="})
	set := jose.NewKeySet(jose.KeySetConfig{Name: "a", Fetch: (&publisher{jwks: jwks(k, k, k, k, k)}).fetch})
	defer set.Close()
	_, err := set.Find(t.Context(), jose.Header{})
	if err == nil || len(err.Error()) > 1000 || !strings.Contains(err.Error(), "and 2 more") {
		t.Error(err)
	}
}

func TestAKeyWithoutANameMayHaveSignedATokenThatNamesOne(t *testing.T) {
	nameless, named := signer(t, "p256", "", ""), signer(t, "p384", "", "k")
	other := string(signer(t, "rsa", "", "other").Public())
	inBubble(t, func(b *bed) {
		b.publisher.set(jwks(other, string(nameless.Public())), nil)
		same := signer(t, "p256", "", "k") // the same key, by the name that the token gives it
		time.Sleep(time.Millisecond)
		b.works(same)
		b.publisher.set(jwks(other, string(nameless.Public()), string(named.Public())), nil)
		time.Sleep(2 * time.Hour)
		if err := b.verify(same); !errors.Is(err, jose.ErrNoKey) { // the name means the key that has it
			b.t.Error(err)
		}
	})
}
