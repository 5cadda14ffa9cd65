package jose

import (
	"encoding/base64"
	"strings"
	"testing"
)

// taken is Issuer by taking the token apart, as everything else does.
func taken(s string) (string, bool) {
	c, err := split(s)
	if err != nil || len(c.parts) != partsOfJWS || len(c.parts[1]) > base64.RawURLEncoding.EncodedLen(maxIssuerBytes) {
		return "", false
	}
	payload, err := decode(c.parts[1])
	if err != nil {
		return "", false
	}
	m, ok := ReadClaims(payload)
	if !ok {
		return "", false
	}
	return Text(m.Value("iss"))
}

// FuzzIssuerReadsAsEverythingElseDoes: a token that is routed by one reading and verified by another would be two
// tokens.
func FuzzIssuerReadsAsEverythingElseDoes(f *testing.F) {
	for _, c := range []struct{ header, payload string }{
		{`{"alg":"RS256","typ":"JWT","kid":""}`, `{"iss":"https://as","aud":["a"],"x":{"iss":"y"}}`},
		{`{"alg":"none"}`, ` {"\u0069ss":"https:\/\/as"} `},
		{`{"alg":"RS256","enc":"A"}`, `{"iss":"a"}`},
		{`{"typ":"JWT"}`, `{"iss":"a"}`},
		{`{"alg":"a","alg":"b"}`, `{"iss":"a"}`},
		{`{"alg":"a","typ":""}`, `{"iss":"a"}`},
		{`{"alg":"a","\u0061lg":"b"}`, `{"iss":"a"}`},
		{`{"alg":"a"}`, `{"iss":"a","iss":"b"}`},
		{`{"alg":"a"}`, `{"iss":"a","iss":"a"}`},
		{`{"alg":"a"}`, `{"iss":"a"} {}`},
		{`{"alg":"a"}`, `{"iss":7}`},
		{`{"alg":"a"}`, `["iss","a"]`},
		{`{"alg":"a"}`, "{\"iss\":\"\xff\"}"},
		{`{"alg":null}`, `{"iss":""}`},
		{`{"alg":"a","typ":null,"kid":null,"enc":null}`, `{"iss":null}`},
		{`{"alg":"a","kid":null}`, `{"iss":"a","name":"Ann \ud83d"}`},
		{`{"alg":"a","x":"\ud83d"}`, `{"iss":"a\udc00"}`},
		{`{"alg":"a"}`, `{"a\ud83d":1,"a\ud83e":2,"iss":"a"}`},
		{`{"alg":"a\ud83d"}`, `{"iss":"a"}`},
		{`{"alg":"a"}`, `{"iss":"a","x":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `}`},
		{`{"alg":"a"}`, `{"iss":"a","x":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}`},
		{`{"alg":"a","x":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}`, `{"iss":"a"}`},
		{"\xef\xbb\xbf" + `{"alg":"a"}`, `{"iss":"a"}`},
		{`{"alg":"a"}`, "\xef\xbb\xbf" + `{"iss":"a"}`},
		{`{"alg":"a","jwk":{"d":1}}`, `{"iss":"a","n":1e400}`},
	} {
		f.Add([]byte(c.header), []byte(c.payload), "sig")
	}
	f.Fuzz(func(t *testing.T, header, payload []byte, signature string) {
		enc := base64.RawURLEncoding.EncodeToString
		for _, s := range []string{enc(header) + "." + enc(payload) + "." + signature,
			enc(header) + "." + enc(payload), string(header)} {
			got, ok := Issuer(s)
			want, fits := taken(s)
			if got != want || ok != fits {
				t.Fatalf("%s . %s: %q %t, and taken apart %q %t", header, payload, got, ok, want, fits)
			}
		}
	})
}

func BenchmarkIssuer(b *testing.B) {
	enc := base64.RawURLEncoding.EncodeToString
	tok := enc([]byte(`{"alg":"RS256","typ":"JWT","kid":"FJ86GcF3jTbNLOco4NvZkUCIUmfYCqoqtOQeMfbhNlE"}`)) + "." +
		enc([]byte(
			`{"exp":1795351775,"iat":1795351475,"jti":"onrtac:1","iss":"https://login.acme.example/realms/acme","aud":["orders-api","account"],"sub":"5f2a8c3e",`+
				`"typ":"Bearer","azp":"web","sid":"b0b9b6f2","acr":"1","realm_access":{"roles":["offline_access"]},"scope":"openid orders:read"}`)) + "." + enc(make([]byte, 256))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := Issuer(tok); !ok {
			b.Fatal("not read")
		}
	}
}
