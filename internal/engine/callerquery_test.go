package engine

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

func TestAQueryOfACallerIsAnsweredByBindings(t *testing.T) {
	p := withFilters(t)
	for _, c := range []struct{ query, in, want string }{
		{`data.app.filters.include`, `{"admin":true}`, `[{}]`},
		{`data.app.filters.include`, `{}`, ``},
		{`x := data.app.names[who][_]`, ``, `[{"who":"ann","x":"fig"},{"who":"ann","x":"kiwi"}]`},
		{`x = upper(input.a)`, `{"a":"b"}`, `[{"x":"B"}]`},
		{`x = [upper(y) | y = input.a[_]]`, `{"a":["b"]}`, `[{"x":["B"]}]`},
		{`input.a == 1; y := {"a": {1, 2}}`, `{"a":1}`, `[{"y":{"a":[1,2]}}]`},
		{`false`, ``, `[{}]`},
		{`data.app.filters.include with input.admin as true`, ``, `[{}]`},
	} {
		q := QueryQuestion{Query: c.query}
		if c.in != "" {
			q.Input = []byte(c.in)
		}
		got, err := p.Query(t.Context(), q)
		if err != nil || string(got) != c.want {
			t.Errorf("%s %s: %s %v, want %s", c.query, c.in, got, err, c.want)
		}
	}
}

func TestAQueryNamesNothingOutsideOfThePackagesOfCallers(t *testing.T) {
	p := withFilters(t)
	for _, query := range []string{
		`data`, `x := data`, `x = data`, `data.secret`, `data.secret.key = x`, `data[x]`, `data[x].key`,
		`data.authz.decision`,
		`x := {y | y := data.secret.key}`, `x := [data.secret]`, `x := {"a": data.secret}`, `walk(data, x)`,
		`object.get(data, ["secret", "key"], 1)`, `data.app.names[data.secret.key]`, `input[data.secret.key]`,
		`x := 1 with data.secret as 2`, `x := input.a with input.a as data.secret`, `some x in data.secret`,
		`every x in data.secret { x }`, "x := $\"{data.secret.key}\"", `not data.secret`, `json.marshal(data) = x`,
		`data.orders.visible`, `x := data.app.names; y := data`, `d = data; x := d.secret`, `data["secret"]`,
		`http.send({"url": "http://127.0.0.1"}, x)`, `x := http.send({"url": "http://127.0.0.1"}).body`,
		`x := opa.runtime()`, `x := [r | r := net.lookup_ip_addr("a.example")]`,
	} {
		got, err := p.Query(t.Context(), QueryQuestion{Query: query})
		said, ok := errors.AsType[*QueryError](err)
		if !ok || got != nil || authz.KindOf(err) != authz.Malformed {
			t.Errorf("%s: %s %v", query, got, err)
			continue
		}
		var all []struct{ Location struct{ Row, Col int } }
		if err := json.Unmarshal(said.Errors, &all); err != nil || len(all) == 0 || all[0].Location.Row != 1 {
			t.Errorf("%s: no place: %s", query, said.Errors)
		}
		if _, err := p.Filter(t.Context(), FilterQuestion{FilterOptions: FilterOptions{Query: query}}); err == nil {
			t.Errorf("%s: is partially evaluated", query)
		}
	}
}

func TestAQueryIsBounded(t *testing.T) {
	p, err := compiled(t, Config{Deadline: 200 * time.Millisecond, CallerPackages: []string{"app"}, Filters: true},
		filterPolicies)
	if err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{
		`x := numbers.range(1, 1000000000)`,
		`x := numbers.range(1, 300000)`,
		`some i in numbers.range(1, 3000); some j in numbers.range(1, 3000); i * j == -1`,
		`x := 1 / 0`,
		`numbers.range(1, 3000)[_] = _; numbers.range(1, 3000)[_] = _`,
		`x := {"` + strings.Repeat("y", 10<<10) + `": numbers.range(1, 200)}; some i in numbers.range(1, 200)`,
	} {
		if got, err := p.Query(t.Context(), QueryQuestion{Query: query}); authz.KindOf(err) != authz.Misconfigured {
			t.Errorf("%s: %d bytes %v", query, len(got), err)
		}
	}
}

func TestTheTextOfAQueryIsBounded(t *testing.T) {
	p := withFilters(t)
	for _, query := range []string{strings.Repeat("true;", 4000), strings.Repeat("[", 17<<10)} {
		if _, err := p.Query(t.Context(), QueryQuestion{Query: query}); authz.KindOf(err) != authz.Malformed {
			t.Errorf("%.20s: %v", query, err)
		}
	}
}

func TestWhatIsLeftIsBounded(t *testing.T) {
	p := withFilters(t)
	query := strings.TrimSuffix(strings.Repeat("input.x[_] == input.y[_][_]; data.app.filters.include;", 12), ";")
	if f, err := p.Filter(t.Context(), FilterQuestion{Input: []byte(`{"max":1,"user":"ann"}`),
		FilterOptions: FilterOptions{
			Query: query, Unknowns: []string{"input.fruits", "input.x", "input.y"}, HasUnknowns: true}}); authz.KindOf(
		err) !=
		authz.Misconfigured {
		t.Errorf("%d bytes, %v", len(f.Result), err)
	}
}

func TestWhatIsLeftOfAQueryIsThatOfOPA(t *testing.T) {
	p := withFilters(t)
	got, err := p.Filter(t.Context(), FilterQuestion{FilterOptions: FilterOptions{
		Query: `data.app.filters.upper_only`, Unknowns: []string{"input.fruits"}, HasUnknowns: true}})
	if err != nil || got.Never || strings.Contains(string(got.Result), "bounded") ||
		!strings.Contains(string(got.Result), `"queries":[[{`) || !strings.Contains(string(got.Result), `"upper"`) {
		t.Errorf("%s %v", got.Result, err)
	}
}

func TestTheRuleThatAQueryAsksForIsRead(t *testing.T) {
	for query, want := range map[string]string{
		`data.orders.visible`: "orders/visible", `data.orders.visible == true`: "orders/visible",
		`data.orders["visible"] = true`: "orders/visible", `data.orders.visible == false`: "",
		`not data.orders.visible`: "",
		`data.orders[x]`:          "", `data`: "", `data.a; data.b`: "", `data.a with input.token as {}`: "", `x`: "",
		``:                            "",
		`(`:                           "",
		`data.orders.visible != true`: "", `true == data.orders.visible`: "", `f(data.a)`: "",
	} {
		if got := strings.Join(RuleOfQuery(query), "/"); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
}
