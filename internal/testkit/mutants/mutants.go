// Package mutants edits the shipped policies: each edit is known to change what is allowed, or to change nothing.
package mutants

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/bundles"
	"github.com/authz-sidecar/sidecar/internal/app"
	"github.com/authz-sidecar/sidecar/internal/change/witness"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/policies"
)

// Effect is what an edit does to the decisions.
type Effect string

// The effects. Both is wider for some requests and narrower for others.
const (
	Wider     Effect = "wider"
	Narrower  Effect = "narrower"
	Both      Effect = "both"
	Different Effect = "different" // only the answer changes
	Same      Effect = "same"
)

// Mutant is an edit of one file.
type Mutant struct {
	Name string
	File string
	// From is replaced by To, once. Without is another text that goes, such as an import that is unused then.
	From, To, Without string
	Want              Effect
	// Usual is set for those that every run of the tests takes.
	Usual bool
}

// All are the edits that change a decision, and those that change none.
func All() []Mutant { return append(changes(), refactorings()...) }

// Usual are those that every run of the tests takes.
func Usual() (out []Mutant) {
	for _, m := range All() {
		if m.Usual {
			out = append(out, m)
		}
	}
	return out
}

// Shipped are the shipped policies with the example of a bundle.
func Shipped(t *testing.T) witness.Side {
	t.Helper()
	return Mutant{Name: "shipped"}.Side(t)
}

// Side is the shipped policies with the edit.
func (m Mutant) Side(t *testing.T) witness.Side {
	t.Helper()
	dir := t.TempDir()
	for root, files := range map[string]fs.FS{"policies": policies.Example(),
		"policies/sidecar": policies.EmbeddedLibrary(), "bundles/example": bundles.Example()} {
		if err := os.CopyFS(filepath.Join(dir, root), files); err != nil {
			t.Fatal(err)
		}
	}
	if m.File != "" {
		m.edit(t, filepath.Join(dir, m.File))
	}
	cfg := config.Default()
	cfg.Policies.Paths = []string{filepath.Join(dir, "policies")}
	cfg.Policies.Bundles = []string{filepath.Join(dir, "bundles/example")}
	set, policy, err := app.Load(t.Context(), cfg)
	if err != nil {
		t.Fatalf("%s: %v", m.Name, err)
	}
	return witness.Side{Name: m.Name, Set: set, Policy: policy, Config: cfg}
}

func (m Mutant) edit(t *testing.T, file string) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	if !strings.Contains(text, m.From) || !strings.Contains(text, m.Without) {
		t.Fatalf("%s: %s has not the text that is edited", m.Name, m.File)
	}
	text = strings.Replace(strings.Replace(text, m.From, m.To, 1), m.Without, "", 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Check compares the shipped policies with the edited ones and fails where the findings are not those that the edit
// must have. It returns them.
func (m Mutant) Check(t *testing.T, shipped, edited witness.Side, now time.Time) witness.Findings {
	t.Helper()
	f, err := witness.Compare(t.Context(), shipped, edited, witness.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	has := map[witness.Class]int{}
	for _, x := range f.Findings {
		has[x.Class] += len(x.Places)
	}
	wider, narrower := has[witness.Wider] > 0, has[witness.Narrower] > 0
	if wider != (m.Want == Wider || m.Want == Both) || narrower != (m.Want == Narrower || m.Want == Both) {
		t.Errorf("%s: found %v, want %s", m.Name, has, m.Want)
	}
	if m.Want == Same && len(f.Findings) > 0 || m.Want == Different && has[witness.Different] == 0 {
		t.Errorf("%s: found %v, want %s", m.Name, has, m.Want)
	}
	return f
}

// Row is the findings as a row of a table: how many requests are wider, narrower, and answered differently.
func (m Mutant) Row(f witness.Findings) string {
	places := map[witness.Class]int{}
	for _, x := range f.Findings {
		places[x.Class] += len(x.Places)
	}
	e := f.Entrypoints[0]
	return fmt.Sprintf("%-52s %-9s +%d -%d ~%d  %s; %d shapes, %d proved, %d open, %d candidates, %.1f s", m.Name,
		m.Want,
		places[witness.Wider], places[witness.Narrower], places[witness.Different], f.Result.Word(), e.Shapes,
		e.Proved,
		e.Open+e.Left, e.Candidates, f.Took)
}
