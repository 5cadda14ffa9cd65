package policytest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/archive"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/decisionlog"
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
//	issuer: main                      # a configured issuer; or how answers are read:
//	issuer:                           # left out: the configured issuer reads them
//	  dialect: rfc7662
//	  issuer: https://login.acme.example
//	  audience: [orders-api]
//	  absent_audience: refuse
//	  tenant: [/tenant]
//	  roles: [/roles]
//	tokens:                           # by name: an introspection answer, or only how asking for it fails
//	  reader: {active: true, scope: "orders:read"}
//	  signed: {jwt: {iss: https://login.acme.example, sub: rita}}   # the claims of a JWT that is validated locally
//	  lost: {error: unavailable}      # or misconfigured
//	defaults:                         # what requests have unless they say otherwise
//	  host: api.acme.example          # for urls that begin with a slash
//	  headers: {x-tenant: acme}
//	  method: GET
//	  source_ip: 10.1.2.3
//	cases:
//	  - name: a reader reads
//	    now: 2026-11-20T13:00:00Z     # that of the suite when left out
//	    token: reader                 # none when left out
//	    key: shown                    # the client shows the key of the token (cnf); withheld when left out
//	    entrypoint: authz/decision    # the usual one when left out
//	    request: {method: GET, url: /orders, headers: {x-tenant: acme}, source_ip: 10.1.2.3, body: text}
//	    context: {any: json}
//	    expect:                       # allow or kind, and whatever else matters; only what is stated is compared
//	      allow: false
//	      kind: deny                  # follows from allow when left out
//	      status: 403
//	      reasons: [insufficient_scope]           # all codes, each once, in any order
//	      challenge: Bearer realm="acme"          # the WWW-Authenticate field; none when there must not be one
//	      headers: {Retry-After: ["1"]}           # of the refused request; [] when there must not be one
//	      upstream_headers: {X-Tenant: [acme]}    # of the allowed request
//	      context: {any: json}                    # with the obligations, as callers get it
//	      obligations: [{any: json}]              # [] when there must not be one
//	matrix:                           # requests by name, and what each token gets: "list orders / reader"
//	  list orders:                    # allow, deny, another kind, a status, a code, or what expect holds
//	    request: {url: /orders}
//	    expect: {reader: allow, lost: 503, none: no_credential}
type Suite struct {
	Name string
	File string

	now      time.Time
	token    string
	realm    string
	issuers  []issuer.Config // that may have given the answers; one at least
	defaults defaults
	tokens   map[string]answer
	cases    []testCase
	log      *decisionlog.Log // gets the decisions; nil but in a test
}

// answer is what asking about a token gives.
type answer struct {
	// fails is authz.Unavailable or authz.Misconfigured, or 0 when there is an answer.
	fails authz.Kind
	json  []byte
	// claims are set in place of json for a JWT that is validated locally.
	claims []byte
}

// defaults are what requests of a suite have unless they say otherwise.
type defaults struct {
	host, method, sourceIP string
	headers                map[string][]string // lower-case names
}

type testCase struct {
	name  string
	row   int
	now   time.Time
	token string // "" for none
	key   string // keyShown, or anything else for withheld
	query authz.Query
	want  expectation
}

// expectation is what a case states; a nil or empty member states nothing.
type expectation struct {
	kind string
	// refused is set where any kind but allow will do.
	refused         bool
	status          int
	reasons         *[]string
	challenge       *string
	headers         map[string][]string
	upstreamHeaders map[string][]string
	context         []byte
	obligations     []byte
}

// LoadSuites reads the files in dirs whose names end in _suite.yaml or _suite.yml, except below hidden directories, in
// the order of dirs and names. The issuers of cfg read the answers where a suite does not say how. Its error is
// bundle.Problems, with everything that is wrong. Unknown keys are.
func LoadSuites(cfg *config.Config, dirs []string) ([]Suite, error) {
	r := suiteFiles{cfg: cfg}
	for _, d := range dirs {
		r.dir(d)
	}
	return r.result()
}

// suiteFiles gathers suites and what is wrong with them.
type suiteFiles struct {
	cfg      *config.Config
	suites   []Suite
	problems bundle.Problems
	read     map[string]bool // by absolute path: directories may be within each other
}

func (r *suiteFiles) result() ([]Suite, error) {
	if len(r.problems) > 0 {
		return nil, r.problems.Sorted()
	}
	return r.suites, nil
}

func (r *suiteFiles) dir(dir string) {
	if info, err := os.Stat(dir); err == nil && info.Mode().IsRegular() && !isSuite(dir) {
		r.archive(dir)
		return
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != dir && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case !d.IsDir() && isSuite(d.Name()):
			r.file(path)
		}
		return nil
	})
	if err != nil {
		r.problems = append(r.problems,
			bundle.Problem{File: filepath.ToSlash(dir), Code: bundle.CodeRead, Message: err.Error()})
	}
}

// archive reads the suites in a bundle that is an archive. What is wrong with it is a problem of the policies.
func (r *suiteFiles) archive(name string) {
	f, err := os.Open(name)
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }()
	packed, err := archive.Read(filepath.ToSlash(filepath.Clean(name)), f, archive.Limits{})
	if err != nil {
		return
	}
	r.within(packed)
}

// within reads the suites in an archive.
func (r *suiteFiles) within(packed *archive.Archive) {
	for _, file := range packed.WithSuites().Files {
		if file.Kind == bundle.Suite {
			s := Suite{File: file.Path}
			r.problems = append(r.problems, parseSuite(file.Raw, r.cfg, &s)...)
			r.suites = append(r.suites, s)
		}
	}
}

func (r *suiteFiles) file(path string) {
	if abs, err := filepath.Abs(path); err == nil {
		if r.read[abs] {
			return
		}
		if r.read == nil {
			r.read = map[string]bool{}
		}
		r.read[abs] = true
	}
	s, found := loadSuite(path, r.cfg)
	r.suites, r.problems = append(r.suites, s), append(r.problems, found...)
}

func isSuite(name string) bool {
	return strings.HasSuffix(name, "_suite.yaml") || strings.HasSuffix(name, "_suite.yml")
}

func loadSuite(path string, cfg *config.Config) (Suite, bundle.Problems) {
	s := Suite{File: filepath.ToSlash(path)}
	raw, err := readBounded(path)
	if err != nil {
		return s, bundle.Problems{{File: s.File, Code: bundle.CodeRead, Message: err.Error()}}
	}
	problems := parseSuite(raw, cfg, &s)
	return s, problems
}

// parseSuite reads the text of the suite s, whose file is known.
func parseSuite(raw []byte, cfg *config.Config, s *Suite) bundle.Problems {
	r := &suiteReader{file: s.File, cfg: cfg}
	top, failed := yamlnode.Parse(raw)
	switch {
	case failed != nil:
		return bundle.Problems{r.problem(failed)}
	case top == nil:
		return bundle.Problems{{File: s.File, Code: codeSuite, Message: "the file is empty"}}
	}
	r.suite(top, s)
	return r.problems
}

func readBounded(path string) ([]byte, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() { // opening a pipe would wait for its writer
		return nil, errors.New("is not a regular file")
	}
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
