package internal_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/authz-sidecar/sidecar/internal/"

// floors lists every package from the ground up. A package imports only packages on floors below its own.
var floors = [][]string{
	{"httpuri", "jsonbound", "jsonquote", "jsonschema", "latectx", "metrics", "page", "recent", "sarif", "secret",
		"suggest", "typeaddr"},
	{"authz", "conf", "engine/memo", "engine/term", "keyfile", "listen/plainhttp", "testkit", "testkit/sariflog",
		"yamlnode"},
	{"mcp", "status"},
	{"engine/builtins", "engine/verdict", "fetch", "httpclient", "listen", "resource", "token"},
	{"door/description", "jose", "probe"},
	{"door", "door/extauthz/answer", "upstreamtoken"},
	{"door/resourcemetadata", "door/upstreamkeys", "oauth", "dialect", "bundle"},
	{"introspect", "bundle/archive", "bundle/library"},
	{"bundle/signature", "introspect/cache", "introspect/guard", "introspect/local", "introspect/remote",
		"introspect/route"},
	{"telemetry", "proof", "introspect/issuer", "signals", "input", "bundle/dir", "devissuer", "testkit/bundleserver",
		"testkit/jwks", "testkit/outage"},
	{"bundle/source", "engine/reads", "engine/rego", "signals/backchannel", "signals/keycloak", "signals/ssf",
		"testkit/transmitter"},
	{"engine/check", "engine/document", "engine/meaning", "engine/partial/formula", "engine/trace", "lint",
		"migrate", "regofmt", "signals/receivers"},
	{"engine", "engine/partial", "decision/summary", "decisionlog", "doctor", "testkit/authserver"},
	{"explain", "testkit/clientcases", "testkit/guarded"},
	{"decision"},
	{"decision/follow", "decision/recorded", "door/authzen", "door/extauthz", "door/forwardauth", "door/native",
		"door/opa"},
	{"replay"},
	{"gate"},
	{"config"},
	{"policytest"},
	{"gate/stage"},
	{"access", "app"},
	{"review", "change/witness", "schemas"},
	{"change", "testkit/mutants"},
	{"bundler", "reports"},
}

// only says which packages may import a dependency whose types must not spread.
var only = map[string][]string{
	"github.com/labstack/echo": {"door/native"},
	"github.com/open-policy-agent": {"bundle/library", "bundle/signature", "bundle/source", "bundler", "engine",
		"engine/builtins", "engine/check", "engine/document", "engine/meaning", "engine/partial",
		"engine/partial/formula", "engine/reads", "engine/rego", "engine/term", "engine/trace", "engine/verdict",
		"lint", "migrate", "policytest", "testkit/sariflog"},
	"github.com/envoyproxy":          {"door/extauthz", "door/extauthz/answer"},
	"google.golang.org/grpc":         {"door/extauthz", "door/extauthz/answer"},
	"github.com/fsnotify/fsnotify":   {"bundle/dir"},
	"github.com/patrickmn/go-cache":  {"introspect/cache"},
	"github.com/go-jose/go-jose":     {"devissuer", "jose"},
	"github.com/prometheus":          {"metrics", "telemetry", "testkit"},
	"go.opentelemetry.io":            {"telemetry"},
	"golang.org/x/sync/singleflight": {},
	"golang.org/x/text":              {"httpuri"},
	"go.yaml.in/yaml":                {"config", "yamlnode"},
	"github.com/spf13/cobra":         {},
	"math/rand":                      {},
	"testing": {"testkit", "testkit/authserver", "testkit/bundleserver", "testkit/clientcases", "testkit/jwks",
		"testkit/mutants", "testkit/outage", "testkit/sariflog", "testkit/transmitter"},
}

// TestFloors reads the sources rather than asking "go list", so that the test cache notices when they change.
func TestFloors(t *testing.T) {
	floor := map[string]int{}
	for i, names := range floors {
		for _, n := range names {
			floor[n] = i
		}
	}
	documented := map[string]bool{} // by package
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == "testdata" {
			return fs.SkipDir // modules of their own
		}
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		src, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		pkg := path.Dir(name)
		documented[pkg] = documented[pkg] || f.Doc != nil
		here, known := floor[pkg]
		if !known {
			t.Errorf("%s: package %s is on no floor", name, pkg)
		}
		if f.Name.Name != path.Base(pkg) {
			t.Errorf("%s: package %s in folder %s", name, f.Name.Name, pkg)
		}
		for _, spec := range f.Imports {
			imp, _ := strconv.Unquote(spec.Path.Value)
			if its, ours := floor[strings.TrimPrefix(imp, module)]; ours && strings.HasPrefix(imp, module) &&
				its >= here {
				t.Errorf("%s: %s (floor %d) imports %s (floor %d)", name, pkg, here, path.Base(imp), its)
			}
			if below(imp, module+"testkit") && !below(pkg, "testkit") {
				t.Errorf("%s: imports %s, which only tests may", name, imp)
			}
			for dep, who := range only {
				if below(imp, dep) && !slices.Contains(who, pkg) {
					t.Errorf("%s: imports %s, which only %v may", name, imp, who)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pkg, ok := range documented {
		if !ok {
			t.Errorf("package %s has no package comment", pkg)
		}
	}
	for pkg := range floor {
		if _, ok := documented[pkg]; !ok {
			t.Errorf("package %s is on a floor but has no source", pkg)
		}
	}
}

// below reports whether a package is root or in a folder of root.
func below(name, root string) bool { return name == root || strings.HasPrefix(name, root+"/") }

// TestNoInit keeps what runs at import time out of the house (rule 8).
func TestNoInit(t *testing.T) {
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, spec := range f.Imports {
			if spec.Name != nil && spec.Name.Name == "_" && !strings.HasSuffix(name, "_test.go") &&
				spec.Path.Value != `"embed"` {
				t.Errorf("%s: imports %s for what it does at start", name, spec.Path.Value)
			}
		}
		src, err := os.ReadFile(name)
		if strings.Contains(string(src), "\nfunc init() {") {
			t.Errorf("%s: has an init function", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
