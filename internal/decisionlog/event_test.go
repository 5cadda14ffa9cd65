package decisionlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

func TestAnEventHasOPAsNamesAndTheSidecarsFactsUnderCustom(t *testing.T) {
	r := realistic()
	r.Input, r.Result = text(`{"version":1}`), text(`true`)
	same(t, any(line(t, r)), `{
		"labels": {"id": "id-1", "version": "1.2.3", "site": "berlin"},
		"decision_id": "01JD7Q4W0V5M7Z8S9T0A1B2C3D",
		"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7",
		"bundles": {"base": {"revision": ""}, "orders": {"revision": "r1"}},
		"path": "authz/decision", "input": {"version": 1}, "result": true,
		"requested_by": "127.0.0.1:5000", "timestamp": "2026-11-22T09:11:12.000013Z",
		"metrics": {"timer_sidecar_total_ns": 40000, "timer_sidecar_introspect_ns": 1000, "timer_rego_query_eval_ns": 20000},
		"custom": {"kind": "deny", "status": 403, "policy_digest": "sha256:abc", "introspection": "hit",
			"reasons": [{"code": "insufficient_scope", "message": "orders:write is needed"}, {"code": "x", "need": 2}]}}`)
}

func TestWhatADecisionLacksItsEventLacks(t *testing.T) {
	e := line(t, &Record{DecisionID: "1", Path: "p", Time: time.Unix(0, 0), Kind: authz.Unauthenticated, Status: 401})
	same(t, any(e), `{"labels": {"id": "id-1", "version": "1.2.3", "site": "berlin"}, "decision_id": "1", "path": "p",
		"timestamp": "1970-01-01T00:00:00Z", "metrics": {"timer_sidecar_total_ns": 0},
		"custom": {"kind": "unauthenticated", "status": 401}}`)
}

func TestTheCauseIsToldToOperators(t *testing.T) {
	e := line(t, &Record{DecisionID: "1", Kind: authz.Misconfigured, Cause: errors.New(`eval "x": undefined`)})
	same(t, e["error"], `{"message": "eval \"x\": undefined"}`)
}

