package native_test

import (
	"html"
	"regexp"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/door/native"
)

func TestThePageShowsThePathsOfItsListener(t *testing.T) {
	api, other := serve(t, listener(), native.Deps{}), admin(t, native.Deps{})
	_, page := api.do(t, "GET", "/", "", nil)
	_, ofAdmin := other.do(t, "GET", "/", "", nil)
	for _, want := range []string{"the api listener", "POST /v1/decisions/{path}", `href="/openapi.json"`,
		"curl " + api.url + "/v1/status", "curl " + api.url + "/v1/decisions/authz/decision -H"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s:\n%s", want, page)
		}
	}
	if strings.Contains(page, "/v1/evict") || !strings.Contains(ofAdmin, "/v1/evict") {
		t.Error("a page has the paths of another listener")
	}
}

// TestThePageLoadsNothing: the page has no script, no style and no resource, and its policy would refuse them.
func TestThePageLoadsNothing(t *testing.T) {
	s := serve(t, listener(), native.Deps{})
	resp, page := s.do(t, "GET", "/", "", nil)
	if got := regexp.MustCompile(`<script|<style|<link|<img|<iframe|src=|style=| on\w+=`).FindString(page); got != "" {
		t.Errorf("the page has %s", got)
	}
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		"Content-Type":            "text/html; charset=utf-8", "Cache-Control": "no-store",
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
}

// TestTheDescriptionNeedsNoKey, because it is public, and has nothing of the installation.
func TestTheDescriptionNeedsNoKey(t *testing.T) {
	s := serve(t, withKeys(t), native.Deps{})
	for _, path := range []string{"/", "/openapi.json"} {
		for _, method := range []string{"GET", "HEAD"} {
			if resp, _ := s.do(t, method, path, "", nil); resp.StatusCode != 200 {
				t.Errorf("%s %s: %s", method, path, resp.Status)
			}
		}
	}
	resp, body := s.do(t, "GET", "/", "", map[string][]string{"Origin": {"https://evil.example"}})
	expectError(t, resp, body, 403, "foreign_origin", "")
}

// TestThePageOfASocketNamesTheSocket, and not the Host, which nothing has checked there.
func TestThePageOfASocketNamesTheSocket(t *testing.T) {
	s, path := onSocket(t)
	_, page := s.do(t, "GET", "/", "", nil)
	want := html.EscapeString("curl --unix-socket '" + path + "' http://localhost/v1/status")
	if !strings.Contains(page, want) || strings.Contains(page, "anything.example") {
		t.Errorf("the page has no %s:\n%s", want, page)
	}
}
