package stage

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/status"
)

const decides = `package authz

# METADATA
# entrypoint: true
decision := {"allow": allowed}

default allowed := false

allowed if "read" in input.token.scopes

allowed if {
	input.request.method == "OPTIONS"
	input.token.active
}
`

const tested = `package authz_test

import data.authz

test_a_reader_reads if authz.decision.allow with input as {"request": {"method": "GET"}, "token": {"scopes": ["read"]}}
`

// place is a directory of policies.
type place struct {
	t     *testing.T
	dir   string
	files map[string]string
}

func policiesIn(t *testing.T, files map[string]string) place {
	t.Helper()
	p := place{t, t.TempDir(), files}
	for name, text := range files {
		p.write(name, text)
	}
	return p
}

func (p place) write(name, text string) {
	p.t.Helper()
	at := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// but is another directory, in which files replace those of p.
func (p place) but(files map[string]string) place {
	all := maps.Clone(p.files)
	maps.Copy(all, files)
	return policiesIn(p.t, all)
}

func (p place) config() *config.Config {
	cfg := config.Default()
	cfg.Policies.Paths = []string{p.dir}
	cfg.Policies.Debounce = time.Millisecond
	return cfg
}

// loaded are the policies of p, as cfg compiles them.
func (p place) loaded(cfg *config.Config) Policies {
	p.t.Helper()
	own := cfg.Policies.Config
	own.Paths = []string{p.dir}
	set, err := dir.Load(own)
	if err != nil {
		p.t.Fatal(err)
	}
	return compiled(p.t, cfg, set)
}

func compiled(t *testing.T, cfg *config.Config, set *bundle.Set) Policies {
	t.Helper()
	policy, err := engine.Compile(t.Context(), set, cfg.EngineConfig(), cfg.Decision.Entrypoint)
	if err != nil {
		t.Fatal(err)
	}
	return Policies{set, policy}
}

// said is what the gates of cfg say of next.
func said(t *testing.T, cfg *config.Config, deps Deps, current, next Policies) status.Gates {
	t.Helper()
	return Ask(t.Context(), All(cfg, deps), time.Minute, current, next)
}

// only is the one gate that was asked.
func only(t *testing.T, g status.Gates) status.Gate {
	t.Helper()
	if len(g.Gates) != 1 {
		t.Fatalf("%d gates were asked: %+v", len(g.Gates), g)
	}
	return g.Gates[0]
}

func classes(g status.Gate) []string {
	var out []string
	for _, f := range g.Findings {
		out = append(out, f.Class)
	}
	return out
}
