package mcp_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/mcp"
)

var both = mcp.Config{Eras: []string{"sessions", "stateless"}, BodyBytes: 4 << 20}

// recorded is a line of testdata: see its README.
type recorded struct {
	Case, Method, Path string
	Recordings         []string
	Headers            map[string]json.RawMessage
	Body               *string
	Executed           []struct {
		Tool      string
		Arguments json.RawMessage
	}
	Extra struct {
		Body []byte `json:"body_base64"`
	}
}

func lines(t testing.TB, file string) (all []recorded) {
	t.Helper()
	src, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	s := bufio.NewScanner(bytes.NewReader(src))
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		var r recorded
		if err := json.Unmarshal(s.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func (r recorded) request() *authz.Request {
	req := &authz.Request{Method: r.Method, URL: r.Path, Headers: map[string][]string{}}
	for name, raw := range r.Headers {
		var one string
		var many []string
		if json.Unmarshal(raw, &one) == nil {
			many = []string{one}
		} else if json.Unmarshal(raw, &many) != nil {
			panic("a header is neither text nor a list")
		}
		req.Headers[name] = many
	}
	switch {
	case r.Body != nil:
		req.Body, req.HasBody = *r.Body, true
	case len(r.Extra.Body) > 0:
		req.Body, req.HasBody = string(r.Extra.Body), true
	}
	return req
}

// TestEveryRecordedMessageOfAClientIsRead: no client of today is refused for the form of its messages, and what a
// policy sees is what a plain reader of JSON sees.
func TestEveryRecordedMessageOfAClientIsRead(t *testing.T) {
	recordings := map[string]bool{}
	for _, r := range lines(t, "requests.jsonl") {
		for _, name := range r.Recordings {
			recordings[name] = true
		}
		if r.Path != "/mcp" {
			continue
		}
		v, err := both.Read(r.request())
		if r.Body != nil && strings.HasPrefix(*r.Body, "[") {
			if err == nil {
				t.Errorf("a batch is read: %s", *r.Body)
			}
			continue
		}
		if err != nil {
			t.Errorf("%v: %s %s: %v", r.Recordings[0], r.Method, *r.Body, err)
			continue
		}
		if r.Method != "POST" {
			if want := map[string]string{"GET": "stream", "DELETE": "session_end"}[r.Method]; v.Kind != want {
				t.Errorf("%s is %+v", r.Method, v)
			}
			continue
		}
		var plain plainMessage
		if err := json.Unmarshal([]byte(*r.Body), &plain); err != nil {
			t.Fatal(err)
		}
		plain.agrees(t, *r.Body, v)
	}
	if len(recordings) < 330 {
		t.Errorf("only %d recordings", len(recordings))
	}
}

// plainMessage is a message as encoding/json reads it into a struct.
type plainMessage struct {
	ID     json.RawMessage
	Method string
	Params struct {
		Name, URI, TaskID string
		Arguments         json.RawMessage
	}
}

func (p plainMessage) agrees(t *testing.T, body string, v *mcp.View) {
	t.Helper()
	want := mcp.View{Kind: v.Kind, Method: p.Method}
	switch p.Method {
	case "tools/call":
		want.Tool = p.Params.Name
	case "prompts/get":
		want.Prompt = p.Params.Name
	case "resources/read", "resources/subscribe", "resources/unsubscribe":
		want.Resource = p.Params.URI
	}
	got := mcp.View{Kind: v.Kind, Method: v.Method, Tool: v.Tool, Prompt: v.Prompt, Resource: v.Resource}
	if !reflect.DeepEqual(got, want) || string(p.ID) != string(v.ID) {
		t.Errorf("%s: the view is %+v, and a plain reader sees %+v", body, got, want)
	}
	if p.Method == "tools/call" || p.Method == "prompts/get" {
		if p.Params.Arguments == nil {
			p.Params.Arguments = json.RawMessage("{}")
		}
		if !sameJSON(p.Params.Arguments, v.Arguments) {
			t.Errorf("%s: the arguments are %s", body, v.Arguments)
		}
	}
}

// sameJSON compares as JavaScript reads: numbers are doubles.
func sameJSON(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// TestWhatAServerExecutedIsWhatThePolicySees: of each odd or hostile request the servers executed what the view says,
// or the request is refused.
func TestWhatAServerExecutedIsWhatThePolicySees(t *testing.T) {
	refused := map[string]bool{}
	for _, r := range lines(t, "bodies.jsonl") {
		req := r.request()
		if req.Method == "POST" && req.Headers["content-type"] == nil {
			req.Headers["content-type"] = []string{"application/json"}
		}
		v, err := both.Read(req)
		if err != nil {
			refused[r.Case] = true
			if e := refusalOf(t, err); e.Status < 400 || !json.Valid(e.Body) {
				t.Errorf("%s: status %d, body %s", r.Case, e.Status, e.Body)
			}
			continue
		}
		if len(r.Executed) == 0 {
			continue
		}
		if len(r.Executed) > 1 || r.Executed[0].Tool != v.Tool || !sameJSON(r.Executed[0].Arguments, v.Arguments) {
			t.Errorf("%s: the server executed %v, the policy sees %+v", r.Case, r.Executed, v)
		}
	}
	for _, name := range []string{"duplicate-name", "case-variant-member", "batch-two-calls", "batch-of-one", "bom",
		"x-dual-server-2025-header-spoofed-name", "x-dual-server-orphan-name", "content-encoding-gzip",
		"invalid-utf8", "id-absent-tools-call", "proto-member", "content-type-charset-utf16"} {
		if !refused[name] {
			t.Errorf("%s is not refused", name)
		}
	}
	for _, name := range []string{"plain-call", "escaped-name", "arguments-absent", "leading-whitespace"} {
		if refused[name] {
			t.Errorf("%s is refused", name)
		}
	}
}
