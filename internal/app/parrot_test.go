package app

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// parrot is an authorization server and a transmitter. At first it does what it should; then it says everything that
// it is sent, in every place that an answer has. It remembers the credentials that it saw.
type parrot struct {
	*httptest.Server
	mode    atomic.Int32 // of moods
	granted atomic.Int64
	poll    chan map[string]string

	mu   sync.Mutex
	seen map[string]bool
}

const (
	behaves int32 = iota
	says401
	says500
	saysHTML
	saysGibberish
	redirects
	moods
)

func newParrot(t *testing.T) *parrot {
	t.Helper()
	p := &parrot{seen: map[string]bool{}, poll: make(chan map[string]string, 10)}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

// credentials are all that it was sent.
func (p *parrot) credentials() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []string
	for s := range p.seen {
		all = append(all, s)
	}
	return all
}

func (p *parrot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(body))
	_, bearer, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	all := bearer
	p.mu.Lock()
	for _, s := range []string{bearer, form.Get("token"), form.Get("client_assertion"), form.Get("client_secret")} {
		if s != "" {
			p.seen[s] = true
			all += s
		}
	}
	p.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Echo", all)
	mood := p.mode.Load()
	if r.Method == http.MethodGet && mood != saysHTML {
		mood = behaves
	}
	switch mood {
	case behaves:
		p.behave(w, r, form)
	case says401, says500:
		w.Header().Set("Retry-After", all)
		w.WriteHeader(map[int32]int{says401: 401, says500: 500}[mood])
		_, _ = fmt.Fprintf(w, `{"error":%q,"error_description":%q}`, all, all)
	case saysHTML:
		w.Header().Set("Content-Type", "text/html; charset="+all)
		_, _ = io.WriteString(w, "<p>"+all)
	case saysGibberish:
		_, _ = fmt.Fprintf(w, `{"active":true,"access_token":[%q],"exp":%q,"sets":[%q],%q:1`, all, all, all, all)
	case redirects:
		w.Header().Set("Location", "/?"+all)
		w.WriteHeader(http.StatusFound)
	}
}

func (p *parrot) behave(w http.ResponseWriter, r *http.Request, form url.Values) {
	says := func(v any) { _ = json.NewEncoder(w).Encode(v) }
	switch r.URL.Path {
	case "/.well-known/oauth-authorization-server":
		says(map[string]any{"issuer": p.URL, "introspection_endpoint": p.URL + "/introspect",
			"token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/jwks"})
	case "/.well-known/ssf-configuration":
		says(map[string]any{"issuer": p.URL, "jwks_uri": p.URL + "/jwks", "configuration_endpoint": p.URL + "/streams",
			"verification_endpoint": p.URL + "/verify"})
	case "/jwks":
		says(map[string]any{"keys": []any{}})
	case "/token":
		tok := fmt.Sprintf("a-token-of-the-sidecar-itself-%d-c3", p.granted.Add(1))
		p.mu.Lock()
		p.seen[tok] = true
		p.mu.Unlock()
		says(map[string]any{"access_token": tok, "token_type": "Bearer", "expires_in": 2})
	case "/introspect":
		if strings.HasPrefix(form.Get("token"), "a-token-of-the-sidecar") ||
			strings.HasPrefix(form.Get("token"), "good") {
			says(map[string]any{"active": true, "sub": "alice", "client_id": "web", "scope": "orders:read",
				"aud": "orders-api", "tenant": "globex"})
			return
		}
		says(map[string]any{"active": false})
	case "/streams":
		if r.Method == http.MethodGet {
			says([]any{})
			return
		}
		w.WriteHeader(http.StatusCreated)
		says(map[string]any{"stream_id": "s", "iss": p.URL, "aud": "sidecar/2",
			"delivery": map[string]any{"method": "urn:ietf:rfc:8936", "endpoint_url": p.URL + "/poll"}})
	case "/poll":
		select {
		case sets := <-p.poll:
			says(map[string]any{"sets": sets})
		default:
			says(map[string]any{"sets": map[string]string{}})
		}
	}
}
