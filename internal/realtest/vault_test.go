//go:build real

package realtest

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// vault knows every secret and every token of a test, to find them where they must not be.
type vault map[string]string // by value, what it is

// secret makes a secret with characters that RFC 6749 wants encoded in client authentication.
func (v vault) secret(what string) string { return v.keep(what, rand.Text()+": 5%+&y") }

// keep remembers a value. What is too short to be told from ordinary text is a mistake of the test.
func (v vault) keep(what, value string) string {
	if len(value) < 16 {
		panic("the " + what + " is too short to look for")
	}
	v[value] = what
	return value
}

// found names the secrets that occur in text, in any of the forms they travel in. It never shows one.
func (v vault) found(text []byte) []string {
	// Texts are long and forms are many: the text is walked through once. No form is shorter than a window.
	const size = 16
	type window [size]byte
	type form struct{ text, what string }
	begins := map[window][]form{}
	for value, what := range v {
		for _, f := range forms(value) {
			w, known := window([]byte(f)), form{f, what}
			if !slices.Contains(begins[w], known) {
				begins[w] = append(begins[w], known)
			}
		}
	}
	names := map[string]bool{}
	for ; len(text) >= size; text = text[1:] {
		for _, f := range begins[window(text)] {
			if bytes.HasPrefix(text, []byte(f.text)) {
				names[f.what] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// forms are the ways to write a secret. Of a JWT each part counts, so that one cut short is found too.
func forms(value string) []string {
	parts := []string{value}
	if pieces := strings.Split(value, "."); len(pieces) == 3 {
		parts = slices.DeleteFunc(pieces, func(p string) bool { return len(p) < 16 })
	}
	var all []string
	for _, p := range parts {
		b := []byte(p)
		all = append(all, p, url.QueryEscape(p), url.PathEscape(p), hex.EncodeToString(b),
			// Where the encoded text begins within a longer one changes all but the middle: enough for a secret alone.
			strings.TrimRight(base64.StdEncoding.EncodeToString(b), "="),
			strings.TrimRight(base64.URLEncoding.EncodeToString(b), "="))
	}
	return all
}

func TestVaultFindsWhatIsHidden(t *testing.T) {
	v := vault{}
	secret := v.secret("secret of a client")
	token := v.keep("token", "aaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbb.cccccccccccccccccccc")
	for name, text := range map[string]string{
		"a secret as it is":                   secret,
		"a secret in a form":                  "client_secret=" + url.QueryEscape(secret),
		"a secret in base64":                  base64.StdEncoding.EncodeToString([]byte(secret)),
		"a token in the middle of a line":     `{"token":"` + token + `"}`,
		"the signature of a token on its own": "cccccccccccccccccccc",
	} {
		if len(v.found([]byte(text))) != 1 {
			t.Errorf("%s is not found", name)
		}
	}
	if names := v.found([]byte("nothing to see")); len(names) > 0 {
		t.Errorf("%v are found where there is nothing", names)
	}
}
