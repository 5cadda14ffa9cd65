package stage

import (
	"slices"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/gate"
)

const asks = `
allowed if http.send({"method": "GET", "url": "https://HOST/x"}).status_code == 200
`

func asking(host string) map[string]string {
	return map[string]string{"authz.rego": decides + strings.Replace(asks, "HOST", host, 1)}
}

// onlyCapabilities turns on the gate of capabilities alone, and http.send.
func onlyCapabilities(cfg *config.Config, allow ...string) *config.Config {
	cfg.Engine.AllowBuiltins = []string{"http.send", "net.lookup_ip_addr"}
	cfg.Policies.Gate = gate.Config{Capabilities: gate.Capabilities{Mode: gate.Refuse, Allow: allow}}
	return cfg
}

func TestTheGateOfCapabilitiesComparesWithWhatServes(t *testing.T) {
	t.Parallel()
	plain := policiesIn(t, map[string]string{"authz.rego": decides})
	a, b := plain.but(asking("a.example")), plain.but(asking("b.example"))
	for _, c := range []struct {
		name      string
		from, now place
		want      []string
	}{
		{"http.send is new", plain, a, []string{ClassBuiltin, ClassHost}},
		{"another host is new", a, b, []string{ClassHost}},
		{"nothing is new", a, a, nil},
		{"less is reached", a, plain, nil},
	} {
		cfg := onlyCapabilities(c.now.config())
		got := only(t, said(t, cfg, Deps{}, c.from.loaded(cfg), c.now.loaded(cfg)))
		if !slices.Equal(classes(got), c.want) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
	cfg := onlyCapabilities(a.config())
	got := only(t, said(t, cfg, Deps{}, Policies{}, a.loaded(cfg)))
	if got.Outcome != Passed || !strings.Contains(got.Message, "nothing serves yet") {
		t.Errorf("at a start: %+v", got)
	}
}

func TestTheGateOfCapabilitiesKnowsAList(t *testing.T) {
	t.Parallel()
	plain := policiesIn(t, map[string]string{"authz.rego": decides})
	a := plain.but(asking("a.example:8443"))
	computed := plain.but(map[string]string{"authz.rego": decides +
		strings.Replace(asks, `"https://HOST/x"`, `input.token.issuer`, 1)})
	for _, c := range []struct {
		now   place
		allow string
		want  []string
	}{
		{a, "http.send", []string{ClassHost}},
		{a, "net.lookup_ip_addr", []string{ClassBuiltin, ClassHost}},
		{a, "a.example", nil},
		{a, "A.example", nil},
		{a, "a.example:8443", nil},
		{a, "a.example:8444", []string{ClassHost}},
		{a, "*.example", nil},
		{a, "*", nil},
		{a, "xa.example", []string{ClassHost}},
		{a, "*.a.example", []string{ClassHost}},
		{computed, "a.example", []string{ClassHost}},
		{computed, "*.example", []string{ClassHost}},
		{computed, "*", nil},
		{plain, "a.example", nil},
	} {
		cfg := onlyCapabilities(c.now.config(), c.allow)
		got := only(t, said(t, cfg, Deps{}, Policies{}, c.now.loaded(cfg)))
		if !slices.Equal(classes(got), c.want) {
			t.Errorf("%s: %+v", c.allow, got)
		}
	}
}

// TestTheGateOfCapabilitiesCostsNothingWithoutThem: it is on by default.
func TestTheGateOfCapabilitiesCostsNothingWithoutThem(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	got :=
		only(t, said(t, cfg, Deps{}, Policies{}, policiesIn(t, map[string]string{"authz.rego": decides}).loaded(cfg)))
	if got.Outcome != Passed || got.Mode != gate.Warn || got.Seconds > 1 {
		t.Errorf("%+v", got)
	}
}
