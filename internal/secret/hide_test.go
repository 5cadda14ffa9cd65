package secret_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

const hidden = "s3cr3t/token+with.all-of~it=="

func escaped(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02x", s[i])
	}
	return b.String()
}

// forms are the ways in which requests repeat a secret.
func forms(s string) map[string]string {
	std, raw := base64.StdEncoding.EncodeToString, base64.RawURLEncoding.EncodeToString
	units := ""
	for _, r := range s {
		units += fmt.Sprintf(`\u%04x`, r)
	}
	return map[string]string{
		"plain": s, "within a text": "curl " + s + "!", "percent-encoded": url.QueryEscape(s),
		"every character of it": escaped(s), "twice": url.QueryEscape(url.QueryEscape(s)),
		"three times": url.QueryEscape(url.QueryEscape(escaped(s))), "base64": std([]byte(s)),
		"base64url": raw([]byte(s)), "base64 of a text before it": std([]byte("a:" + s)),
		"base64 of a text around it":      std([]byte("Bearer " + s + ", and more")),
		"base64url of one byte before it": raw([]byte("x" + s + "y")),
		"base64, percent-encoded":         url.QueryEscape(std([]byte("user:" + s))),
		"base64 in lines":                 std([]byte(s))[:5] + "\r\n" + std([]byte(s))[5:],
		"hexadecimal":                     hex.EncodeToString([]byte(s)), "in capitals": strings.ToUpper(
			hex.EncodeToString([]byte(s))),
		"JSON in a text": strings.ReplaceAll(`{"t":"`+s+`"}`, "/", `\/`), "units of JSON": units,
	}
}

func TestASecretIsHiddenInEveryForm(t *testing.T) {
	for _, s := range []string{hidden, "2YotnFZFEjr1zCsicMWpAA", "00D000000000001!AQ0AQ|Fake:$x", "abc-12"} {
		for name, text := range forms(s) {
			h := secret.NewHider(secret.New(s))
			got := h.Hide(text)
			if !h.In(text) || !strings.Contains(got, secret.Redacted) || h.In(got) || strings.Contains(got, s) {
				t.Errorf("%s, %s: %q is left as %q", s, name, text, got)
			}
		}
	}
}

func TestTextBesideASecretStays(t *testing.T) {
	h := secret.NewHider(secret.New(hidden))
	if got, want := h.Hide("curl/8.0 "+hidden+" (x)"), "curl/8.0 "+secret.Redacted+" (x)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, text := range []string{"", "/orders/42", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 " +
		"Chrome/120.0.0.0", strings.Repeat("QUJD", 1000), "100%", `\`, "%zz%", hidden[1:], "s3cr3t"} {
		if got := h.Hide(text); got != text || h.In(text) {
			t.Errorf("%q becomes %q", text, got)
		}
	}
	if h := secret.NewHider(secret.New("")); h.Hide("text") != "text" || h.In("text") || h.InFold("text") ||
		h.InJSON([]byte(`"text"`)) {
		t.Error("no secret is found in a text")
	}
}

func TestAShortSecretIsHiddenWhereItIsTheWholeText(t *testing.T) {
	h := secret.NewHider(secret.New("abc"))
	for text, want := range map[string]string{"abc": secret.Redacted, "abcd": "abcd", "/abc/": "/abc/",
		"%61bc": secret.Redacted} {
		if got := h.Hide(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestASecretIsHiddenInJSON(t *testing.T) {
	for name, text := range forms(hidden) {
		h := secret.NewHider(secret.New(hidden))
		quoted, err := jsontext.AppendQuote(nil, text)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range []string{`{"a":` + string(quoted) + `,"n":1.50}`,
			`{"a":{"b":[1,{` + string(quoted) + `:true}]},"n":1.50}`} {
			got := string(h.JSON([]byte(v)))
			if !h.InJSON([]byte(v)) || !jsontext.Value(got).IsValid() || h.In(got) ||
				!strings.Contains(got, secret.Redacted) || !strings.Contains(got, `"n":1.50`) {
				t.Errorf("%s: %s becomes %s", name, v, got)
			}
		}
	}
}

func FuzzNothingOfASecretIsLeft(f *testing.F) {
	for _, text := range forms(hidden) {
		f.Add(hidden, text)
	}
	f.Fuzz(func(t *testing.T, s, text string) {
		if len(s) < 6 || strings.Contains(secret.Redacted, s) {
			return
		}
		h := secret.NewHider(secret.New(s))
		if got := h.Hide(text); h.In(got) || strings.Contains(got, s) {
			t.Fatalf("%q: %q becomes %q", s, text, got)
		}
	})
}
