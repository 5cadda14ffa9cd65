package opa_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
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

const asked = `{"request":{"method":"GET","url":"/orders/42"}}`

func post(p point, target, body string) *httptest.ResponseRecorder {
	m := opa.Mount(opa.Config{Enabled: true}, opa.Deps{Point: p, Parse: native.ParseCall,
		Limits: listen.Limits{BodyBytes: 4096, Timeout: time.Minute, ReadTimeout: time.Minute}})
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	id := "opaData"
	if strings.HasPrefix(target, "/v0/") {
		id = "opaDataV0"
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
		"authz/decision/allow", "authz.decision", `authz/decision"]`, "authz/%2e%2e/authz/decision",
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
			!strings.Contains(w.Body.String(), `"m"`) {
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
