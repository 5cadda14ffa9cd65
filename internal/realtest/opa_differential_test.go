//go:build real

package realtest

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// opaCall is one call of OPA's API.
type opaCall struct {
	call string // METHOD TARGET
	body string
	// as is how the body is sent: a media type, or "gzip" for compressed JSON; empty is JSON.
	as string
	// ours is the status of the sidecar where it differs from OPA, as docs/opa-api.md says.
	ours int
}

// opaAnswer is what can be compared of an answer: the status, and the body but for what must differ.
type opaAnswer struct {
	status int
	body   string
}

func (c opaCall) ask(t *testing.T, server string) opaAnswer {
	t.Helper()
	method, target, _ := strings.Cut(c.call, " ")
	body, media := []byte(c.body), "application/json"
	if c.as != "" {
		media = c.as
	}
	var compressed bytes.Buffer
	if c.as == "gzip" {
		z := gzip.NewWriter(&compressed)
		if _, err := z.Write(body); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		body, media = compressed.Bytes(), "application/json"
	}
	r, err := http.NewRequestWithContext(t.Context(), method, server+target, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", media)
	if c.as == "gzip" {
		r.Header.Set("Content-Encoding", "gzip")
	}
	resp, err := client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return opaAnswer{resp.StatusCode, comparable(text, resp.StatusCode)}
}

// comparable is a body in canonical form. The id of the decision is the sidecar's alone, times differ, and so does the
// wording of errors, whose code is the same.
func comparable(body []byte, status int) string {
	var members map[string]jsontext.Value
	if json.Unmarshal(body, &members) != nil {
		canonical := jsontext.Value(body)
		if canonical.Compact() != nil {
			return strings.TrimSpace(string(body))
		}
		return string(canonical)
	}
	delete(members, "decision_id")
	if status >= 400 {
		return string(members["code"])
	}
	for _, name := range []string{"metrics", "explanation", "provenance"} {
		if members[name] != nil {
			members[name] = jsontext.Value(`"..."`)
		}
	}
	out, err := json.Marshal(members, json.Deterministic(true))
	if err != nil {
		return err.Error()
	}
	if bytes.Contains(body, []byte("\n  ")) {
		out = append(out, " indented"...)
	}
	return string(out)
}

const differentialPolicy = `package app

default allow := false

allow if input.subject == "alice"

kind := type_name(input)

echo := input

set := {"b", "a", "é"}

numbers := [1, 1.0, 1e3, 12345678901234567890123, 0.1]

text := "<&> \u2028 \u00e9"

ratio := 1 / input.zero

partial contains x if some x in input.list

by[k] := v if some k, v in input.object

user.name := input.user

f(x) := x

nothing if false

_ := trace("seen")
`

// TestTheSidecarAnswersAsOPADoes asks both the same.
func TestTheSidecarAnswersAsOPADoes(t *testing.T) {
	policies := t.TempDir()
	testkit.WriteFiles(t, policies, map[string]string{"app/app.rego": differentialPolicy,
		"app/facts/data.json": `{"list": [{"a": 1}, "two"], "a/b": 1, "x.y": 2, "q\"q": 3, "ключ": 4, "1": 5, "": 6}`})
	sc := startCallers(t, policies, "{enabled: true, packages: [app], default_decision: app/allow, policies: true}")
	opa := startOPA(t, policies, "--set", "default_decision=/app/allow")
	for _, c := range opaCalls {
		got, want := c.ask(t, sc.api), c.ask(t, opa)
		sc.answers.WriteString(got.body)
		switch {
		case c.ours == 0 && got != want:
			t.Errorf("%s %q as %q:\nsidecar %v\nOPA     %v", c.call, c.body, c.as, got, want)
		case c.ours != 0 && got.status != c.ours:
			t.Errorf("%s %s: %v, want %d", c.call, c.body, got, c.ours)
		case c.ours != 0 && got == want:
			t.Errorf("%s %s: %v is no difference: remove it here and in docs/opa-api.md", c.call, c.body, got)
		}
	}
}
