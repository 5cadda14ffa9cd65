// Package transmitter is the other side of revocation signals, for tests: an authorization server that signs logouts
// and transmits security events, recordings of real servers, and a ledger of what a receiver did.
package transmitter

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/jose"
)

const (
	// Name is the configured name of the issuer.
	Name = "acme"
	// StreamAudience is the aud of the stream.
	StreamAudience = "rs-ssf/stream-1"
	// ClientSecret is the secret of the sidecar's client.
	ClientSecret = "client-secret"
)

// Delivery methods.
const (
	Push = "urn:ietf:rfc:8935"
	Poll = "urn:ietf:rfc:8936"
)

// Server is an authorization server that transmits security events too, with a stream that can be pushed and polled.
// Its exported fields are set before it is used, or with the lock.
type Server struct {
	*httptest.Server
	Signer *jose.Signer

	Mu        sync.Mutex
	requests  []string // "METHOD path", with the body for calls of the stream API
	Streams   []map[string]any
	OneStream bool              // a second stream is refused
	Queue     map[string]string // SETs to poll
	Acks      []string
	SetErrs   map[string]string
	Verify    func(state string) // called without the lock
	Override  map[string]http.HandlerFunc
	Grants    int
	Metadata  map[string]any
	LongPolls int
}

// New starts a Server, which ends with the test.
func New(t testing.TB) *Server {
	t.Helper()
	p := &Server{
		Signer: Signer(t, "RS256"), Queue: map[string]string{}, SetErrs: map[string]string{},
		Override: map[string]http.HandlerFunc{}, Metadata: map[string]any{},
	}
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.Close)
	return p
}

func (p *Server) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	p.Mu.Lock()
	what := r.Method + " " + r.URL.Path
	p.requests = append(p.requests, what+" "+string(body))
	h := p.Override[what]
	p.Mu.Unlock()
	if h != nil {
		r.Body = io.NopCloser(bytes.NewReader(body))
		h(w, r)
		return
	}
	reply := func(status int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v)
	}
	switch what {
	case "GET /.well-known/oauth-authorization-server":
		reply(200, map[string]any{
			"issuer": p.URL, "jwks_uri": p.URL + "/jwks", "token_endpoint": p.URL + "/token",
			"introspection_endpoint": p.URL + "/introspect",
		})
		return
	case "GET /.well-known/ssf-configuration":
		m := map[string]any{
			"issuer": p.URL, "jwks_uri": p.URL + "/jwks", "configuration_endpoint": p.URL + "/streams",
			"status_endpoint": p.URL + "/status", "verification_endpoint": p.URL + "/verify",
			"delivery_methods_supported": []string{Push, Poll},
		}
		p.Mu.Lock()
		m = With(m, p.Metadata)
		p.Mu.Unlock()
		reply(200, m)
		return
	case "GET /jwks":
		reply(200, map[string]any{"keys": []json.RawMessage{json.RawMessage(p.Signer.Public())}})
		return
	case "POST /token":
		p.Mu.Lock()
		p.Grants++
		p.Mu.Unlock()
		form, _ := url.ParseQuery(string(body))
		_, password, _ := r.BasicAuth()
		granted := password == ClientSecret && form.Get("grant_type") == "client_credentials"
		if !granted || form.Get("scope") != "ssf.read ssf.manage" {
			reply(400, map[string]any{"error": "invalid_request"})
			return
		}
		reply(200, map[string]any{"access_token": "at-1", "token_type": "Bearer", "expires_in": 300})
		return
	}
	if r.Header.Get("Authorization") != "Bearer at-1" {
		reply(401, map[string]any{"error": "invalid_token"})
		return
	}
	p.api(what, body, reply)
}

// api answers what needs an access token.
func (p *Server) api(what string, body []byte, reply func(int, any)) {
	var in map[string]any
	_ = json.Unmarshal(body, &in)
	p.Mu.Lock()
	switch what {
	case "GET /streams":
		defer p.Mu.Unlock()
		reply(200, append([]map[string]any{}, p.Streams...))
	case "POST /streams":
		defer p.Mu.Unlock()
		if p.OneStream && len(p.Streams) > 0 {
			reply(409, map[string]any{})
			return
		}
		in["stream_id"], in["iss"], in["aud"] = "stream-1", p.URL, []string{StreamAudience}
		if d, _ := in["delivery"].(map[string]any); d["method"] == Poll {
			d["endpoint_url"] = p.URL + "/poll"
		}
		p.Streams = append(p.Streams, in)
		reply(201, in)
	case "PATCH /streams", "PUT /streams":
		defer p.Mu.Unlock()
		for _, s := range p.Streams {
			if s["stream_id"] == in["stream_id"] {
				for k, v := range in {
					s[k] = v
				}
				if d, _ := s["delivery"].(map[string]any); d["method"] == Poll {
					d["endpoint_url"] = p.URL + "/poll"
				}
				reply(200, s)
				return
			}
		}
		reply(404, map[string]any{})
	case "GET /status":
		p.Mu.Unlock()
		reply(200, map[string]any{"stream_id": "stream-1", "status": "enabled"})
	case "POST /verify":
		verify := p.Verify
		p.Mu.Unlock()
		reply(204, nil)
		if verify != nil {
			verify(in["state"].(string))
		}
	case "POST /poll":
		p.Mu.Unlock()
		p.answerPoll(in, reply)
	default:
		p.Mu.Unlock()
		reply(404, map[string]any{})
	}
}

// answerPoll answers at once, so that tests do not wait.
func (p *Server) answerPoll(in map[string]any, reply func(int, any)) {
	p.Mu.Lock()
	defer p.Mu.Unlock()
	acks, _ := in["ack"].([]any)
	for _, a := range acks {
		p.Acks = append(p.Acks, a.(string))
		delete(p.Queue, a.(string))
	}
	bad, _ := in["setErrs"].(map[string]any)
	for id, e := range bad {
		p.SetErrs[id], _ = e.(map[string]any)["err"].(string)
		delete(p.Queue, id)
	}
	if in["returnImmediately"] == false {
		p.LongPolls++
	}
	most := int(in["maxEvents"].(float64))
	sets := map[string]string{}
	for id, s := range p.Queue {
		if len(sets) < most {
			sets[id] = s
		}
	}
	reply(200, map[string]any{"sets": sets, "moreAvailable": len(p.Queue) > len(sets)})
}

// Count returns how many requests there were of a method and path.
func (p *Server) Count(what string) int {
	p.Mu.Lock()
	defer p.Mu.Unlock()
	n := 0
	for _, r := range p.requests {
		if strings.HasPrefix(r, what+" ") {
			n++
		}
	}
	return n
}

// Last returns the body of the last request of a method and path.
func (p *Server) Last(what string) string {
	p.Mu.Lock()
	defer p.Mu.Unlock()
	for _, r := range slices.Backward(p.requests) {
		if strings.HasPrefix(r, what+" ") {
			return strings.TrimPrefix(r, what+" ")
		}
	}
	return ""
}

// Requests returns all requests: "METHOD path body".
func (p *Server) Requests() []string {
	p.Mu.Lock()
	defer p.Mu.Unlock()
	return slices.Clone(p.requests)
}
