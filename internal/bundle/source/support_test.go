package source_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/bundle/source"
	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/bundleserver"
)

// orders is a bundle of a revision, whose data holds a word.
func orders(t *testing.T, revision, word string) []byte {
	t.Helper()
	return bundleserver.Packed(t, map[string]string{
		".manifest":          `{"revision": "` + revision + `", "roots": ["orders"]}`,
		"orders/orders.rego": "package orders\n\nimport rego.v1\n\nallow if data.orders.word == \"x\"\n",
		"orders/data.json":   `{"word": "` + word + `"}`,
	})
}

// configured is a source of a URL, which is asked often.
func configured(url string, change func(*source.Config)) source.Config {
	c := conf.Default[source.Config]()
	c.Name, c.URL, c.AllowInsecureHTTP = "orders", url, true
	c.Poll.Min, c.Poll.Max, c.StartTimeout = 100*time.Millisecond, 150*time.Millisecond, time.Minute
	if change != nil {
		change(&c)
	}
	return c
}

// session is a source that runs.
type session struct {
	*source.Sources
	cfg dir.Config
	log *testkit.LogBuffer
}

// open opens a source and asks once for its first archive.
func open(t *testing.T, c source.Config) *session {
	t.Helper()
	return openWith(t, c, source.Deps{Once: true})
}

func openWith(t *testing.T, c source.Config, deps source.Deps) *session {
	t.Helper()
	var faults []string
	conf.Check(c, func(key, cause, _ string) { faults = append(faults, key+": "+cause) })
	if faults != nil {
		t.Fatal(faults)
	}
	s := &session{log: &testkit.LogBuffer{}}
	var err error
	deps.Log, deps.Settle, deps.Poll = s.log.Logger(), 10*time.Millisecond, 100*time.Millisecond
	s.Sources, err = source.Open([]source.Config{c}, deps)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	s.First(t.Context())
	s.cfg = dir.Config{Debounce: time.Millisecond, Poll: time.Second}
	s.Into(&s.cfg)
	return s
}

// run asks for newer archives until the end of the test, after what is held was activated.
func (s *session) run(t *testing.T) *session {
	t.Helper()
	s.activate(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); s.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ended })
	return s
}

// activate activates what is held, as the app does.
func (s *session) activate(t *testing.T) {
	t.Helper()
	set, err := dir.Load(s.cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.Activated(set)
}

// holds is the word in the data of the bundle that is held, or the problems.
func (s *session) holds() string {
	set, err := dir.Load(s.cfg)
	if problems, ok := errors.AsType[bundle.Problems](err); ok {
		return problems.Error()
	}
	word, _ := set.Document()["orders"].(map[string]any)["word"].(string)
	return word
}

// errs is what the status says of the newest question.
func (s *session) errs() string {
	var all []string
	for _, p := range s.Status()[0].Errors {
		all = append(all, p.Text)
	}
	return strings.Join(all, "; ")
}

// becomes waits until what is held has a word.
func (s *session) becomes(t *testing.T, word string) {
	t.Helper()
	testkit.Eventually(t, "the data say "+word, func() bool { return s.holds() == word })
}

// fails waits until the newest question failed with a text.
func (s *session) fails(t *testing.T, text string) {
	t.Helper()
	testkit.Eventually(t, "the status says "+text, func() bool { return strings.Contains(s.errs(), text) })
}

// cut is an archive without its end.
func cut(raw []byte) []byte { return bytes.Clone(raw[:len(raw)/2]) }
