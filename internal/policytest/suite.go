package policytest

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/introspect/issuer"
	"github.com/authz-sidecar/sidecar/internal/yamlnode"
)

// codeSuite is the code of problems with suites.
const codeSuite = "suite_error"

// maxSuiteBytes bounds one file.
const maxSuiteBytes = 4 << 20

// Suite is one file of decisions:
//
//	suite: orders                     # what it is called
//	now: 2026-11-20T12:00:00Z         # the time at which everything is decided
//	token: required                   # or optional; what the configuration of the sidecar says when left out
//	realm: acme                       # likewise
//	issuer:                           # how introspection answers are read; all of it may be left out
//	  dialect: rfc7662
//	  issuer: https://login.acme.example
//	  audience: [orders-api]
//	  absent_audience: refuse
//	  tenant: [/tenant]
//	  roles: [/roles]
//	tokens:                           # by name: an introspection answer, or only how asking for it fails
//	  reader: {active: true, scope: "orders:read"}
//	  lost: {error: unavailable}      # or misconfigured
//	cases:
//	  - name: a reader reads
//	    token: reader                 # none when left out
//	    key: shown                    # the client shows the key of the token (cnf); withheld when left out
//	    entrypoint: authz/decision    # the usual one when left out
//	    request: {method: GET, url: /orders, headers: {x-tenant: acme}, source_ip: 10.1.2.3, body: text}
//	    context: {any: json}
//	    expect:                       # allow or kind, and whatever else matters; only what is stated is compared
//	      allow: false
//	      kind: deny                  # follows from allow when left out
//	      status: 403
//	      reasons: [insufficient_scope]           # all codes, in any order
//	      challenge: Bearer realm="acme"          # the WWW-Authenticate field; none when there must not be one
//	      headers: {Retry-After: ["1"]}           # of the refused request; [] when there must not be one
//	      upstream_headers: {X-Tenant: [acme]}    # of the allowed request
//	      context: {any: json}
type Suite struct {
	Name string
	File string

	now    time.Time
	token  string
	realm  string
	issuer issuer.Config
	tokens map[string]answer
	cases  []testCase
}

// answer is what asking about a token gives.
type answer struct {
	// fails is authz.Unavailable or authz.Misconfigured, or 0 when there is an answer.
	fails authz.Kind
	json  []byte
}

type testCase struct {
	name  string
	row   int
	token string // "" for none
	key   string // keyShown, or anything else for withheld
	query authz.Query
	want  expectation
}

// expectation is what a case states; a nil or empty member states nothing.
type expectation struct {
	kind            string
	status          int
	reasons         *[]string
	challenge       *string
	headers         map[string][]string
	upstreamHeaders map[string][]string
	context         []byte
}

// LoadSuites reads the files in dirs whose names end in _suite.yaml or _suite.yml, except below hidden directories, in
// the order of dirs and names. Its error is bundle.Problems, with everything that is wrong. Unknown keys are.
func LoadSuites(dirs []string) ([]Suite, error) {
	var suites []Suite
	var problems bundle.Problems
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && path != dir && strings.HasPrefix(d.Name(), "."):
				return fs.SkipDir
			case d.IsDir() || !isSuite(d.Name()):
				return nil
			}
			s, found := loadSuite(path)
			problems = append(problems, found...)
			suites = append(suites, s)
			return nil
		})
		if err != nil {
			p := bundle.Problem{File: filepath.ToSlash(dir), Code: bundle.CodeRead, Message: err.Error()}
			problems = append(problems, p)
		}
	}
	if len(problems) > 0 {
		return nil, problems.Sorted()
	}
	return suites, nil
}

func isSuite(name string) bool {
	return strings.HasSuffix(name, "_suite.yaml") || strings.HasSuffix(name, "_suite.yml")
}

func loadSuite(path string) (Suite, bundle.Problems) {
	s := Suite{File: filepath.ToSlash(path)}
	raw, err := readBounded(path)
	if err != nil {
		return s, bundle.Problems{{File: s.File, Code: bundle.CodeRead, Message: err.Error()}}
	}
	r := &suiteReader{file: s.File}
	top, failed := yamlnode.Parse(raw)
	switch {
	case failed != nil:
		return s, bundle.Problems{r.problem(failed)}
	case top == nil:
		return s, bundle.Problems{{File: s.File, Code: codeSuite, Message: "the file is empty"}}
	}
	r.suite(top, &s)
	return s, r.problems
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	raw, err := io.ReadAll(io.LimitReader(f, maxSuiteBytes+1))
	if err == nil && len(raw) > maxSuiteBytes {
		err = fmt.Errorf("the file is over %d bytes", maxSuiteBytes)
	}
	return raw, err
}
