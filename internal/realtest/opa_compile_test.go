//go:build real

package realtest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// compiledByBoth is a policy of filters, which OPA and the sidecar compile.
var compiledByBoth = map[string]string{
	"app/filters.rego": `# METADATA
# scope: package
# compile:
#   unknowns: [input.orders]
#   mask_rule: data.app.filters.masks
package app.filters

include if {
	input.orders.owner == input.user
	input.orders.total < 100
}

include if input.orders.status in data.app.open[input.team]

include if input.role == "admin"

either if input.orders.a == 1

either if not input.orders.b == "x"

prefix if startswith(input.orders.name, input.prefix)

suffix if endswith(input.orders.name, "%_x'\\")

part if contains(input.orders.name, "b")

columns if input.orders.a == input.orders.b

tables if input.orders.customer == input.customers.id

exists if input.orders.paid

null_value if input.orders.paid == null

flag if input.orders.paid == true

number if input.orders.total >= 12.5

unequal if input.orders.status != "done"

calls if upper(input.orders.name) == "A"

default with_default := false

with_default if input.orders.a == 1

nested if input.orders.address.city == "x"

helper(x) if x == "fig"

function if helper(input.orders.name)

with_every if every s in ["a", "b"] { input.orders.name != s }

some_of if {
	some s in ["a", "b"]
	input.orders.status == s
}

misspelt if input.order.status == "a"

masks.orders.card.replace.value := "***" if input.role != "admin"

other_masks := {"orders": {"owner": {"replace": {"value": "x"}}}}
`,
	"app/data.json": `{"open": {"eu": ["new", "paid"], "us": []}}`,
}

const (
	sqlOf   = "application/vnd.opa.sql."
	ucastOf = "application/vnd.opa.ucast."
)

// compiledAnswer is the status of an answer and what a client reads of it.
func compiledAnswer(t *testing.T, base, method, path, accept, body string) (int, any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatalf("%s: %s", err, raw)
	}
	delete(out, "decision_id")
	if resp.StatusCode != http.StatusOK {
		delete(out, "message")
		places, _ := out["errors"].([]any)
		for _, e := range places { // the file is named from where each program was started
			if at, ok := e.(map[string]any)["location"].(map[string]any); ok {
				at["file"] = filepath.Base(fmt.Sprint(at["file"]))
			}
		}
	}
	return resp.StatusCode, out
}

