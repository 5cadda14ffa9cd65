//go:build real

package realtest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
)

// callback is where people are sent back to. Nothing listens there.
const callback = "http://127.0.0.1:9/callback"

// browser reads the pages of an authorization server, and keeps its cookies.
type browser struct {
	*http.Client
	server string
	// fill says what to post for a page; nil when the page has nothing to fill in.
	fill func(page string) url.Values
	// action is where a page wants its form posted to; nil where that is the page itself.
	action func(page string) string
}

func newBrowser(t *testing.T, server string, fill func(page string) url.Values) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := client()
	c.Jar = jar
	return &browser{Client: c, server: server, fill: fill}
}

// codeFlow is one run of the authorization code flow (RFC 6749 section 4.1, RFC 7636).
type codeFlow struct {
	client           oauthClient
	authorize, token string
	// more is asked for, besides what every client asks.
	more url.Values
}

// login goes through a flow. There must be a refresh token at its end.
func (b *browser) login(t *testing.T, v vault, f codeFlow) session {
	t.Helper()
	verifier := rand.Text() + rand.Text()
	challenge := sha256.Sum256([]byte(verifier))
	query := url.Values{
		"client_id": {f.client.id}, "response_type": {"code"}, "redirect_uri": {callback}, "state": {rand.Text()},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}
	form := url.Values{"grant_type": {"authorization_code"}, "redirect_uri": {callback}, "code_verifier": {verifier}}
	for name, values := range f.more {
		query[name] = values
	}
	if r := f.more["resource"]; r != nil {
		form["resource"] = r // RFC 8707 section 2.2
	}
	form.Set("code", b.code(t, f.authorize+"?"+query.Encode()))
	c := client() // without the cookies
	c.Transport = b.Transport
	s := call{http: c, endpoint: f.token, form: form, as: f.client}.tokens(t, v)
	if s.refresh == "" {
		t.Fatalf("log in at %s: no refresh token", b.server)
	}
	return s
}

// code walks from page to page until it is sent back with a code.
func (b *browser) code(t *testing.T, at string) string {
	t.Helper()
	back, err := url.Parse(b.walk(t, at, callback))
	if err != nil || back.Query().Get("code") == "" {
		t.Fatalf("log in at %s: it answers %q", b.server, back.Query().Get("error_description"))
	}
	return back.Query().Get("code")
}

// walk goes from page to page, fills in what it can, and returns the address that it is sent to at last.
func (b *browser) walk(t *testing.T, at, end string) string {
	t.Helper()
	var form url.Values // to post next; nil to get
	for range 12 {
		status, location, page := b.visit(t, at, form)
		switch {
		case strings.HasPrefix(location, end):
			return location
		case location != "":
			at, form = location, nil
		default:
			if form = b.fill(page); form == nil {
				t.Fatalf("visit %s: status %d\n%s", b.server, status, tail(page))
			}
			if b.action != nil {
				at = b.action(page)
			}
		}
	}
	t.Fatalf("visit %s: too many steps", b.server)
	return ""
}

// visit asks for a page, or posts a form to it. location is absolute, and empty when the answer is a page.
func (b *browser) visit(t *testing.T, at string, form url.Values) (status int, location, page string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at, nil)
	if form != nil {
		req, err = http.NewRequestWithContext(t.Context(), http.MethodPost, at, strings.NewReader(form.Encode()))
	}
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := b.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if u, err := resp.Location(); err == nil {
		location = u.String()
	}
	return resp.StatusCode, location, string(body)
}
