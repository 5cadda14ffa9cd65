package opa_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/door/native"
	"github.com/authz-sidecar/sidecar/internal/door/opa"
	"github.com/authz-sidecar/sidecar/internal/listen"
)

// point answers every question with one decision.
type point struct {
	authz.Decision
	result string
}

func (p point) Callable(entrypoint string) bool {
	return entrypoint == "" || entrypoint == "authz/decision"
}

func (p point) DecideRaw(context.Context, authz.Query) (authz.Decision, []byte) {
	if p.result == "" {
		return p.Decision, nil
	}
	return p.Decision, []byte(p.result)
}

func (p point) AskedByCallers(path []string) bool { return len(path) > 0 && path[0] == "app" }

func (p point) Ask(_ context.Context, q decision.CallerQuery) (authz.Decision, []byte) {
	if q.Trace != nil {
		q.Trace.JSON = []byte(`["` + q.Trace.Mode + `"]`)
	}
	return p.DecideRaw(context.Background(), authz.Query{})
}

const asked = `{"request":{"method":"GET","url":"/orders/42"}}`

func post(p point, target, body string) *httptest.ResponseRecorder {
	m := opa.Mount(opa.Config{Enabled: true, DefaultDecision: "authz/decision/allow"},
		opa.Deps{Point: p, Parse: native.ParseCall,
			Limits: listen.Limits{BodyBytes: 4096, BatchItems: 2, Timeout: time.Minute, ReadTimeout: time.Minute}})
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	id := "opaData"
	switch {
	case strings.HasPrefix(target, "/v0/"):
		id = "opaDataV0"
	case strings.HasPrefix(target, "/v1/batch/"):
		id = "opaBatch"
	case target == "/":
		id = "opaDefault"
	}
	m.Handlers[id].ServeHTTP(w, r)
	return w
}

var allows = point{authz.Decision{ID: "d1", Kind: authz.Allow, Status: 200}, `true`}

func TestTheResultIsWrittenAsOPAWritesIt(t *testing.T) {
	w := post(allows, "/v1/data/authz/decision", `{"input":`+asked+`}`)
	if got := w.Body.String(); w.Code != 200 || got != `{"decision_id":"d1","result":true}`+"\n" {
		t.Errorf("v1: %d %q", w.Code, got)
	}
	if w := post(allows, "/v0/data/authz/decision", asked); w.Code != 200 || w.Body.String() != "true\n" {
		t.Errorf("v0: %d %q", w.Code, w.Body)
	}
}

func TestOnlyThePathOfAnEntrypointCanBeAsked(t *testing.T) {
	for _, path := range []string{"", "authz", "authz%2Fdecision", "authz/decision/", "authz//decision",
		"/authz/decision",
		"authz.decision", `authz/decision"]`, "authz/%2e%2e/authz/decision",
		"Authz/decision"} {
		w := post(allows, "/v1/data/"+path, `{"input":`+asked+`}`)
		if w.Code != 404 || !strings.Contains(w.Body.String(), `"code": "undefined_document"`) {
			t.Errorf("%q: %d %s", path, w.Code, w.Body)
		}
	}
	if w := post(allows, "/v1/data/%61uthz/decision", `{"input":`+asked+`}`); w.Code != 200 {
		t.Errorf("an encoded letter is another path: %d %s", w.Code, w.Body)
	}
}

func TestAFaultOfACallIsNamedByItsPlace(t *testing.T) {
	for body, want := range map[string]string{
		`{}`:                         "/input: want an object",
		`{"input":null}`:             "/input: want an object",
		`{"input":{"request":{}}}`:   "/input/request/method",
		`{"input":{"requests":{}}}`:  "/input/requests",
		asked:                        "/request",
		``:                           "empty",
		`{"input":{},"input":{}}`:    "twice",
		strings.Repeat(" ", 1<<13):   "over 4096 bytes",
		`{"input":` + asked + `} {}`: "well-formed",
	} {
		w := post(allows, "/v1/data/authz/decision", body)
		if w.Code/100 != 4 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%.40s: %d %s, want %q", body, w.Code, w.Body, want)
		}
	}
}

func TestADecisionThatNoPolicyMadeHasNoResult(t *testing.T) {
	why, reasons := errors.New("why"), []authz.Reason{{Code: "c", Message: "m"}}
	for kind, want := range map[authz.Kind]int{authz.Malformed: 400, authz.Unavailable: 503, authz.Misconfigured: 500,
		authz.Internal: 500, authz.Allow: 500, authz.Deny: 500, authz.Unauthenticated: 200} {
		w := post(point{authz.Decision{ID: "d1", Kind: kind, Reasons: reasons, Cause: why}, ""},
			"/v1/data/authz/decision",
			`{"input":`+asked+`}`)
		if w.Code != want || strings.Contains(w.Body.String(), `"result"`) ||
			!strings.Contains(w.Body.String(), `"m`) || !strings.Contains(w.Body.String(), "d1") {
			t.Errorf("%s: %d %s, want %d", kind, w.Code, w.Body, want)
		}
	}
}

