//go:build real

package realtest

import (
	"crypto/ed25519"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// identityBlock is what docs/upstream-token.md shows in a language, with the keys at url.
func identityBlock(t *testing.T, language, url string) string {
	t.Helper()
	_, part, _ := strings.Cut(testkit.ReadFile(t, "../../docs/upstream-token.md"), "```"+language+"\n")
	code, _, ended := strings.Cut(part, "```")
	if !ended || !strings.Contains(code, "http://127.0.0.1:8181") {
		t.Fatalf("the page shows nothing in %s", language)
	}
	return strings.ReplaceAll(code, "http://127.0.0.1:8181", url)
}

// identityTokens serves the public key, and returns its URL, a token that verifies, and such as must be refused.
func identityTokens(t *testing.T) (url, good string, bad []string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key := jose.JSONWebKey{Key: public, KeyID: "1", Algorithm: "EdDSA"}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key}})
	if err != nil {
		t.Fatal(err)
	}
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/.well-known/jwks.json" {
			_, _ = w.Write(set)
		}
	}))
	t.Cleanup(keys.Close)
	signed := func(change func(claims map[string]any)) string {
		now := time.Now().Unix()
		claims := map[string]any{"iss": "https://sidecar.acme.example", "aud": "orders", "sub": "alice", "iat": now,
			"nbf": now, "exp": now + 60}
		change(claims)
		return sign(t, jose.SigningKey{Algorithm: jose.EdDSA, Key: private},
			(&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", "1"), claims)
	}
	good = signed(func(map[string]any) {})
	head, _, _ := strings.Cut(good, ".")
	other := signed(func(c map[string]any) { c["sub"] = "mallory" })
	return keys.URL, good, []string{"", "abc", head + good[strings.LastIndex(good, "."):],
		other[:strings.LastIndex(other, ".")] + good[strings.LastIndex(good, "."):],
		signed(func(c map[string]any) { c["aud"] = "billing" }), signed(func(c map[string]any) { delete(c, "aud") }),
		signed(func(c map[string]any) { c["iss"] = "https://other.example" }),
		signed(func(c map[string]any) { c["exp"] = 1 }), signed(func(c map[string]any) { delete(c, "exp") }),
		signed(func(c map[string]any) { c["nbf"] = time.Now().Unix() + 3600 })}
}

// TestTheSnippetsVerifyASignedIdentity runs what docs/upstream-token.md shows.
func TestTheSnippetsVerifyASignedIdentity(t *testing.T) {
	url, good, bad := identityTokens(t)
	for language, verify := range map[string]func(t *testing.T, code, token string) *exec.Cmd{
		"python": func(t *testing.T, code, token string) *exec.Cmd {
			t.Helper()
			return exec.Command(filepath.Join(pythonEnvironment(t, "mcp-python"), "bin", "python"), "-c",
				"import sys\n"+code+"\nprint(identity(sys.argv[1], 'https://sidecar.acme.example', 'orders')['sub'])",
				token)
		},
		"js": func(t *testing.T, code, token string) *exec.Cmd {
			t.Helper()
			cmd := exec.Command(tool(t, "node", "install Node 20 or newer"), "--input-type=module", "-e",
				code+"\nconsole.log((await identity(process.argv[1], 'https://sidecar.acme.example', 'orders')).sub)", token)
			cmd.Dir = mcpFolder(t)
			return cmd
		},
	} {
		t.Run(language, func(t *testing.T) {
			code := identityBlock(t, language, url)
			if out, err := verify(t, code, good).CombinedOutput(); err != nil || string(out) != "alice\n" {
				t.Errorf("the good token: %v\n%s", err, out)
			}
			for _, token := range bad {
				if out, err := verify(t, code, token).Output(); err == nil || len(out) > 0 {
					t.Errorf("%s is accepted: %s", token, out)
				}
			}
		})
	}
}
