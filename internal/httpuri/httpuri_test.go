package httpuri_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/authz-sidecar/sidecar/internal/httpuri"
)

func TestHostsHaveOneSpelling(t *testing.T) {
	for host, want := range map[string]string{
		"API.example.": "api.example", "10.0.0.1": "10.0.0.1", "my_host-1": "my_host-1",
		"[::1]": "[::1]", "[0:0:0:0:0:0:0:1]": "[::1]", "[2001:DB8::0:1]": "[2001:db8::1]",
		"[2001:0db8:0:0:0:0:0:1]": "[2001:db8::1]",
		"[::ffff:10.0.0.1]":       "10.0.0.1", "[::ffff:a00:1]": "10.0.0.1",
	} {
		if got, ok := httpuri.Host(host); !ok || got != want {
			t.Errorf("%q: got %q, %v, want %q", host, got, ok, want)
		}
	}
	for _, host := range []string{
		"", ".", "..", "a..b", ".a", "a..", "a b", "a@b", "a%2eb", "a:80", "::1", "[::1", "::1]", "[]", "[10.0.0.1]",
		"[a]", "[v1.x]", "[::1%25eth0]", "[::1%eth0]",
		"[fe80::1%25eth0]", "b\u00fccher.example", "a\u3002example", "a\x00", strings.Repeat("a", 254),
	} {
		if got, ok := httpuri.Host(host); ok {
			t.Errorf("%q is read as %q", host, got)
		}
	}
	if got, ok := httpuri.ConfiguredHost("2001:DB8::1"); !ok || got != "[2001:db8::1]" {
		t.Errorf("a configured address without brackets: got %q, %v", got, ok)
	}
}

func TestAuthoritiesAreAHostAndAPort(t *testing.T) {
	for s, want := range map[string]httpuri.Authority{
		"a.example": {Host: "a.example"}, "A.example:8443": {Host: "a.example", Port: 8443},
		"[::1]:1": {Host: "[::1]", Port: 1}, "[::1]": {Host: "[::1]"}, "a:080": {Host: "a", Port: 80},
	} {
		if got, ok := httpuri.ReadAuthority(s); !ok || got != want {
			t.Errorf("%q: got %+v, %v, want %+v", s, got, ok, want)
		}
	}
	for _, s := range []string{"", ":80", "a:", "a:0", "a:65536", "a:x", "a:+80", "u@a", "u:p@a:80", "::1", "[::1]80",
		"a:80:80"} {
		if got, ok := httpuri.ReadAuthority(s); ok {
			t.Errorf("%q is read as %+v", s, got)
		}
	}
}

func TestLoopbackIsThisMachineOnly(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST.": true, "127.0.0.1": true, "127.9.9.9": true, "::1": true, "[::1]": true,
		"[0:0::1]": true, "::ffff:127.0.0.1": true,
		"": false, "0.0.0.0": false, "::": false, "localhost.evil.example": false, "127.0.0.1.evil.example": false,
		"2130706433": false, "127.1": false, "::1%lo": false, "10.0.0.1": false,
	} {
		if got := httpuri.Loopback(host); got != want {
			t.Errorf("%q: got %v, want %v", host, got, want)
		}
	}
}

