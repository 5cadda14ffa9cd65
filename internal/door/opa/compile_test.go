package opa_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/door/native"
	"github.com/authz-sidecar/sidecar/internal/door/opa"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/listen"
)

func (p point) Filterable(path []string) bool { return path[0] == "orders" }

func (p point) Filter(_ context.Context, q authz.Query, path []string, o engine.FilterOptions) (authz.Decision,
	*engine.Filter) {
	if q.Entrypoint != strings.Join(path, "/") {
		panic("the decision has another path")
	}
	return p.FilterOwn(context.Background(), decision.CallerQuery{}, o)
}

func (p point) FilterOwn(_ context.Context, _ decision.CallerQuery, o engine.FilterOptions) (authz.Decision,
	*engine.Filter) {
	switch p.result {
	case "":
		return p.Decision, nil
	case "never":
		return p.Decision, &engine.Filter{Never: true}
	case "options":
		text, _ := json.Marshal(o)
		return p.Decision, &engine.Filter{Result: text}
	}
	return p.Decision, &engine.Filter{Result: json.RawMessage(p.result)}
}

func (p point) Query(_ context.Context, _ decision.CallerQuery, query string) (authz.Decision, []byte) {
	if p.result == "" {
		return p.Decision, nil
	}
	return p.Decision, []byte(p.result)
}

// call calls an operation of a door that serves queries too.
func call(p point, id string, r *http.Request) *httptest.ResponseRecorder {
	m := opa.Mount(opa.Config{Enabled: true, Query: true, Packages: []string{"app"}},
		opa.Deps{Point: p, Parse: native.ParseCall,
			Limits: listen.Limits{BodyBytes: 4096, BatchItems: 2, Timeout: time.Minute, ReadTimeout: time.Minute}})
	if r.Body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	m.Handlers[id].ServeHTTP(w, r)
	return w
}

const sqlType = "application/vnd.opa.sql.postgresql+json"

func filter(p point, accept, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/v1/compile/"+path, strings.NewReader(body))
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	return call(p, "opaFilter", r)
}

