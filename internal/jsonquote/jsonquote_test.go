package jsonquote_test

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/jsonquote"
)

func TestAppendIsAppendQuote(t *testing.T) {
	for at := range 20 {
		for c := range 256 {
			s := strings.Repeat("a", at) + string([]byte{byte(c)}) + strings.Repeat("~", 19-at)
			agree(t, s[:at+1])
			agree(t, s)
		}
	}
	for _, s := range []string{"", "plain", "a\"b", `\`, "é", "\u2028", "\xff", "日本語のテキスト", "12345678\x00", "\x7f"} {
		agree(t, s)
	}
}

func FuzzAppend(f *testing.F) {
	f.Add("orders:read")
	f.Add("a\x1f\"\\\xc2é")
	f.Fuzz(agree)
}

func agree(t *testing.T, s string) {
	t.Helper()
	want, wantErr := jsontext.AppendQuote([]byte("x"), s)
	got, err := jsonquote.Append([]byte("x"), s)
	if string(got) != string(want) || (err == nil) != (wantErr == nil) {
		t.Fatalf("%q: %q, %v, want %q, %v", s, got, err, want, wantErr)
	}
}

func BenchmarkAppend(b *testing.B) {
	var dst []byte
	for b.Loop() {
		dst, _ = jsonquote.Append(dst[:0], "https://as.example/realms/acme")
	}
}
