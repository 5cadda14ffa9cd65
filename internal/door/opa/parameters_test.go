package opa_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door/native"
	"github.com/authz-sidecar/sidecar/internal/door/opa"
	"github.com/authz-sidecar/sidecar/internal/listen"
	"github.com/authz-sidecar/sidecar/internal/status"
)

// parametrized posts to a door with cfg, and returns the status and the body with 9 for the digits of times.
func parametrized(cfg opa.Config, target, body string) string {
	cfg.Enabled = true
	p := allows
	p.Eval, p.Policy.Digest = time.Millisecond, "sha256:1"
	m := opa.Mount(cfg, opa.Deps{Point: p, Parse: native.ParseCall,
		Limits: listen.Limits{BodyBytes: 4096, BatchItems: 2, Timeout: time.Minute, ReadTimeout: time.Minute},
		Status: func() status.Report {
			return status.Report{Version: "v1", Policy: status.Policy{Digest: "sha256:1",
				Bundles: map[string]string{"policies": "r1"}}}
		}})
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	m.Handlers["opaData"].ServeHTTP(w, r)
	return w.Result().Status[:3] + " " + regexp.MustCompile(`_ns":\d+`).ReplaceAllString(w.Body.String(), `_ns":9`)
}

func TestParametersAreReadAsOPAReadsThem(t *testing.T) {
	shown := opa.Config{Policies: true}
	for _, c := range []struct{ query, want string }{
		{"", `{"decision_id":"d1","result":true}`},
		{"?pretty", "{\n  \"decision_id\": \"d1\",\n  \"result\": true\n}"},
		{"?pretty=TRUE", "{\n  \"decision_id\": \"d1\",\n  \"result\": true\n}"},
		{"?pretty=false&metrics=0&provenance=no&instrument=x&explain=off&rule_labels&strict-builtin-errors=false&other",
			`{"decision_id":"d1","result":true}`},
		{"?metrics", `{"decision_id":"d1","metrics":{"timer_rego_input_parse_ns":9,"timer_rego_query_eval_ns":9,` +
			`"timer_server_handler_ns":9},"result":true}`},
		{"?instrument=true", `{"decision_id":"d1","metrics":{"timer_rego_input_parse_ns":9,` +
			`"timer_rego_query_eval_ns":9,"timer_server_handler_ns":9},"result":true}`},
		{"?provenance=true", `{"decision_id":"d1","provenance":{"version":"v1","bundles":{"policies":` +
			`{"revision":"r1"}}},"result":true}`},
		{"?explain=full", `{"decision_id":"d1","explanation":["full"],"result":true}`},
		{"?explain=x&explain=notes&explain=full", `{"decision_id":"d1","explanation":["notes"],"result":true}`},
	} {
		if got := parametrized(shown, "/v1/data/app/allow"+c.query, `{"input":{}}`); got != "200 "+c.want+"\n" {
			t.Errorf("%s: %s\nwant %s", c.query, got, c.want)
		}
	}
}

func TestAnExplanationShowsNoFactsAboutTokensAndNothingThatIsNotShown(t *testing.T) {
	for _, c := range []struct {
		cfg            opa.Config
		path, in, want string
	}{
		{opa.Config{Policies: true}, "authz/decision", asked, "the facts about the token"},
		{opa.Config{Policies: true, IntrospectToken: true}, "app/allow", "{}", "the facts about the token"},
		{opa.Config{}, "app/allow", "{}", "opa.policies does not allow it"},
	} {
		for _, mode := range []string{"notes", "fails", "full", "debug"} {
			got := parametrized(c.cfg, "/v1/data/"+c.path+"?explain="+mode, `{"input":`+c.in+`}`)
			if !strings.HasPrefix(got, "400 ") || !strings.Contains(got, c.want) ||
				!strings.Contains(got, "sidecar explain") {
				t.Errorf("%s %s: %s", c.path, mode, got)
			}
		}
	}
}

func TestProvenanceNamesNoPoliciesThatDidNotDecide(t *testing.T) {
	p := allows
	p.Policy = authz.PolicyRef{Digest: "sha256:2"}
	m := opa.Mount(opa.Config{Enabled: true}, opa.Deps{Point: p, Limits: listen.Limits{Timeout: time.Minute},
		Status: func() status.Report {
			return status.Report{Version: "v1", Policy: status.Policy{Digest: "sha256:1",
				Bundles: map[string]string{"policies": "r1"}}}
		}})
	w := httptest.NewRecorder()
	m.Handlers["opaDataGet"].ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/data/app/a?provenance", nil))
	if want := `{"decision_id":"d1","provenance":{"version":"v1"},"result":true}` + "\n"; w.Body.String() != want {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestFactsInPlaceOfATokenAreRefused(t *testing.T) {
	for _, token := range []string{`{"active":true}`, `["x"]`, `1`, `true`} {
		for _, introspects := range []bool{true, false} {
			got := parametrized(opa.Config{IntrospectToken: introspects}, "/v1/data/app/allow",
				`{"input":{"token":`+token+`}}`)
			refused := strings.HasPrefix(got, "400 ") && strings.Contains(got, "/input/token: want a token")
			if refused != introspects {
				t.Errorf("%s, introspecting %t: %s", token, introspects, got)
			}
		}
	}
	for _, in := range []string{`{"token":"x"}`, `{"token":null}`, `{}`, `[{"token":{}}]`, `{"Token":{}}`} {
		got := parametrized(opa.Config{IntrospectToken: true}, "/v1/data/app/allow", `{"input":`+in+`}`)
		if !strings.HasPrefix(got, "200 ") {
			t.Errorf("%s: %s", in, got)
		}
	}
}
