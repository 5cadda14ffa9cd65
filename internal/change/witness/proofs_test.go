package witness_test

import (
	"hash/fnv"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/app"
	"github.com/authz-sidecar/sidecar/internal/change/witness"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// randomEdits is how many edits of each policy are tried, and randomDocuments how many documents for each proof.
const randomEdits, randomDocuments = 5, 60

func TestNoProofIsContradictedByADocument(t *testing.T) {
	proofs, compared := 0, 0
	for _, style := range styles {
		old := written(t, style.files)
		for i := range randomEdits {
			files := edited(style.files, style.name+strconv.Itoa(i))
			new, ok := loads(t, files)
			if !ok {
				continue // not every edit is a policy
			}
			compared++
			n, found := witness.Contradictions(t.Context(), old, new, witness.Options{Now: now}, randomDocuments)
			proofs += n
			for _, text := range found {
				t.Errorf("%s, edited to\n%s\n%s", style.name, files["p.rego"], text)
			}
		}
	}
	t.Logf("%d comparisons, %d proofs", compared, proofs)
	if proofs == 0 {
		t.Error("nothing was proved")
	}
}

// loads is written, for files that may be no policy.
func loads(t *testing.T, files map[string]string) (witness.Side, bool) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "policies")
	testkit.WriteFiles(t, dir, files)
	cfg := config.Default()
	cfg.Policies.Paths = []string{dir}
	set, policy, err := app.Load(t.Context(), cfg)
	return witness.Side{Name: "edited", Set: set, Policy: policy, Config: cfg}, err == nil
}

var texts = regexp.MustCompile(`"[a-z0-9-]+"`)

// edited are files with one to three edits of the policy that depend on a text alone.
func edited(files map[string]string, by string) map[string]string {
	n := 0
	below := func(limit int) int {
		n++
		h := fnv.New64a()
		_, _ = h.Write([]byte(by + strconv.Itoa(n)))
		return int((h.Sum64() >> 16) % uint64(limit))
	}
	out := map[string]string{}
	for name, text := range files {
		out[name] = text
	}
	for range 1 + below(3) {
		lines := strings.Split(out["p.rego"], "\n")
		i := 2 + below(len(lines)-2)
		line := lines[i]
		switch below(7) {
		case 0:
			lines[i] = ""
		case 1:
			lines[i] = strings.Replace(line, "\t", "\tnot ", 1)
		case 2:
			j := 2 + below(len(lines)-2)
			lines[i], lines[j] = lines[j], lines[i]
		case 3:
			lines[i] = line + "\n" + line
		case 4:
			swap := strings.NewReplacer("==", "!=", "!=", "==", ">=", ">", ">", ">=", "<", "<=", "startswith",
				"endswith")
			lines[i] = swap.Replace(line)
		case 5:
			all := texts.FindAllString(out["p.rego"], -1)
			if len(all) > 0 {
				lines[i] = texts.ReplaceAllString(line, all[below(len(all))])
			}
		case 6:
			extra := []string{"to_number(input.token.claims.n) > 1", "input.token.active", "not input.token.stale",
				"input.token.kind == \"access\"", "count(input.token.claims.list) > 0", "input.token.auth.level >= 3"}
			if strings.HasPrefix(line, "\t") {
				lines[i] = line + "\n\t" + extra[below(len(extra))]
			}
		}
		out["p.rego"] = strings.Join(lines, "\n")
	}
	return out
}
