package opa_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/door/native"
	"github.com/authz-sidecar/sidecar/internal/door/opa"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/input"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/introspect/issuer"
	"github.com/authz-sidecar/sidecar/internal/listen"
	"github.com/authz-sidecar/sidecar/internal/status"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

const (
	goodToken = "YF3IbaDtTvWuHyJpK1dS3w"
	// hidden is in policies, data and facts about the good token that no caller may see.
	hidden = "only-the-sidecar-knows"
)

// oneServer knows one token.
type oneServer struct{ known introspect.Introspector }

func (s oneServer) Introspect(ctx context.Context, q introspect.Question) (*authz.Claims, error) {
	if q.Token.Reveal() == goodToken {
		return s.known.Introspect(ctx, q)
	}
	return &authz.Claims{}, nil // inactive
}

// guarding is a door over an entrypoint for holders of the good token, and a package for alice.
func guarding(t testing.TB, introspecting bool) map[string]http.Handler {
	t.Helper()
	folder := t.TempDir()
	testkit.WriteFiles(t, folder, map[string]string{
		"own/own.rego": "package own\n\n# METADATA\n# entrypoint: true\ndefault decision := {\"allow\": false}\n\n" +
			"decision := {\"allow\": true} if {\n\tinput.token.active\n\tinput.request.path == \"/open\"\n" +
			"\tdata.own.inside.note\n}\n",
		"own/inside/data.json": `{"note": "` + hidden + `"}`,
		"app/app.rego": "package app\n\ndefault allow := false\n\nallow if input.subject == \"alice\"\n\n" +
			"default tokened := false\n\ntokened if input.token.active\n",
	})
	set, err := dir.Load(dir.Config{Paths: []string{folder}})
	if err != nil {
		t.Fatal(err)
	}
	policy, err := engine.Compile(t.Context(), set, engine.Config{Deadline: 5 * time.Second,
		CallerPackages: []string{"app"}}, "own/decision")
	if err != nil {
		t.Fatal(err)
	}
	known, err := issuer.Static(issuer.Config{}, []byte(`{"active":true,"sub":"ann","note":"`+hidden+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	point := decision.New(decision.Config{Entrypoint: "own/decision", Token: authz.TokenRequired, Realm: "acme"},
		&decision.Snapshot{Introspector: oneServer{known}, Policy: policy}, decision.Deps{
			Input: input.NewRules(input.Config{}), Log: slog.New(slog.DiscardHandler)})
	return opa.Mount(opa.Config{Enabled: true, DefaultDecision: "own/decision/allow", Packages: []string{"app"},
		Policies: true, IntrospectToken: introspecting}, opa.Deps{Point: point, Parse: native.ParseCall,
		Status: func() status.Report { return status.Report{} },
		Limits: listen.Limits{BodyBytes: 1 << 14, BatchItems: 5, ReadTimeout: 5 * time.Second,
			Timeout: 5 * time.Second}}).Handlers
}

// opaDoors are the operations that decide, and what their paths begin with.
var opaDoors = []struct{ id, method, under string }{
	{"opaData", "POST", "/v1/data/"}, {"opaDataGet", "GET", "/v1/data/"}, {"opaDataV0", "POST", "/v0/data/"},
	{"opaDefault", "POST", "/"}, {"opaBatch", "POST", "/v1/batch/data/"},
}

// FuzzOPADoor compares with what other readers of URLs, JSON and YAML find in a call: only who shows the good token is
// allowed by the entrypoint, only alice by the package, and what neither answers is seen by no caller.
func FuzzOPADoor(f *testing.F) {
	plain, introspecting := guarding(f, false), guarding(f, true)
	const open = `{"request":{"method":"GET","url":"/open"},"token":"` + goodToken + `"}`
	claims := strings.Replace(open, `"`+goodToken+`"`, `{"active":true}`, 1)
	for _, seed := range []struct {
		door           uint8
		target, as, in string
	}{
		{0, "own/decision", "application/json", `{"input":` + open + `}`},
		{0, "own/decision/allow", "gzip", `{"input":` + open + `}`},
		{0, "own/decision?explain=full", "application/json", `{"input":` + claims + `}`},
		{0, "app/allow", "application/json", `{"input":{"subject":"alice"}}`},
		{0, "app/tokened", "application/json", `{"input":{"token":{"active":true}}}`},
		{0, "app/tokened?metrics&pretty", "application/json", `{"input":{"token":"` + goodToken + `"}}`},
		{0, "app/allow?explain=full&pretty", "application/yaml", "input: {subject: alice}"},
		{0, "app%2F..%2Fown/decision", "application/yaml", "input: &a {token: *a}"},
		{1, `app/allow?input={"subject":"alice"}`, "", ""},
		{2, "app//allow/", "application/json", `{"subject":"alice","SUBJECT":"bob"}`},
		{2, "app//0/", "AppliCAtion/json", ""},
		{2, "own/inside", "application/json", open}, {2, "app/../own", "application/json", open},
		{3, "", "application/json", open}, {3, "", "gzip", claims},
		{4, "app/allow", "application/json", `{"inputs":{"a":{"subject":"alice"},"b":{}}}`},
		{4, "own/decision", "application/json", `{"inputs":{"a":` + open + `,"b":` + claims + `}}`},
	} {
		f.Add(seed.door, seed.target, seed.as, seed.in)
	}
	f.Fuzz(func(t *testing.T, door uint8, target, as, body string) {
		to := opaDoors[int(door)%len(opaDoors)]
		if to.under == "/" {
			target = ""
		}
		at, err := url.ParseRequestURI(to.under + target)
		if err != nil {
			return
		}
		for introspects, handlers := range map[bool]map[string]http.Handler{false: plain, true: introspecting} {
			r := httptest.NewRequest(to.method, "/", sentAs(t, as, body))
			r.URL = at
			r.Header.Set("Content-Type", as)
			if as == "gzip" {
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("Content-Encoding", "gzip")
			}
			w := httptest.NewRecorder()
			handlers[to.id].ServeHTTP(w, r)
			got := w.Body.String()
			if w.Code >= 500 || strings.Contains(got, hidden) {
				t.Fatalf("%s %s as %q, introspecting %t: %q\n%d %s", to.id, at, as, introspects, body, w.Code, got)
			}
			if w.Code < 300 && saysTrue(got) && !mayPass(to.id, at, as, body, introspects) {
				t.Fatalf("%s %s as %q, introspecting %t: %q\nis allowed: %s", to.id, at, as, introspects, body, got)
			}
		}
	})
}

func sentAs(t *testing.T, as, body string) io.Reader {
	if as != "gzip" {
		return strings.NewReader(body)
	}
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := io.WriteString(z, body); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	return &out
}

// saysTrue reports whether a decision in an answer is true: no explanation is one.
func saysTrue(answer string) bool {
	var v any
	if json.Unmarshal([]byte(answer), &v) != nil {
		return true
	}
	if o, ok := v.(map[string]any); ok {
		delete(o, "explanation")
	}
	return hasTrue(v)
}

func hasTrue(v any) bool {
	switch v := v.(type) {
	case bool:
		return v
	case map[string]any:
		for _, member := range v {
			if hasTrue(member) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, hasTrue)
	}
	return false
}

// in is what names lead to in a value that another reader found, or nil.
func in(v any, names ...string) any {
	for _, name := range names {
		o, _ := v.(map[string]any)
		v = o[name]
	}
	return v
}

// mayPass reports whether a call may have a true in its answer.
func mayPass(id string, at *url.URL, as, body string, introspects bool) bool {
	if id == "opaDefault" {
		at = &url.URL{Path: "/v0/data/own/decision/allow"}
	}
	segments := slices.DeleteFunc(strings.Split(at.Path, "/"), func(s string) bool { return s == "" })
	segments = segments[1+slices.Index(segments, "data"):]
	own := len(segments) >= 2 && segments[0] == "own" && segments[1] == "decision"
	return slices.ContainsFunc(inputsOf(id, at, as, body), func(input any) bool {
		token := in(input, "token")
		switch {
		case own:
			headers, err := json.Marshal(in(input, "request", "headers"))
			shown := err == nil && strings.Contains(string(headers), goodToken) || token == goodToken
			text, _ := in(input, "request", "url").(string)
			u, err := url.Parse(text)
			return err == nil && u.Path == "/open" && shown
		case len(segments) > 0 && segments[0] == "app":
			facts := in(token, "active") != nil && in(token, "active") != false
			return in(input, "subject") == "alice" || !introspects && facts || introspects && token == goodToken
		}
		return false
	})
}

// inputsOf are the inputs of a call as another reader finds them: the last of equal members.
func inputsOf(id string, at *url.URL, as, body string) []any {
	if id == "opaDataGet" {
		as, body = "", at.Query().Get("input")
	}
	var whole any
	if strings.Contains(as, "yaml") {
		_ = yaml.Unmarshal([]byte(body), &whole) // what cannot be read is nil, and may not pass
	} else {
		_ = json.Unmarshal([]byte(body), &whole)
	}
	switch id {
	case "opaData":
		return []any{in(whole, "input")}
	case "opaBatch":
		inputs, _ := in(whole, "inputs").(map[string]any)
		return slices.Collect(maps.Values(inputs))
	}
	return []any{whole}
}