func TestNoResultIsWrittenBesideARefusal(t *testing.T) {
	for _, kind := range []authz.Kind{authz.Internal, authz.Unauthenticated, authz.Malformed, authz.Unavailable,
		authz.Misconfigured} {
		for path, body := range map[string]string{"/v1/data/": `{"input":` + asked + `}`, "/v0/data/": asked} {
			w := post(point{authz.Decision{ID: "d1", Kind: kind}, "true"}, path+"authz/decision", body)
			if w.Code < 400 {
				t.Errorf("%s: %d %s", kind, w.Code, w.Body)
			}
		}
	}
}

func TestAPathMayGoOnIntoTheResult(t *testing.T) {
	p := point{allows.Decision, `{"allow":true,"reasons":[],"context":{"a b":{"c":1}}}`}
	for path, want := range map[string]string{
		"authz/decision/allow":           `{"decision_id":"d1","result":true}`,
		"authz/decision/context/a%20b/c": `{"decision_id":"d1","result":1}`,
		"authz/decision/no":              `{"decision_id":"d1"}`,
		"authz/decision/allow/no":        `{"decision_id":"d1"}`,
		"authz/decision/reasons/0":       `{"decision_id":"d1"}`,
	} {
		w := post(p, "/v1/data/"+path, `{"input":`+asked+`}`)
		if w.Code != 200 || w.Body.String() != want+"\n" {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if w := post(p, "/v0/data/authz/decision/no", asked); w.Code != 404 {
		t.Errorf("v0 of no member: %d %s", w.Code, w.Body)
	}
	if w := post(p, "/", asked); w.Code != 200 || w.Body.String() != "true\n" {
		t.Errorf("the default decision: %d %s", w.Code, w.Body)
	}
}

func TestABatchIsAnsweredByName(t *testing.T) {
	for body, want := range map[string]string{
		`{"inputs":{"a":` + asked + `,"b":` + asked +
			`}}`: `200 {"responses":{"a":{"decision_id":"d1","result":true},` +
			`"b":{"decision_id":"d1","result":true}}}`,
		`{"inputs":{"a":` + asked + `,"b":{}}}`: `207 {"responses":{"a":{"decision_id":"d1","result":true,` +
			`"http_status_code":"200"},"b":{"code":"invalid_parameter",`,
		`{"inputs":{"b":1}}`:   `207 {"responses":{"b":{"code":"invalid_parameter",`,
		`{"inputs":{"a/b":1}}`: `207 {"responses":{"a/b":{"code":"invalid_parameter","message":"/inputs: want an object`,
		`{"inputs":{}}`:        `400 {`,
		`{"inputs":{"a":` + asked + `,"b":` + asked + `,"c":{}}}`: `413 {`,
	} {
		w := post(allows, "/v1/batch/data/authz/decision", body)
		if got := fmt.Sprint(w.Code, " ", w.Body); !strings.HasPrefix(got, want) {
			t.Errorf("%s\nis answered %s\nwant        %s", body, got, want)
		}
	}
}

func TestAPackageOfCallersTakesAnyInput(t *testing.T) {
	for _, c := range []struct{ target, body, want string }{
		{"/v1/data/app/allow", `{"input":{"subject":"alice"}}`, `{"decision_id":"d1","result":true}`},
		{"/v1/data/app/allow", `{"input":["x"]}`, `{"decision_id":"d1","result":true}`},
		{"/v1/data/app/allow", `{"input":{},"of a proxy":1}`, `{"decision_id":"d1","result":true}`},
		{"/v1/data/app//allow/", `{"input":{}}`, `{"decision_id":"d1","result":true}`},
		{"/v1/data/app/a%2Fb", `{"input":{}}`, `{"decision_id":"d1","result":true}`},
		{"/v0/data/app/allow", `{"subject":"alice"}`, `true`},
		{"/v0/data/app/allow", ``, `true`},
	} {
		if w := post(allows, c.target, c.body); w.Code != 200 || w.Body.String() != c.want+"\n" {
			t.Errorf("%s %s: %d %s", c.target, c.body, w.Code, w.Body)
		}
	}
	undefined := point{authz.Decision{ID: "d1", Kind: authz.Deny}, ""}
	if w := post(undefined, "/v1/data/app/no", `{"input":1}`); w.Code != 200 ||
		w.Body.String() != `{"decision_id":"d1"}`+"\n" {
		t.Errorf("an undefined rule: %d %s", w.Code, w.Body)
	}
	if w := post(undefined, "/v0/data/app/no", `{}`); w.Code != 404 {
		t.Errorf("an undefined rule of v0: %d %s", w.Code, w.Body)
	}
}

func TestAMissingInputIsWarnedOf(t *testing.T) {
	for _, body := range []string{``, `{}`, `{"input":null}`, `null`} {
		w := post(allows, "/v1/data/app/allow", body)
		if want := `{"decision_id":"d1","result":true,"warning":{"code":"api_usage_warning","message":"'input' key ` +
			`missing from the request"}}` + "\n"; w.Code != 200 || w.Body.String() != want {
			t.Errorf("%q: %d %s", body, w.Code, w.Body)
		}
	}
}
