package transmitter

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
)

// Recording is what a real server sent, its keys, and what it answered to the calls of a receiver.
type Recording struct {
	Issuer  string
	JWKS    json.RawMessage
	SSF     json.RawMessage `json:"ssf_configuration"`
	Push    json.RawMessage `json:"create_push"`
	PollNew json.RawMessage `json:"create_poll"`
	Status  json.RawMessage
	Poll    json.RawMessage
	PollAck json.RawMessage `json:"poll_ack"`
	Posts   map[string]RecordedPost
}

// RecordedPost is one request of a server.
type RecordedPost struct {
	Path          string
	ContentType   string `json:"content_type"`
	Authorization string
	Body          string
}

// Recorded returns the Recording of a server.
func Recorded(t testing.TB, server string) Recording {
	t.Helper()
	raw, err := os.ReadFile("../testdata/recorded.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]Recording
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	r, ok := all[server]
	if !ok {
		t.Fatalf("no recording of %q", server)
	}
	return r
}

// Transport is a transport that is a function.
type Transport func(*http.Request) (*http.Response, error)

// RoundTrip calls f.
func (f Transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Answer is a JSON response.
func Answer(status int, body []byte) *http.Response {
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/json;charset=UTF-8"}},
		Body: io.NopCloser(strings.NewReader(string(body))),
	}
}

// Network answers as the recorded server did: its keys and its configuration.
func (r Recording) Network(req *http.Request) (*http.Response, error) {
	switch {
	case strings.HasPrefix(req.URL.Path, "/.well-known/ssf-configuration"):
		return Answer(200, r.SSF), nil
	case strings.HasSuffix(req.URL.Path, "/certs"), strings.HasSuffix(req.URL.Path, "/jwks"):
		return Answer(200, r.JWKS), nil
	}
	return Answer(404, []byte("{}")), nil
}
