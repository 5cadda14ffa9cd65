// Package sidecartest is a sidecar for the tests of applications: a real listener that answers by rules, remembers
// what it was asked, and is as strict about questions as the sidecar itself.
//
// Policies are not tested by it: "sidecar test" does that.
package sidecartest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/authz-sidecar/sidecar/sidecarclient"
)

// Sidecar answers on a free port of 127.0.0.1.
type Sidecar struct {
	// URL is the address for sidecarclient.Config, or for a client in another language.
	URL string

	server *httptest.Server
	hung   chan struct{} // closed by Close
	once   sync.Once

	mu        sync.Mutex
	rules     []Rule
	questions []sidecarclient.Request
	faults    []error
	decisions int
}

// New starts a sidecar until the end of a test. The first of the rules that matches a request answers; a request that
// none matches is denied. A question that the real sidecar would not take is an error of t.
func New(t testing.TB, rules ...Rule) *Sidecar {
	t.Helper()
	s := Start(rules...)
	t.Cleanup(func() {
		s.Close()
		for _, err := range s.Faults() {
			t.Errorf("sidecartest: %v", err)
		}
	})
	return s
}

// Start is New outside of a test. Close ends it, and Faults has the questions that were wrong.
func Start(rules ...Rule) *Sidecar {
	s := &Sidecar{rules: slices.Clone(rules), hung: make(chan struct{})}
	s.server = httptest.NewServer(http.HandlerFunc(s.serve))
	s.URL = s.server.URL
	return s
}

// Client returns a client of s.
func (s *Sidecar) Client() *sidecarclient.Client {
	c, err := sidecarclient.New(sidecarclient.Config{Address: s.URL})
	if err != nil {
		panic(err) // the URL is this package's own
	}
	return c
}

// Rules replaces the rules.
func (s *Sidecar) Rules(rules ...Rule) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = slices.Clone(rules)
}

// Close stops s: from now on nothing listens at its URL. More than once is once.
func (s *Sidecar) Close() {
	s.once.Do(func() {
		close(s.hung)
		s.server.Close()
	})
}

// Questions returns what was asked so far, in order. Names of headers are canonical, and a Context is a
// json.RawMessage.
func (s *Sidecar) Questions() []sidecarclient.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.questions)
}

// Faults returns the questions that the real sidecar would have refused, as errors.
func (s *Sidecar) Faults() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.faults)
}

// decide answers one request, and remembers it.
func (s *Sidecar) decide(r sidecarclient.Request) (sidecarclient.Decision, Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.questions = append(s.questions, r)
	rule := Rule{Decision: Deny(http.StatusForbidden, "no_rule", "no rule of the test matches "+r.Method+" "+r.URL)}
	for _, candidate := range s.rules {
		if candidate.matches(r) {
			rule = candidate
			break
		}
	}
	d := rule.Decision
	if d.ID == "" {
		s.decisions++
		d.ID = fmt.Sprintf("01TEST%020d", s.decisions)
	}
	return d, rule.Fault
}