// TestOPACompilesTheSameFilters asks both for each filter, and what partial evaluation leaves, and queries.
func TestOPACompilesTheSameFilters(t *testing.T) {
	policies := t.TempDir()
	testkit.WriteFiles(t, policies, compiledByBoth)
	opa := startOPA(t, policies)
	sc := startCallers(t, policies, "{enabled: true, query: true, packages: [app]}")
	compared, filters := 0, 0
	same := func(method, path, accept, body string) {
		t.Helper()
		compared++
		wantStatus, want := compiledAnswer(t, opa, method, path, accept, body)
		gotStatus, got := compiledAnswer(t, sc.api, method, path, accept, body)
		fmt.Fprint(&sc.answers, got)
		if gotStatus != wantStatus || !reflect.DeepEqual(got, want) {
			t.Errorf("%s %s %s %s:\nsidecar %d %s\nOPA     %d %s", method, path, accept, body, gotStatus, text(got),
				wantStatus, text(want))
		}
		if wantStatus == http.StatusOK {
			filters++
		}
	}
	rules := []string{"either", "prefix", "suffix", "part", "columns", "tables", "exists", "null_value", "flag",
		"number", "unequal", "calls", "with_default", "nested", "function", "with_every", "some_of", "misspelt", "no"}
	accepted := []string{sqlOf + "postgresql+json", sqlOf + "mysql+json", sqlOf + "sqlserver+json",
		sqlOf + "sqlite+json",
		ucastOf + "all+json", ucastOf + "minimal+json", ucastOf + "prisma+json", ucastOf + "linq+json"}
	for _, accept := range accepted {
		for _, rule := range rules {
			same("POST", "/v1/compile/app/filters/"+rule, accept,
				`{"input":{"prefix":"a_%"},"unknowns":["input.orders",`+
					`"input.customers"]}`)
		}
		for _, in := range []string{`{"user":"ann"}`, `{"role":"admin"}`, `{"team":"eu"}`,
			`{"team":"us","user":"o'neil"}`,
			`{}`, `null`} {
			same("POST", "/v1/compile/app/filters/include", accept, `{"input":`+in+`}`)
		}
		same("POST", "/v1/compile/app/filters/include", accept, `{"input":{"user":"ann"},"options":{"maskRule":`+
			`"other_masks","targetSQLTableMappings":{"sql":{"orders":{"$self":"o","owner":"u"}},"ucast":{"orders":`+
			`{"owner":"u"}}}}}`)
		same("POST", "/v1/compile/app/filters/include", accept,
			`{"options":{"targetSQLTableMappings":{"orders":{"a":1}}},`+
				`"input":{"role":"admin"}}`)
	}
	same("POST", "/v1/compile/app/filters/include", "application/vnd.opa.multitarget+json", `{"input":{"user":"ann"},`+
		`"options":{"targetDialects":["sql+mysql","ucast+all","sql+sqlite","ucast+prisma"]}}`)
	same("POST", "/v1/compile/app/filters/include", "application/vnd.opa.multitarget+json", `{"input":{"team":"us"},`+
		`"unknowns":["input.x"],"options":{"targetDialects":["sql+mysql","ucast+all"]}}`)
	for _, accept := range []string{"", "text/html", accepted[0] + "," + accepted[1]} {
		same("POST", "/v1/compile/app/filters/include", accept, `{}`)
	}
	for _, body := range partiallyEvaluated() {
		same("POST", "/v1/compile", "", body)
	}
	for _, body := range []string{
		`{"query":"data.app.filters.include","input":{"role":"admin"}}`,
		`{"query":"data.app.filters.include","input":{}}`, `{"query":"x = data.app.open[team][i]"}`,
		`{"query":"x := upper(input.a); y := [x, {1, 2}, null, 1.50]","input":{"a":"b"}}`,
		`{"query":"data.app.filters.with_default = x"}`, `{"query":"data.app.filters.with_default"}`,
		`{"query":"x = "}`, `{"query":"nofunction(1)"}`, `{"query":"x := input[_]","input":[1,"a"]}`,
		`{"query":"1 == 2"}`, `{"query":"1 == 2; true"}`, `{"query":"data.app.filters.nothing = x"}`,
		`{"query":"some x in [1, 2]; x > 1"}`,
	} {
		same("POST", "/v1/query", "", body)
	}
	same("GET", "/v1/query?q=data.app.open.eu%5Bi%5D+%3D+x", "", "")
	same("GET", "/v1/query?q=x+%3D", "", "")
	same("GET", "/v1/query", "", "")
	if filters < 80 {
		t.Errorf("%d of %d answers are no errors", filters, compared)
	}
	t.Logf("%d answers compared, %d without an error", compared, filters)
}

func partiallyEvaluated() []string {
	return []string{
		`{"query":"data.app.filters.include == true","unknowns":["input.orders"],"input":{"user":"ann"}}`,
		`{"query":"data.app.filters.include","unknowns":["input"]}`,
		`{"query":"data.app.filters.include"}`,
		`{"query":"data.app.filters.include = x","unknowns":["input.orders"],"input":{"role":"admin"}}`,
		`{"query":"data.app.filters.calls","unknowns":["input.orders"]}`,
		`{"query":"data.app.filters.with_default = true","unknowns":["input.orders"]}`,
		`{"query":"data.app.filters.either = true","unknowns":["input.orders"],` +
			`"options":{"disableInlining":["data.app.filters.either"]}}`,
		`{"query":"data.app.filters.prefix","unknowns":["input.orders"],"input":{"prefix":"a"}}`,
		`{"query":"data.app.filters.with_every","unknowns":["input.orders"]}`,
		`{"query":"time.now_ns() > input.x","unknowns":["input.x"]}`,
		`{"query":"x := [upper(y) | y := split(input.x, \",\")[_]]","unknowns":["input.x"]}`,
		`{"query":"data.app.filters.include","unknowns":[],"input":{"role":"admin"}}`,
		`{"query":"sprintf(\"%d\", [input.x]) = y","unknowns":["input.x"]}`,
		`{"query":"x := count(split(input.x, \",\"))","unknowns":["input.x"]}`,
		`{"query":"data.app.filters.function == true"}`, `{"query":"data.app.filters.nothing"}`,
		`{"query":"false"}`, `{"query":"true"}`, `{"query":"input.x = "}`, `{}`,
	}
}

func text(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}
