package signature_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle/archive"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// payload are the claims of the signature of a bundle, to be changed.
func payload(t testing.TB, a *archive.Archive) map[string]any {
	t.Helper()
	parts := strings.Split(pieces(t, a).Signatures[0], ".")
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(raw, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// claiming is a bundle that ann signed with changed claims.
func (p person) claiming(t testing.TB, a *archive.Archive, change func(claims map[string]any)) *archive.Archive {
	t.Helper()
	claims := payload(t, p.sign(t, a))
	change(claims)
	signer, err := jose.NewSigner(secret.New(p.private), p.algorithm, p.id)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signer.Sign("JWT", claims)
	if err != nil {
		t.Fatal(err)
	}
	return envelope{Signatures: []string{token.Reveal()}}.on(t, a)
}

func TestVerify_TakesTheAlgorithmFromTheConfigurationAlone(t *testing.T) {
	ann := newPerson(t, "ann")
	a := bundleOf(t, small)
	body := strings.Split(pieces(t, ann.sign(t, a)).Signatures[0], ".")[1]
	encode := base64.RawURLEncoding.EncodeToString
	unsigned := encode([]byte(`{"alg":"none","kid":"ann","typ":"JWT"}`)) + "." + body
	confused := encode([]byte(`{"alg":"HS256","kid":"ann","typ":"JWT"}`)) + "." + body
	mac := hmac.New(sha256.New, []byte(ann.public))
	mac.Write([]byte(confused))
	for name, token := range map[string]string{"none": unsigned + ".",
		"the public key as a secret": confused + "." + encode(mac.Sum(nil))} {
		t.Run(name, func(t *testing.T) {
			refused(t, trusting(t, ann), envelope{Signatures: []string{token}}.on(t, a), `b/.signatures.json: `+
				`signature_error: the signature by key "ann" has an alg or enc that is not allowed: compare the key with `+
				`that of the signer`)
		})
	}
}

func TestVerify_RefusesClaimsThatDoNotHold(t *testing.T) {
	ann := newPerson(t, "ann")
	keys, a := trusting(t, ann), bundleOf(t, map[string]string{".manifest": small[".manifest"],
		"x.rego": "package orders\n"})
	files := func(claims map[string]any) []any { return claims["files"].([]any) }
	const at = "b/.signatures.json: signature_error: the signature "
	for name, c := range map[string]struct {
		change func(claims map[string]any)
		want   string
	}{
		"weak hash": {func(c map[string]any) {
			files(c)[1] = map[string]any{"name": "x.rego", "hash": "d41d8cd98f00b204e9800998ecf8427e",
				"algorithm": "MD5"}
		}, `b/x.rego: signature_error: the hash "MD5" is too weak, or not known: sign with SHA-256`},
		"no hash": {func(c map[string]any) { files(c)[1].(map[string]any)["algorithm"] = "" },
			`b/x.rego: signature_error: the hash "" is too weak, or not known: sign with SHA-256`},
		"file named twice": {func(c map[string]any) { c["files"] = append(files(c), files(c)[0]) },
			at + `names the file ".manifest" twice`},
		"file that is not there": {func(c map[string]any) {
			c["files"] = append(files(c), map[string]any{"name": "y.rego", "hash": "", "algorithm": "SHA-256"})
		}, at + `names the file "y.rego", which is not in the bundle`},
		"spelling of a name": {func(c map[string]any) { files(c)[1].(map[string]any)["name"] = "./x.rego" }, at +
			`names the file "./x.rego", which is not in the bundle` + "\n" +
			"b/x.rego: signature_error: the file is not in the signature: it was added after the bundle was signed"},
		"other digest": {func(c map[string]any) { c["digest"] = "sha256:" + testDigest },
			at + "names the digest sha256:" +
				testDigest + ", and that of the files is " + a.Digest + ": a file was changed"},
		"odd digest": {func(c map[string]any) { c["digest"] = "sha256:abc" }, at +
			"names a digest that is not sha256:<hex>"},
		"expired": {func(c map[string]any) { c["exp"] = time.Now().Add(-time.Second).Unix() }, at +
			"has expired: sign the bundle again"},
		"early": {func(c map[string]any) { c["nbf"] = time.Now().Add(time.Hour).Unix() }, at +
			"is not valid yet: compare the clocks"},
		"review without a report": {func(c map[string]any) { c["review"] = map[string]any{} }, at +
			"names a review without its report"},
		"other claims": {func(c map[string]any) { c["files"] = "all" },
			at + "has claims that are not those of a bundle"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, keys, ann.claiming(t, a, c.change), c.want) })
	}
	verified(t, keys, ann.claiming(t, a, func(c map[string]any) { delete(c, "digest") }))
}

func TestVerify_RefusesAFileOfSignaturesThatOPAMayReadOtherwise(t *testing.T) {
	ann := newPerson(t, "ann")
	keys, a := trusting(t, ann), ann.sign(t, bundleOf(t, small))
	token := pieces(t, a).Signatures[0]
	const at = "b/.signatures.json: signature_error: it "
	const form = at + "is not a JSON object with signatures and countersignatures, which are lists of texts"
	for name, c := range map[string]struct{ text, want string }{
		"empty":      {"", form},
		"twice":      {`{"signatures": ["` + token + `"], "signatures": ["x"]}`, form},
		"other case": {`{"signatures": ["` + token + `"], "Signatures": ["x"]}`, form},
		"more":       {`{"signatures": ["` + token + `"]} {}`, form},
		"plugin": {`{"signatures": ["` + token + `"], "plugin": "own"}`,
			at + "names a plugin that OPA was extended with"},
		"no signature": {`{"signatures": []}`, at + "holds no signature"},
		"two": {`{"signatures": ["` + token + `", "` + token + `"]}`,
			at + "holds more than one signature, and OPA takes exactly one: add another by sidecar bundle sign " +
				"--countersign"},
		"no token": {`{"signatures": ["x"]}`, "b/.signatures.json: signature_error: the signature is no " +
			"well-formed token"},
		"padded token": {`{"signatures": ["` + token + `="]}`,
			"b/.signatures.json: signature_error: the signature is no well-formed token"},
		"many counters": {`{"signatures": ["` + token + `"], "countersignatures": ["` + strings.Repeat(`x","`, 16) +
			`x"]}`, at + "holds more than 16 countersignatures"},
	} {
		t.Run(name, func(t *testing.T) {
			b := *a
			b.Signatures = []byte(c.text)
			refused(t, keys, &b, c.want)
		})
	}
}

func TestExclude_IsForFilesThatDecideNothing(t *testing.T) {
	ann := newPerson(t, "ann")
	key := ann.key(t)
	signed := ann.sign(t, bundleOf(t, small))
	later := moved(bundleOf(t, with(map[string]string{"docs/note.md": "later\n", "orders/x.rego": "package orders\n",
		"orders/x_test.rego": "package orders.x_test\n"})), signed)
	cfg := excluding(key, "docs/*", "orders/*")
	refused(t, opened(t, cfg), later,
		"b/orders/x.rego: signature_error: the file is not in the signature: it was added after the bundle was signed",
		"b/orders/x_test.rego: signature_error: the file is not in the signature: it was added after the bundle was "+
			"signed")
	note := moved(bundleOf(t, with(map[string]string{"docs/note.md": "later\n"})), signed)
	verified(t, opened(t, cfg), note)
	verified(t, opened(t, cfg), ann.countersign(t, note))
	refused(t, opened(t, excluding(key)), note,
		"b/docs/note.md: signature_error: the file is not in the signature: it was added after the bundle was signed")
}
