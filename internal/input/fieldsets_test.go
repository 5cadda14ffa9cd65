package input

import (
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// read reads a request with headers, and takes a token out of it.
func read(t *testing.T, r *Rules, token string, headers map[string][]string) (Request, bool) {
	t.Helper()
	q, err := r.Query(&authz.Query{Request: authz.Request{Method: "GET", URL: "/a", Headers: headers}})
	if err != nil {
		t.Fatal(err)
	}
	known := q.known != nil
	if q, err = q.WithoutToken(secret.NewHider(secret.New(token))); err != nil {
		t.Fatal(err)
	}
	return q.Request, known
}

func TestHeadersThatComeOftenAreKeptOnce(t *testing.T) {
	r := NewRules(Config{Headers: []string{"X-A", "x-b"}})
	for name, headers := range map[string]map[string][]string{
		"one": {"x-a": {"1"}}, "the same value in another": {"x-b": {"1"}}, "both": {"x-a": {"1"}, "x-b": {"1"}},
		"an empty one": {"x-a": {""}, "x-c": {"hidden"}},
	} {
		for i, want := range []bool{false, false, true, true} {
			got, known := read(t, r, "the-token-of-the-client", headers)
			visible := maps.Clone(headers)
			delete(visible, "x-c")
			if known != want || !reflect.DeepEqual(got.Headers, visible) {
				t.Errorf("%s, request %d: %v, kept: %t", name, i, got.Headers, known)
			}
		}
	}
	for name, headers := range map[string]map[string][]string{
		"none": {}, "two fields": {"x-a": {"1", "2"}},
		"long ones":       {"x-a": {strings.Repeat("a", setBytes)}, "x-b": {"1"}},
		"a token":         {"x-a": {"the-token-of-the-client"}},
		"a token in hex":  {"x-a": {fmt.Sprintf("%x", "the-token-of-the-client")}},
		"a token in text": {"x-a": {"1"}, "x-b": {"it is the-token-of-the-client"}},
	} {
		for range 4 {
			got, known := read(t, r, "the-token-of-the-client", headers)
			if known || strings.Contains(fmt.Sprint(got.Headers), "the-token") {
				t.Errorf("%s: %v, kept: %t", name, got.Headers, known)
			}
		}
	}
}

// TestATokenIsHiddenInHeadersThatWereKeptForAnother has one client send as a header what is the token of another.
func TestATokenIsHiddenInHeadersThatWereKeptForAnother(t *testing.T) {
	r := NewRules(Config{Headers: []string{"x-a"}})
	headers := map[string][]string{"x-a": {"the-token-of-the-client"}}
	for range 3 {
		read(t, r, "another-token-that-is-of-no-concern", headers)
	}
	got, known := read(t, r, "the-token-of-the-client", headers)
	if !known || got.Headers["x-a"][0] != secret.Redacted {
		t.Errorf("%v, kept: %t", got.Headers, known)
	}
	got, _ = read(t, r, "another-token-that-is-of-no-concern", headers)
	if got.Headers["x-a"][0] == secret.Redacted {
		t.Error("what was kept has changed")
	}
}

// FuzzHeadersAreTheSameWhetherKeptOrNot compares what policies see by rules that have seen much with what they see by
// rules that have seen nothing.
func FuzzHeadersAreTheSameWhetherKeptOrNot(f *testing.F) {
	f.Add("1", "2", "the-token", uint8(7))
	f.Add("the-token", "", "the-token", uint8(3))
	f.Add("a", "a", "b", uint8(13))
	cfg := Config{Headers: []string{"x-a", "x-b"}}
	seen := NewRules(cfg)
	f.Fuzz(func(t *testing.T, a, b, token string, which uint8) {
		headers := map[string][]string{}
		for i, name := range []string{"x-a", "x-b", "x-c"} {
			if which>>i&1 == 1 {
				headers[name] = []string{[]string{a, b, a}[i]}
			}
		}
		if which>>3&1 == 1 {
			headers["x-a"] = append(headers["x-a"], b)
		}
		q := authz.Query{Request: authz.Request{Method: "GET", URL: "/a", Headers: headers}}
		by := func(r *Rules) (map[string][]string, string) {
			asked, err := r.Query(&q)
			if err == nil {
				asked, err = asked.WithoutToken(secret.NewHider(secret.New(token)))
			}
			return asked.Request.Headers, fmt.Sprint(err)
		}
		for range 3 {
			got, gotErr := by(seen)
			want, wantErr := by(NewRules(cfg))
			if gotErr != wantErr || gotErr == "<nil>" && !reflect.DeepEqual(got, want) {
				t.Fatalf("%q: got %q %s, want %q %s", headers, got, gotErr, want, wantErr)
			}
		}
	})
}
