package input

import (
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

func TestPoliciesSeeABodyAsText(t *testing.T) {
	r := NewRules(Config{BodyBytes: 10})
	for name, c := range map[string]struct {
		media, body, want string
		truncated         bool
	}{
		"whole":                          {"application/json", "caf\u00e9", "caf\u00e9", false},
		"empty":                          {"", "", "", false},
		"cut":                            {"text/plain", "0123456789a", "0123456789", true},
		"cut within a character":         {"application/json", "012345678\u00e9", "012345678", true},
		"cut within a long character":    {"", "01234567\U0001F600", "01234567", true},
		"cut before a character":         {"", "01234567\u00e9a", "01234567\u00e9", true},
		"binary":                         {"image/png", "\x89PNG\xff", "\uFFFDPNG\uFFFD", false},
		"binary, cut within a character": {"application/octet-stream", "\xff12345678\u00e9", "\uFFFD12345678", true},
	} {
		req := authz.Request{Method: "POST", URL: "/", HasBody: true, Body: c.body}
		if c.media != "" {
			req.Headers = map[string][]string{"content-type": {c.media}}
		}
		out, err := r.Request(&req)
		if err != nil || *out.Body != c.want || out.BodyTruncated != c.truncated {
			t.Errorf("%s: %+v, %v", name, out.Body, err)
		}
	}
}

func TestTextThatIsNotUTF8IsRefused(t *testing.T) {
	r := NewRules(Config{BodyBytes: 10})
	for _, media := range []string{"", "application/json", "application/problem+json; charset=utf-8", "text/plain",
		"application/x-www-form-urlencoded", "application/soap+xml", "no type", "APPLICATION/JSON"} {
		req := authz.Request{Method: "POST", URL: "/", HasBody: true, Body: "{\"a\":\"\xe9\"}",
			Headers: map[string][]string{"content-type": {media}}}
		if media == "" {
			req.Headers = nil
		}
		if _, err := r.Request(&req); err == nil || !strings.Contains(err.Error(), "not UTF-8") {
			t.Errorf("%q: %v", media, err)
		}
	}
	two := authz.Request{Method: "POST", URL: "/", HasBody: true, Body: "\xe9",
		Headers: map[string][]string{"content-type": {"image/png", "application/json"}}}
	if _, err := r.Request(&two); err == nil {
		t.Error("of two types one is chosen")
	}
}

func TestAHeaderThatPoliciesSeeIsUTF8(t *testing.T) {
	r := NewRules(Config{Headers: []string{"X-Name"}})
	req := authz.Request{Method: "GET", URL: "/", Headers: map[string][]string{"x-name": {"ok", "caf\xe9"}}}
	if _, err := r.Request(&req); authz.KindOf(err) != authz.Malformed {
		t.Errorf("got %v", err)
	}
	req.Headers = map[string][]string{"x-name": {"caf\u00e9"}, "x-unseen": {"caf\xe9"}}
	if _, err := r.Request(&req); err != nil {
		t.Errorf("got %v", err)
	}
}