func TestEveryProcessHasAnID(t *testing.T) {
	one, err := labels(nil, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	two, _ := labels(nil, Deps{})
	if bytes.Equal(one, two) {
		t.Errorf("two processes are %s", one)
	}
}

func TestAValueOfSeveralLinesBecomesOne(t *testing.T) {
	r := numbered(1)
	r.Input = text("{\n  \"a\": [1,\r\n 2]\n}")
	r.Reasons = []authz.Reason{{Code: "c", Object: []byte("{\n\"code\": \"c\"\n}")},
		{Code: "d", Object: []byte("{\n")}}
	e := line(t, r)
	same(t, e["input"], `{"a": [1, 2]}`)
	same(t, at(e, "custom", "reasons"), `[{"code": "c"}, {"code": "d"}]`)
}

func TestBytesThatAreNotUTF8DoNotSpoilAnEvent(t *testing.T) {
	r := numbered(1)
	r.RequestedBy = "a\xffb\n"
	if got := line(t, r)["requested_by"]; got != "a\ufffdb\n" {
		t.Errorf("requested_by %q", got)
	}
}

func TestAValueThatCannotBeWrittenIsLeftOutAndTheEventIsKept(t *testing.T) {
	for name, v := range map[string]Appender{"fails": broken{}, "panics": panics{},
		"is several lines of nonsense": text("{\n")} {
		t.Run(name, func(t *testing.T) {
			var told bytes.Buffer
			r := realistic()
			r.Input, r.Result = v, v
			e := lineOf(t, r, newTally(), slog.New(slog.NewTextHandler(&told, nil)))
			if e["decision_id"] != r.DecisionID || e["input"] != nil || e["result"] != nil ||
				at(e, "custom", "input_error") == nil || at(e, "custom", "result_error") == nil {
				t.Errorf("event %v", e)
			}
			if strings.Contains(name, "panics") != strings.Contains(told.String(), "AppendJSON") {
				t.Errorf("told %q", told.String())
			}
		})
	}
}

func TestINT21_CredentialsAreTakenOutWhereverTheyAre(t *testing.T) {
	r := numbered(1)
	r.Input = text(
		`{"request":{"headers":{"authorization":["Bearer tok-1"],"cookie":["sid=tok-2"],"accept":["*/*"],"n":[12345678901234567890,1.50]}},` +
			`"context":{"a/b":[{"Authorization":"Bearer tok-3"}],"dpop":"tok-4","Set-Cookie":["tok-5"],"Proxy-Authorization":"tok-6","cookie":null}}`)
	r.Result = text(`{"allow":true,"upstream_headers":{"Authorization":"Bearer tok-7","X-A":"1"}}`)
	var out bytes.Buffer
	l := open(t, Config{Stdout: true}, Deps{Stdout: &out})
	l.Write(r)
	closeLog(t, l)
	if strings.Contains(out.String(), "tok-") {
		t.Errorf("leaks: %s", out.String())
	}
	if !strings.Contains(out.String(), `[12345678901234567890,1.50]`) {
		t.Errorf("numbers changed: %s", out.String())
	}
	e := events(t, out.Bytes())[0]
	same(t, at(e, "input", "context"), `{"a/b": [{}], "cookie": null}`)
	same(t, e["result"], `{"allow": true, "upstream_headers": {"X-A": "1"}}`)
	same(t, e["erased"],
		`["/input/request/headers/authorization", "/input/request/headers/cookie", "/input/context/a~1b/0/Authorization",
		"/input/context/dpop", "/input/context/Set-Cookie", "/input/context/Proxy-Authorization", "/result/upstream_headers/Authorization"]`)
}

func TestINT21_EachNameOfACredentialIsFoundByItself(t *testing.T) {
	for _, name := range []string{"authorization", "Authorization", "proxy-authorization", "cookie", "set-cookie",
		"dpop"} {
		r := numbered(1)
		r.Input = text(`{"` + name + `":"tok-1"}`)
		same(t, line(t, r)["input"], `{}`)
	}
}

func TestAClaimNamedAuthorizationIsNoCredential(t *testing.T) {
	r := numbered(1)
	in := `{"token":{"claims":{"authorization":{"permissions":[{"rsname":"x"}],"cookie":7}}},"note":"authorization"}`
	r.Input = text(in)
	e := line(t, r)
	same(t, e["input"], in)
	if e["erased"] != nil {
		t.Errorf("erased %v", e["erased"])
	}
}

func TestADocumentThatCannotBeSearchedForCredentialsIsLeftOut(t *testing.T) {
	for _, in := range []string{`{"cookie":`, `{"cookie":"tok-1"`, `{"cookie":}`, `{"a":1,"a":"cookie"}`,
		`{"x":["cookie"]`} {
		r := numbered(1)
		r.Input = text(in)
		if e := line(t, r); e["input"] != nil || at(e, "custom", "input_error") != "not a JSON value" {
			t.Errorf("%s: event %v", in, e)
		}
	}
}

func TestCredentialsAreFoundInOnePassHoweverDeepTheyAre(t *testing.T) {
	const depth = 9000
	v := []byte(strings.Repeat(`[`, depth) + `{"cookie":"tok-1"}` + strings.Repeat(`]`, depth))
	kept, erased, err := strip(v, "/input")
	if err != nil || len(erased) != 1 || bytes.Contains(kept, []byte("tok-1")) || !json.Valid(kept) {
		t.Errorf("%d erased, %v", len(erased), err)
	}
}

func TestINT21_AnEventOfARealDecisionHasNoSecret(t *testing.T) {
	r := realistic()
	b, err := json.Marshal(line(t, r))
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"Bearer", "7Fjfp0ZBr1KtDRbnfVdmIw", "authorization\"", "cookie", "client_secret",
		"password"} {
		if bytes.Contains(b, []byte(word)) {
			t.Errorf("event has %q: %s", word, b)
		}
	}
}