func TestOnlyLettersOfASCIIChangeTheirCase(t *testing.T) {
	for name, want := range map[string]string{"X-Tenant": "x-tenant", "author\u0130zation": "author\u0130zation",
		"\u212aey": "\u212aey", "": ""} {
		if got := httpuri.Lower(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestCredentialsAreVisibleASCII(t *testing.T) {
	for _, s := range []string{"00D0!AQ.x_y", "12|abc", "a:b", "a$b", "a-._~+/b==", "a=b", "%41", "#"} {
		if !httpuri.IsCredential(s) {
			t.Errorf("%q is refused (RFC 6749 appendix A.12)", s)
		}
	}
	for _, s := range []string{"", "=", "==", "a b", "a\tb", "a,b", `"a"`, `a\b`, "a\x7f", "\u00e9", "a\n"} {
		if httpuri.IsCredential(s) {
			t.Errorf("%q passes", s)
		}
	}
}

// ordinary are paths as people of many languages have them.
var ordinary = []string{
	"/a.b/c-d_e~f", "/orders/42:cancel", "/@me", "/caf\u00e9", "/cafe\u0301", "/\u65e5\u672c\u8a9e",
	"/\uff76\uff80\uff76\uff85", "/\u0437\u0430\u043a\u0430\u0437\u044b", "/\u0645\u0631\u062d\u0628\u0627",
	"/\u05e9\u05dc\u05d5\u05dd",
	"/\u0928\u092e\u0938\u094d\u0924\u0947", "/\ud55c\uad6d\uc5b4", "/\u1112\u1161\u11ab", "/\u4f60\u597d\u3002",
	"/\u00bd", "/\u20ac", "/\U0001f600", "/\u00a5", "/stra\u00dfe", "/\u0130", "/100%25", "/a%20b", "/what%3F",
	"/v1%23", "/.well-known/x", "/..a", "/...a", "/~u", "/\ufb01le",
}

func TestOrdinaryPathsOfAllLanguagesPass(t *testing.T) {
	for _, path := range ordinary {
		if _, _, err := httpuri.ReadPath(path, httpuri.RefuseAmbiguous); err != nil {
			t.Errorf("%q: %v", path, err)
		}
	}
}

func TestCharactersCompatibleWithADelimiterAreAmbiguous(t *testing.T) {
	for _, r := range "\uff0f\uff3c\ufe68\uff0e\u2024\ufe52\u2025\u2026\uff05\ufe6a\uff1b\ufe54\u037e\uff1f\ufe56\uff03\ufe5f\uff1a\ufe55\uff20\ufe6b\u2100\u2101\u2105\u2106\u2488" {
		for _, path := range []string{"/a" + string(r) + "b", "/a/" + string(r),
			"/a/" + string(r) + string(r) + "/b"} {
			if _, _, err := httpuri.ReadPath(path, httpuri.RefuseAmbiguous); err == nil {
				t.Errorf("U+%04X in %q passes", r, path)
			}
			if _, _, err := httpuri.ReadPath(path, httpuri.AcceptAmbiguous); err != nil {
				t.Errorf("U+%04X in %q: %v, where ambiguous paths are accepted", r, path, err)
			}
		}
	}
}

func TestSegmentsThatEndInADotOrABlankAreAmbiguous(t *testing.T) {
	for _, path := range []string{"/a.", "/a./b", "/a%2e", "/a%2E/b", "/a ", "/a%20/b", "/a%20", "/%20", "/a...",
		"/...", "/a.%20", "/a\u00a0", "/a\u3000/b", "/a%E3%80%80"} {
		if _, _, err := httpuri.ReadPath(path, httpuri.RefuseAmbiguous); err == nil {
			t.Errorf("%q passes", path)
		}
	}
}

func TestDoublyEncodedCharactersAreAmbiguous(t *testing.T) {
	for _, path := range []string{"/a%252fb", "/a%25%32%66b", "/a%25u002fb", "/a%25\uff12\uff26b", "/a%25%EF%BC%92F"} {
		if _, _, err := httpuri.ReadPath(path, httpuri.RefuseAmbiguous); err == nil {
			t.Errorf("%q passes", path)
		}
	}
}

// FuzzNoAcceptedPathIsSplitDifferentlyByAnother reads what passes as a more lenient program would: once more decoded,
// and with compatible characters in place of its own.
func FuzzNoAcceptedPathIsSplitDifferentlyByAnother(f *testing.F) {
	for _, s := range append(ordinary, "/a%2fb", "/%252e", "//x", "/a/../b", "/a\uff0fb", "/a%25\uff12\uff26b", "/a.",
		"/%2e%2e;/x", "/a%C2%85") {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		path, segments, err := httpuri.ReadPath(raw, httpuri.RefuseAmbiguous)
		if err != nil {
			return
		}
		if !utf8.ValidString(path) || path != "/"+strings.Join(segments, "/") {
			t.Fatalf("%q: segments %q do not make %q", raw, segments, path)
		}
		for i, s := range segments {
			for _, other := range []string{s, norm.NFKC.String(s)} {
				decoded, err := httpuri.Unescape(other)
				if err != nil {
					decoded = other
				}
				bad := strings.ContainsAny(decoded, `/\;`) || strings.ContainsFunc(decoded, unicode.IsControl) ||
					decoded == "" && i < len(segments)-1
				if bad || decoded != strings.TrimRight(decoded, ". ") {
					t.Fatalf("%q: segment %q is %q elsewhere", raw, s, decoded)
				}
			}
		}
	})
}
