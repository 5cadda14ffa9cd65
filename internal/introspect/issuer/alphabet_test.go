package issuer

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// otherAlphabets are tokens of the alphabet of RFC 6749 appendix A.12 that RFC 6750 does not know: of Salesforce,
// Laravel Sanctum, Amazon, OpenShift, and all of it at once.
func otherAlphabets() []string {
	return []string{
		"00D000000000001!AQ0AQFakeFakeFakeFake.Fake_Fake", "1|laravel_sanctum_WGFrZQ", "Atza|IwEBIFake",
		"sha256~fake:fake", "$2y$10$fakefakefake",
		"a%2Fb&token=c+d=e", "!#$%&'()*+-./:;<=>?@[]^_`{|}~",
	}
}

// TestATokenOfAnotherAlphabetIsAskedAboutAsItIs: in a form and in JSON, kept under a name of its own, and in no claim
// and no log.
func TestATokenOfAnotherAlphabetIsAskedAboutAsItIs(t *testing.T) {
	var mu sync.Mutex
	var got []string
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		tok := r.PostFormValue("token")
		if r.Header.Get("Content-Type") == "application/json" {
			var body map[string]string
			_ = json.NewDecoder(r.Body).Decode(&body)
			tok = body["access_token"]
		}
		mu.Lock()
		got = append(got, tok)
		mu.Unlock()
		echo, _ := json.Marshal(map[string]any{
			"active": true, "sub": "u", "echo": "token " + tok + ".", "url": "https://as/?t=" + url.QueryEscape(tok),
			"b64": base64.StdEncoding.EncodeToString([]byte(tok)),
			"app": map[string]string{"client_id": "c"}, "token": tok, "user": map[string]any{"id": 1},
		})
		testkit.ReplyJSON(string(echo))(w, r)
	})
	for _, dialect := range []string{"rfc7662", "github"} {
		i, l := open(t, u.URL, speaking(dialect))
		for _, tok := range otherAlphabets() {
			for range 2 {
				c, err := i.Introspect(t.Context(), introspect.Question{Token: secret.New(tok)})
				if err != nil || !c.Active {
					t.Fatalf("%s: %+v, %v", tok, c, err)
				}
				for name, form := range map[string]string{
					"token": tok, "token in a URL": url.QueryEscape(tok), "token in JSON": quotedJSON(tok),
					"token in base64": base64.StdEncoding.EncodeToString([]byte(tok)),
				} {
					if strings.Contains(string(c.Raw)+l.String(), form) {
						t.Errorf("%s: the %s is told: %s", tok, name, c.Raw)
					}
				}
			}
			mu.Lock()
			if len(got) != 1 || got[0] != tok {
				t.Errorf("%s: asked about %q", tok, got)
			}
			got = nil
			mu.Unlock()
		}
		if n := i.Stats().Active.Entries; n != len(otherAlphabets()) {
			t.Errorf("%d answers are kept", n)
		}
		if n, err := i.Evict(authz.Revocation{Token: secret.New(otherAlphabets()[0])}); err != nil || n != 1 {
			t.Errorf("evicted %v, %v", n, err)
		}
	}
}

func quotedJSON(s string) string {
	b, _ := json.Marshal(s)
	return string(b[1 : len(b)-1])
}
