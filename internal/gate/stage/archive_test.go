package stage

import (
	"slices"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/archive"
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/gate"
)

// fromSource is a configuration whose only policies are an archive of these files, from a source.
func fromSource(t *testing.T, files map[string]string, g gate.Tests) *config.Config {
	t.Helper()
	all := []archive.File{{Name: ".manifest", Raw: []byte(`{"roots": ["authz", "authz_test"]}`)}}
	for name, text := range files {
		all = append(all, archive.File{Name: name, Raw: []byte(text)})
	}
	packed, err := archive.New("orders", all)
	if err != nil {
		t.Fatal(err)
	}
	cfg := onlyTests(config.Default(), g)
	cfg.Policies.Paths = nil
	cfg.Policies.Debounce = 1
	cfg.Policies.Beside = func() ([]dir.Held, bundle.Problems) { return []dir.Held{{Archive: packed}}, nil }
	return cfg
}

func TestTheGateRunsTheTestsInTheArchiveOfASource(t *testing.T) {
	t.Parallel()
	suite := "suite: own\nnow: 2026-11-20T12:00:00Z\nissuer: {issuer: https://login.example}\n" +
		"tokens:\n  reader: {active: true, scope: %s, iss: https://login.example}\n" +
		"cases:\n  - {name: reads, token: reader, request: {url: https://api.example/x}, expect: {allow: true}}\n"
	for name, c := range map[string]struct {
		files    map[string]string
		coverage float64
		want     []string
		message  string
	}{
		"a test that passes": {files: map[string]string{"authz/a_test.rego": tested}, message: "1 of 1 tests pass"},
		"a test that fails": {
			files: map[string]string{"authz/a_test.rego": "package authz_test\n\ntest_nothing if 1 == 2\n"},
			want:  []string{ClassTestFailed}},
		"a suite that fails": {files: map[string]string{"a_suite.yaml": strings.Replace(suite, "%s", "write", 1)},
			want: []string{ClassTestFailed}},
		"too little coverage": {files: map[string]string{"authz/a_test.rego": tested}, coverage: 95,
			want: []string{ClassCoverage}, message: "1 of 1 tests pass, and evaluate 3"},
		"no tests": {want: []string{ClassNoTests}},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"authz/authz.rego": decides}
			for name, text := range c.files {
				files[name] = text
			}
			cfg := fromSource(t, files, gate.Tests{MinCoverage: c.coverage})
			set, err := dir.Load(cfg.Policies.Config)
			if err != nil {
				t.Fatal(err)
			}
			got := only(t, said(t, cfg, Deps{}, Policies{}, compiled(t, cfg, set)))
			if !slices.Equal(classes(got), c.want) || !strings.HasPrefix(got.Message, c.message) {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestAChangeOfTheTestsInAnArchiveIsAReasonToAskAgain(t *testing.T) {
	t.Parallel()
	basis := func(test string) string {
		cfg := fromSource(t, map[string]string{"authz/authz.rego": decides, "authz/a_test.rego": test}, gate.Tests{})
		return Basis(All(cfg, Deps{}))
	}
	if basis(tested) == basis(tested+"\n# and more\n") {
		t.Error("the gate would not be asked again")
	}
}
