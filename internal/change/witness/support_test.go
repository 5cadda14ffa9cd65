package witness_test

import (
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/app"
	"github.com/authz-sidecar/sidecar/internal/change/witness"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/input"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// now is the time of all comparisons.
var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// written is a side of files, for the default configuration and what edit makes of it.
func written(t *testing.T, files map[string]string, edit ...func(*config.Config)) witness.Side {
	t.Helper()
	dir := t.TempDir()
	testkit.WriteFiles(t, dir, files)
	cfg := config.Default()
	cfg.Policies.Paths = []string{dir}
	for _, change := range edit {
		change(cfg)
	}
	set, policy, err := app.Load(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return witness.Side{Name: "policies", Set: set, Policy: policy, Config: cfg}
}

func compared(t *testing.T, old, new witness.Side) witness.Findings {
	t.Helper()
	f, err := witness.Compare(t.Context(), old, new, witness.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	verify(t, old, new, f)
	return f
}

// verify asks both policies about each witness.
func verify(t *testing.T, old, new witness.Side, f witness.Findings) {
	t.Helper()
	allows := func(s witness.Side, x witness.Finding) bool {
		doc, err := input.Parse(x.Witness.Document)
		if err != nil {
			t.Fatalf("%s: %v", x.Witness.Document, err)
		}
		result, err := s.Policy.Eval(t.Context(), engine.Question{Entrypoint: x.Entrypoint, Document: doc, Time: f.Now,
			Seed: "witness"})
		if err != nil {
			return false
		}
		verdict, err := result.Verdict()
		return err == nil && verdict.Allow
	}
	for _, x := range f.Findings {
		was, is := allows(old, x), allows(new, x)
		want := map[witness.Class][2]bool{witness.Wider: {false, true}, witness.Narrower: {true, false}}[x.Class]
		if x.Class == witness.Different {
			want = [2]bool{was, was}
		}
		if [2]bool{was, is} != want {
			t.Errorf("%s: the witness %s is allowed %v by the old policies, %v by the new ones", x.Class,
				x.Witness.Document, was, is)
		}
	}
}
