package resource_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/resource"
)

func of(identifier string, root bool) resource.Config {
	c := conf.Default[resource.Config]()
	c.Resource, c.Root, c.AuthorizationServers = identifier, root, []string{"https://as.example"}
	return c
}

// TestMetadataStandsWhereTheStandardSays: RFC 9728 section 3.1.
func TestMetadataStandsWhereTheStandardSays(t *testing.T) {
	for identifier, want := range map[string]string{
		"https://h.example":            "https://h.example/.well-known/oauth-protected-resource",
		"https://h.example/":           "https://h.example/.well-known/oauth-protected-resource",
		"https://h.example/mcp":        "https://h.example/.well-known/oauth-protected-resource/mcp",
		"https://h.example/mcp/":       "https://h.example/.well-known/oauth-protected-resource/mcp/",
		"https://h.example:8443/a/mcp": "https://h.example:8443/.well-known/oauth-protected-resource/a/mcp",
		"https://h.example/mcp?v=1":    "https://h.example/.well-known/oauth-protected-resource/mcp?v=1",
		"https://h.example/?v=1":       "https://h.example/.well-known/oauth-protected-resource?v=1",
		"http://127.0.0.1:9870/mcp":    "http://127.0.0.1:9870/.well-known/oauth-protected-resource/mcp",
	} {
		host, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(identifier, "https://"), "http://"), "/")
		host, _, _ = strings.Cut(host, ":")
		path := identifier[strings.Index(identifier, "://")+3:]
		if i := strings.IndexAny(path, "/?"); i >= 0 {
			path, _, _ = strings.Cut(path[i:], "?")
		} else {
			path = "/"
		}
		r := resource.NewSet([]resource.Config{of(identifier, false)}).Of(host, 0, path)
		if r == nil || r.MetadataURL != want {
			t.Errorf("%s: %+v", identifier, r)
			continue
		}
		var doc map[string]any
		if b, err := r.Metadata(); err != nil || json.Unmarshal(b, &doc) != nil || doc["resource"] != identifier {
			t.Errorf("%s: %s, %v", identifier, b, err)
		}
	}
}

func TestMetadataLeavesOutWhatHasNoValue(t *testing.T) {
	r := resource.NewSet([]resource.Config{of("https://h.example/mcp", false)}).Of("h.example", 443, "/mcp")
	b, err := r.Metadata()
	want := `{"resource":"https://h.example/mcp","authorization_servers":["https://as.example"],` +
		`"bearer_methods_supported":["header"]}`
	if err != nil || string(b) != want {
		t.Errorf("got %s, %v", b, err)
	}
}

func TestARequestIsOfTheResourceWithItsHostAndTheLongestPath(t *testing.T) {
	set := resource.NewSet([]resource.Config{of("https://a.example/mcp", false),
		of("https://a.example/mcp/admin", false),
		of("https://b.example", false), of("http://127.0.0.1:1/mcp", false), of("http://127.0.0.1:2/mcp", false)})
	for _, c := range []struct {
		host string
		port int64
		path string
		want string
	}{
		{"a.example", 443, "/mcp", "https://a.example/mcp"}, {"a.example", 80, "/mcp/", "https://a.example/mcp"},
		{"a.example", 0, "/mcp/x", "https://a.example/mcp"},
		{"a.example", 0, "/mcp/admin/x", "https://a.example/mcp/admin"},
		{"a.example", 0, "/mcpx", ""}, {"a.example", 0, "/", ""}, {"a.example", 0, "/MCP", ""},
		{"b.example", 0, "/", "https://b.example"}, {"b.example", 0, "/any", "https://b.example"},
		{"c.example", 0, "/mcp", ""}, {"", 0, "/mcp", ""}, {"", 0, "/other", "https://b.example"},
		{"127.0.0.1", 1, "/mcp", "http://127.0.0.1:1/mcp"}, {"127.0.0.1", 2, "/mcp", "http://127.0.0.1:2/mcp"},
	} {
		got := ""
		if r := set.Of(c.host, c.port, c.path); r != nil {
			got = r.Resource
		}
		if got != c.want {
			t.Errorf("%s:%d%s is of %q, want %q", c.host, c.port, c.path, got, c.want)
		}
	}
	if (*resource.Set)(nil).Of("a.example", 443, "/mcp") != nil {
		t.Error("no set has a resource")
	}
}

func TestOneResourceIsServedAtTheRootToo(t *testing.T) {
	set := resource.NewSet([]resource.Config{of("https://a.example/one", true), of("https://a.example/two", false),
		of("https://b.example/one", true)})
	for _, c := range []struct{ host, path, want string }{
		{"a.example", "", "https://a.example/one"}, {"a.example", "/one", "https://a.example/one"},
		{"a.example", "/two", "https://a.example/two"}, {"b.example", "", "https://b.example/one"},
		{"a.example", "/three", ""}, {"b.example", "/two", ""}, {"c.example", "/two", ""},
		{"", "/two", "https://a.example/two"}, {"", "/one", ""}, {"a.example", "/two/", ""},
	} {
		got := ""
		if r := set.Serving(c.host, 443, resource.WellKnown+c.path); r != nil {
			got = r.Resource
		}
		if got != c.want {
			t.Errorf("%s%s serves %q, want %q", c.host, c.path, got, c.want)
		}
	}
}

func TestMistakesInAResourceAreFaults(t *testing.T) {
	for identifier, want := range map[string]string{
		"": "is missing", "mcp.example/mcp": "absolute", "http://mcp.example/mcp": "neither https",
		"https://h.example/mcp#x": "fragment", "https://u@h.example/mcp": "user",
		"ftp://127.0.0.1/mcp":    "neither https",
		"https://h.example//mcp": "ambiguous", "https://h.example:0/": "host",
	} {
		if err := conf.Validate(of(identifier, false)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", identifier, err, want)
		}
	}
	bad := of("https://h.example/mcp", false)
	bad.AuthorizationServers, bad.ScopesSupported = nil, []string{"a b"}
	bad.MCP.Eras, bad.MCP.DecideByHeaders = []string{"sessions"}, true
	err := conf.Validate(bad)
	for _, key := range []string{"authorization_servers", "scopes_supported[0]", "mcp.decide_by_headers"} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%v lacks %s", err, key)
		}
	}
	var faults []string
	note := func(key, _, _ string) { faults = append(faults, key) }
	resource.CheckAll([]resource.Config{of("https://h.example/a", true), of("https://h.example/a/", false),
		of("https://h.example/b", true), of("https://h.example:444/a", true)}, note)
	resource.WarnAll([]resource.Config{of("https://h.example/a", false)}, [][]string{{"https://h.example/a/"}}, note)
	resource.WarnAll([]resource.Config{of("https://h.example/a", false)}, [][]string{{"https://h.example/a"}, nil},
		note)
	if got := strings.Join(faults, " "); got != "resources[1].resource resources[2].root resources[0].resource" {
		t.Errorf("got %s", got)
	}
}
