package issuer

import (
	"crypto/elliptic"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// twin is an ES256 token with the other of its two valid signatures: (r, n-s).
func twin(t *testing.T, tok secret.Text) secret.Text {
	t.Helper()
	s := tok.Reveal()
	at := strings.LastIndexByte(s, '.') + 1
	sig, err := base64.RawURLEncoding.DecodeString(s[at:])
	if err != nil || len(sig) != 64 {
		t.Fatalf("a signature of %d bytes: %v", len(sig), err)
	}
	rest := new(big.Int).Sub(elliptic.P256().Params().N, new(big.Int).SetBytes(sig[32:]))
	rest.FillBytes(sig[32:])
	return secret.New(s[:at] + base64.RawURLEncoding.EncodeToString(sig))
}

func TestEV1_RevokedTokenIsOverWithTheOtherECDSASignatureToo(t *testing.T) {
	for _, mode := range []authz.Mode{authz.ModeJWT, authz.ModeIntrospectOpaque, authz.ModeJWTThenIntrospect} {
		k := newKeyed(t)
		k.says(testkit.Reply(502, "", "")) // the endpoint is not what keeps the twin out
		if mode == authz.ModeJWTThenIntrospect {
			k.says(testkit.ReplyJSON(`{"active":true,"aud":"` + api + `"}`))
		}
		i, _ := open(t, "", k.in(mode, func(c *Config) { c.Cache.RevocationMemory = time.Hour }))
		tok, other := k.token(t, nil), k.token(t, change{"jti": "2"})
		if !look(t, i, tok).Active || !look(t, i, twin(t, tok)).Active || !look(t, i, other).Active {
			t.Fatalf("%s: a good token is not active", mode)
		}
		if n := evict(t, i, authz.Revocation{Token: tok}); n != 2 {
			t.Errorf("%s: %d answers evicted, want those of both spellings", mode, n)
		}
		k.says(testkit.ReplyJSON(no))
		for name, spelling := range map[string]secret.Text{"itself": tok, "its twin": twin(t, tok)} {
			if c := look(t, i, spelling); c.Active {
				t.Errorf("%s: the revoked token is active as %s", mode, name)
			}
		}
		if c := look(t, i, other); !c.Active {
			t.Errorf("%s: another token: %s", mode, c.Inactive.Text)
		}
	}
}

// A server that decodes base64 generously takes several texts for one token.
func TestEV1_EvictionOfATokenReachesItsOtherSpellingsInTheCache(t *testing.T) {
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256"}`))
	encrypted := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RSA-OAEP","enc":"A256GCM"}`))
	for name, c := range map[string]struct {
		token string
		same  []string
		other []string
	}{
		"JWS": {
			header + ".e30.AAAA", []string{header + ".e30.BBBB", header + ".e30.AAA=", header + ".e30."},
			[]string{header + ".e31.AAAA", header + ".AAAA"},
		},
		"JWE": {
			encrypted + ".kkkk.iiiiii.cccccg.ttttQQ", []string{encrypted + ".llll.iiiiii.cccccg.ttttQR",
				encrypted + ".kkkk.iiiiij.cccccj.ttttQQ"},
			[]string{encrypted + ".kkkk.iiiiii.ccccdg.ttttQQ", encrypted + ".kkkk.jiiiii.cccccg.ttttQQ"},
		},
		"opaque, of whole bytes": {"abcd+/gh", []string{"abcd-_gh", "abcd-/gh", "abcd-_gh=="},
			[]string{"abcd-_gi", "Abcd-_gh"}},
		"opaque, with four spare bits": {"abcdeQ", []string{"abcdeR", "abcdef", "abcdeQ=="},
			[]string{"abcdeg", "abcdfQ"}},
		"opaque, with two spare bits": {"abcdefE", []string{"abcdefF", "abcdefH", "abcdefE="},
			[]string{"abcdefI", "abcdefD"}},
		"opaque, with dots": {"v4.local.AAAA", []string{"v4.local.AAAA="},
			[]string{"v4.local.BBBB", "v4.public.AAAA"}},
		"of another alphabet": {"00D!AR0|x:$", nil, []string{"00D!AR0|x:!", "00D!AR0|x"}},
	} {
		u := serve(t, testkit.ReplyJSON(`{"active":true}`))
		i, _ := open(t, u.URL, nil)
		for _, tok := range append(append([]string{c.token}, c.same...), c.other...) {
			if c := look(t, i, secret.New(tok)); !c.Active {
				t.Fatal(c.Inactive.Text)
			}
		}
		if n := evict(t, i, authz.Revocation{Token: secret.New(c.token)}); n != 1+len(c.same) {
			t.Errorf("%s: %d answers evicted, want %d", name, n, 1+len(c.same))
		}
		if n := i.Stats().Active.Entries; n != len(c.other) {
			t.Errorf("%s: %d answers are left, want %d", name, n, len(c.other))
		}
	}
}

// One JWT has one text in all but its signature, so that no other text of it needs to be found by its mark.
func TestTextsThatALaxDecoderReadsAlikeAreNoJWT(t *testing.T) {
	k := newKeyed(t)
	i, _ := open(t, "", k.in(authz.ModeJWT))
	good := k.token(t, nil).Reveal()
	parts := strings.Split(good, ".")
	spare := func(part string) string { // the same bytes with other unused bits, where there are some
		last := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
			part[len(part)-1])
		return part[:len(part)-1] + string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last^1])
	}
	for name, tok := range map[string]string{
		"padded":                     good + "==",
		"blank before":               " " + good,
		"blank behind":               good + " ",
		"line break within":          parts[0] + "." + parts[1] + ".\n" + parts[2],
		"percent form of the dot":    parts[0] + "%2E" + parts[1] + "." + parts[2],
		"scheme before":              "Bearer " + good,
		"a fourth part":              good + ".",
		"unused bits in a signature": parts[0] + "." + parts[1] + "." + spare(parts[2]),
		"lower case":                 strings.ToLower(good),
	} {
		if c := look(t, i, secret.New(tok)); c.Active {
			t.Errorf("%s: active", name)
		}
	}
	if c := look(t, i, secret.New(good)); !c.Active {
		t.Error(c.Inactive.Text)
	}
}