func TestAFilterIsWrittenAsOPAWritesIt(t *testing.T) {
	p := point{allows.Decision, `{"query":"WHERE a = b"}`}
	for _, path := range []string{"orders/visible", "app/include"} {
		w := filter(p, sqlType, path, `{"input":`+asked+`}`)
		if w.Code != 200 || w.Header().Get("Content-Type") != sqlType ||
			w.Body.String() != `{"decision_id":"d1","result":{"query":"WHERE a = b"}}`+"\n" {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	never := point{authz.Decision{ID: "d1", Kind: authz.Deny}, "never"}
	if w := filter(never, sqlType, "app/include", `{}`); w.Code != 200 ||
		w.Body.String() != `{"decision_id":"d1"}`+"\n" {
		t.Errorf("a filter that nothing passes: %d %s", w.Code, w.Body)
	}
}

func TestNoFilterIsAnErrorWhateverTheCause(t *testing.T) {
	reasons := []authz.Reason{{Code: "c", Message: "m"}}
	for kind, want := range map[authz.Kind]int{authz.Malformed: 400, authz.Unavailable: 503, authz.Misconfigured: 500,
		authz.Internal: 500, authz.Allow: 500, authz.Deny: 500, authz.Unauthenticated: 403} {
		for _, path := range []string{"orders/visible", "app/include"} {
			w := filter(point{authz.Decision{ID: "d1", Kind: kind, Reasons: reasons, Cause: errors.New("x")}, ""},
				sqlType,
				path, `{"input":`+asked+`}`)
			if w.Code != want || !strings.Contains(w.Body.String(), `"code"`) ||
				strings.Contains(w.Body.String(), "result") {
				t.Errorf("%s: %d %s, want %d", kind, w.Code, w.Body, want)
			}
		}
	}
	cause := authz.Errorf(authz.Malformed, "%w", &engine.QueryError{Code: "evaluation_error", Message: "m",
		Errors: json.RawMessage(`[{"code":"pe_fragment_error"}]`)})
	w := filter(point{authz.Decision{ID: "d1", Kind: authz.Malformed, Cause: cause}, ""}, sqlType, "app/include", `{}`)
	if w.Code != 400 || !strings.Contains(w.Body.String(), `"pe_fragment_error"`) ||
		!strings.Contains(w.Body.String(), `"evaluation_error"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestAFilterIsOfTheTypeThatTheClientAccepts(t *testing.T) {
	p := point{allows.Decision, "options"}
	for _, c := range []struct{ accept, body, want string }{
		{sqlType, `{}`, `"Targets":[{"Name":"sql","Dialect":"postgresql"}],"Together":false`},
		{"application/vnd.opa.ucast.prisma+json", `{}`,
			`"Targets":[{"Name":"ucast","Dialect":"prisma"}],"Together":false`},
		{"application/vnd.opa.multitarget+json", `{"options":{"targetDialects":["sql+mysql","ucast+all"]}}`,
			`"Targets":[{"Name":"sql","Dialect":"mysql"},{"Name":"ucast","Dialect":"all"}],"Together":true`},
		{"application/vnd.opa.multitarget+json", `{}`, `options.targetDialects: want one at least`},
		{"application/vnd.opa.multitarget+json", `{"options":{"targetDialects":["sql"]}}`,
			`options.targetDialects[0]`},
		{"", `{}`, `Accept header: missing required header`},
		{"application/json", `{}`, `Accept header: unsupported header: application/json`},
		{sqlType + ", application/json", `{}`, `multiple headers`},
		{sqlType, `{"unknowns":["input.a"],"options":{"maskRule":"m","targetSQLTableMappings":{"a":{"$self":"b"}}}}`,
			`"Unknowns":["input.a"],"HasUnknowns":true,"DisableInlining":null,"Nondeterministic":true,"MaskRule":"m",` +
				`"Mappings":{"a":{"$self":"b"}}`},
	} {
		if w := filter(p, c.accept, "app/include", c.body); !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s %s: %d %s, want %s", c.accept, c.body, w.Code, w.Body, c.want)
		}
	}
	if w := filter(p, sqlType, "orders/visible", `{"unknown":[]}`); w.Code != 400 {
		t.Errorf("a misspelt member: %d %s", w.Code, w.Body)
	}
	for path, want := range map[string]int{"elsewhere/x": 404, "orders%2Fvisible": 404, "orders//visible": 404,
		"orders/visible": 400} {
		if w := filter(p, sqlType, path, `{"input":{"subject":"ann"}}`); w.Code != want {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestAQueryIsPartiallyEvaluated(t *testing.T) {
	p := point{allows.Decision, "options"}
	for body, want := range map[string]string{
		`{"query":"data.app.x == true","unknowns":[]}`:               `"HasUnknowns":true`,
		`{"query":"data.orders.visible","input":` + asked + `}`:      `"Query":"data.orders.visible"`,
		`{"query":"data.orders.visible","input":{"subject":"ann"}}`:  `/input/subject`,
		`{"query":"data.orders.visible; true","input":{"sub":"an"}}`: `"Query":"data.orders.visible; true"`,
		`{"query":" "}`: `missing required 'query' value`,
		`{}`:            `missing required 'query' value`,
	} {
		w := call(p, "opaCompile", httptest.NewRequest(http.MethodPost, "/v1/compile", strings.NewReader(body)))
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s, want %s", body, w.Code, w.Body, want)
		}
	}
}

func TestAQueryIsAnsweredByBindings(t *testing.T) {
	p := point{allows.Decision, `[{"x":1}]`}
	for target, want := range map[string]string{
		"/v1/query?q=x=1": `{"decision_id":"d1","result":[{"x":1}]}`, "/v1/query": "missing parameter 'q'",
		"/v1/query?q=": "missing required 'query' value", "/v1/query?q=a&q=b": "want one parameter",
	} {
		r := httptest.NewRequest(http.MethodGet, target, nil)
		if w := call(p, "opaQueryGet", r); !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s, want %s", target, w.Code, w.Body, want)
		}
	}
	body := strings.NewReader(`{"query":"x=1","input":[]}`)
	if w := call(p, "opaQuery", httptest.NewRequest(http.MethodPost, "/v1/query", body)); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	none := point{authz.Decision{ID: "d1", Kind: authz.Deny}, ""}
	w := call(none, "opaQueryGet", httptest.NewRequest(http.MethodGet, "/v1/query?q=false", nil))
	if w.Code != 200 || w.Body.String() != `{"decision_id":"d1"}`+"\n" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestQueriesAreOffUnlessTheyAreConfigured(t *testing.T) {
	m := opa.Mount(opa.Config{Enabled: true, Packages: []string{"app"}}, opa.Deps{Point: allows,
		Limits: listen.Limits{BodyBytes: 4096, Timeout: time.Minute}})
	w := httptest.NewRecorder()
	m.Handlers["opaQueryGet"].ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/query?q=true", nil))
	if w.Code != 404 || !strings.Contains(w.Body.String(), "opa.query") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
