package resourcemetadata_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/door/resourcemetadata"
	"github.com/authz-sidecar/sidecar/internal/resource"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

func serve(identifiers ...string) http.Handler {
	var all []resource.Config
	for i, id := range identifiers {
		c := conf.Default[resource.Config]()
		c.Resource, c.AuthorizationServers, c.Root = id, []string{"https://as.example"}, i == 0
		all = append(all, c)
	}
	m := resourcemetadata.Mount(resource.NewSet(all))
	mux := http.NewServeMux()
	for _, o := range m.Operations {
		path := o.Path
		if o.Parameters != nil {
			path = resource.WellKnown + "/{path...}"
		}
		mux.Handle(o.Method+" "+path, m.Handlers[o.ID])
	}
	return mux
}

func get(h http.Handler, method, url string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, url, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestAClientFindsTheMetadataOfItsResource(t *testing.T) {
	h := serve("https://mcp.example/mcp", "https://mcp.example/admin/mcp", "https://other.example/mcp")
	const at = "/.well-known/oauth-protected-resource"
	for _, c := range []struct {
		url     string
		headers []string
		want    string
	}{
		{"http://mcp.example" + at + "/mcp", nil, "https://mcp.example/mcp"},
		{"http://MCP.example:443" + at + "/mcp", nil, "https://mcp.example/mcp"},
		{"http://mcp.example" + at, nil, "https://mcp.example/mcp"},
		{"http://mcp.example" + at + "/admin/mcp", nil, "https://mcp.example/admin/mcp"},
		{"http://other.example" + at + "/mcp", nil, "https://other.example/mcp"},
		{"http://127.0.0.1:8181" + at + "/admin/mcp", nil, "https://mcp.example/admin/mcp"},
		{"http://127.0.0.1:8181" + at + "/mcp", nil, ""},
		{"http://127.0.0.1:8181" + at + "/mcp", []string{"X-Forwarded-Host", "other.example"},
			"https://other.example/mcp"},
		{"http://mcp.example" + at + "/mcp/", nil, ""},
		{"http://mcp.example" + at + "/%6dcp", nil, ""},
		{"http://other.example" + at, nil, ""},
		{"http://mcp.example" + at + "/mcp?x=1", nil, ""},
	} {
		w := get(h, "GET", c.url, c.headers...)
		var doc struct{ Resource string }
		if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || doc.Resource != c.want ||
			(w.Code == 200) != (c.want != "") || w.Code != 200 && w.Code != 404 {
			t.Errorf("%s %v: %d %s", c.url, c.headers, w.Code, w.Body)
		}
		if w.Header().Get("Content-Type") != "application/json" ||
			w.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: headers %v", c.url, w.Header())
		}
	}
}

func TestMetadataMayBeKeptAndReadByScripts(t *testing.T) {
	h := serve("https://mcp.example/mcp")
	const url = "http://mcp.example/.well-known/oauth-protected-resource/mcp"
	head, body := get(h, "HEAD", url), get(h, "GET", url)
	if head.Code != 200 || head.Body.Len() != 0 || head.Header().Get("Content-Length") != body.Header().Get(
		"Content-Length") ||
		body.Header().Get("Cache-Control") != "public, max-age=300" ||
		body.Header().Get("Vary") != "X-Forwarded-Host" {
		t.Errorf("HEAD %d %v, GET %v", head.Code, head.Header(), body.Header())
	}
	if w := get(h, "OPTIONS", url); w.Code != 204 || w.Header().Get("Access-Control-Allow-Headers") == "" {
		t.Errorf("OPTIONS %d %v", w.Code, w.Header())
	}
	if w := get(h, "GET", url+"/none"); w.Code != 404 || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("GET %d %v", w.Code, w.Header())
	}
	if w := get(serve(), "GET", url); w.Code != 404 {
		t.Errorf("without resources: %d", w.Code)
	}
}

// TestEachRecordedDiscoveryIsAnswered: clients look for the metadata at two places, and where they find none they take
// the host for an authorization server.
func TestEachRecordedDiscoveryIsAnswered(t *testing.T) {
	found, none := serve("http://127.0.0.1:9870/mcp"), serve()
	for line := range strings.Lines(testkit.ReadFile(t, "testdata/discovery.jsonl")) {
		var r struct {
			Method, Path string
			Headers      map[string]string
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		var headers []string
		for name, value := range r.Headers {
			headers = append(headers, name, value)
		}
		w := get(found, r.Method, "http://"+r.Headers["host"]+r.Path, headers...)
		var doc struct{ Resource, Error string }
		if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
			t.Fatalf("%s %s: %s", r.Method, r.Path, w.Body)
		}
		if strings.HasPrefix(r.Path, resource.WellKnown) {
			if w.Code != 200 || doc.Resource != "http://127.0.0.1:9870/mcp" {
				t.Errorf("%s %s: %d %s", r.Method, r.Path, w.Code, w.Body)
			}
		} else if w.Code != 404 || doc.Error != "invalid_request" {
			t.Errorf("%s %s: %d %s", r.Method, r.Path, w.Code, w.Body)
		}
		w = get(none, r.Method, "http://"+r.Headers["host"]+r.Path, headers...)
		if w.Code != 404 || w.Header().Get("Content-Type") != "application/json" || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s %s without resources: %d %s", r.Method, r.Path, w.Code, w.Body)
		}
	}
}
