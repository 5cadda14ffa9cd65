package engine

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// padded are files whose data are large, by space after them.
func padded(files map[string]string) map[string]string {
	out := maps.Clone(files)
	for name, text := range out {
		if strings.HasSuffix(name, ".json") {
			out[name] = text + strings.Repeat(" ", 70_000)
		}
	}
	return out
}

// loadText is what loading files says, and what is decided about some subjects.
func loadText(t *testing.T, files map[string]string) string {
	t.Helper()
	p, err := compiled(t, patient, files)
	if err != nil {
		return "refused:\n" + err.Error()
	}
	out := "warnings:\n" + p.Warnings().Error() + "\n"
	for range 2 {
		for _, id := range []string{"", "u0", "u7", "u99", "none", "part", "list"} {
			q := Question{Entrypoint: decisionPath, Document: requestOf(id, "GET", "a"), Time: start}
			out += id + ": " + answerText(p.evalAnew(t.Context(), p.entries[decisionPath], q, nil)) + "\n"
		}
		p.Settle()
	}
	return out
}

// TestLargeDataHaveTheProblemsOfSmallData: from a size on, the checks of policies look at data in their text.
func TestLargeDataHaveTheProblemsOfSmallData(t *testing.T) {
	var users strings.Builder
	for i := range 300 {
		fmt.Fprintf(&users, `"u%d": {"tenant": "t%d", "roles": ["r%d"], "id": %d.0, "on": true, "no": null}, `, i, i%7, i, i)
	}
	data := map[string]string{
		"policies/users/data.json":      `{` + users.String() + `"\u00e9": {"tenant": "t1"}}`,
		"policies/users/part/data.json": `{"tenant": "t9"}`,
		"policies/users/u7/data.json":   `{"extra": {"\"": [1]}}`,
		"policies/data.json":            `{"limits": {"days": ["monday"], "hours": [8, 17], "rate": 5}, "spare": {"k": {}}}`,
		"policies/list/data.json":       `[{"name": "n0"}, {"name": "n1"}, [true]]`,
		"policies/users_rule.rego":      "package users.made\n\nrule := input.token.subject.id\n",
		"policies/open.rego": "# METADATA\n# scope: package\n# custom: {optional_data: [\"data.limits.maybe\"]}\n" +
			"package open\n\nmaybe if data.limits.maybe.x\n",
	}
	said := map[string]bool{}
	for _, rule := range []string{
		`data.users[id].tenant == "t1"`,
		`data.users[id].tennant == "t1"`,
		`data.users[id].extra`,
		`data.users.u7.extra["\""][0] == 1`,
		`data.users.u7.extra["x"]`,
		`data.users["é"].tenant == "t1"`,
		`data.users.u300.tenant == "t1"`,
		`data.users[id].tenant == 5`,
		`data.users[id].id == "5"`,
		`data.users[id].id == 99`,
		`data.users[id].on == "true"`,
		`data.users[id].no == 1`,
		`data.users[id].roles == "r1"`,
		`data.users[id].roles[id]`,
		`data.users[id].roles[0] == "r7"`,
		`data.users[5]`,
		`data.users.part.tenant == 1`,
		`data.users.part.tenants == 1`,
		`data.users.made.rule == "u7"`,
		`data.users.made.rules == "u7"`,
		`data.users[_].made`,
		`some name, user in data.users; user.tenant == id; name == id`,
		`every user in data.users { user.tenant != id }`,
		`data.limit.rate == 5`,
		`data.limits.rate == "5"`,
		`data.limits.rates == 5`,
		`data.limits.days[_] == 1`,
		`data.limits.days[id]`,
		`data.limits.hours[0] == "8"`,
		`data.limits.hours[2] == 8`,
		`data.limits.hours[1] == 17`,
		`"monday" in data.limits.days`,
		`data.list[1].name == id`,
		`data.list[1].nam == id`,
		`data.list[id]`,
		`data.list[2][0] == "x"`,
		`data.list[3]`,
		`object.get(data.users, "u30O", 1) == 1`,
		`object.get(data.limits, "rates", 1) == 1`,
		`object.get(data.limits, ["hours", "x"], 1) == 1`,
		`data.spare.k == {}`,
		`data.spare[id].x`,
		`count(data.spare) == 1`,
		`data.users[id].tenant == "t1" with data.users as {id: {"tenant": "t1"}}`,
		`data.users[id].tenant == "t1" with data.user as {}`,
		`data.routes[id]`,
		`data.sidecar.routes.route.path == id`,
		`data.open.maybe`,
	} {
		files := maps.Clone(data)
		files["policies/authz.rego"] = "package authz\n\ndefault decision := false\n\ndecision if {\n\t" +
			strings.ReplaceAll(rule, "; ", "\n\t") + "\n}\n\nid := input.token.subject.id\n"
		small, large := loadText(t, files), loadText(t, padded(files))
		if small != large {
			t.Errorf("%s: with large data\n%s\nwith small data\n%s", rule, large, small)
		}
		said[strings.TrimSuffix(small, "\n")] = true
	}
	if len(said) < 30 {
		t.Errorf("%d different outcomes", len(said))
	}
	for conflict, text := range map[string]string{
		"authz": `{"decision": {}}`, "authz/decision": `{}`, "authz/id/x": `{"a": 1}`, "users/made": `{"rule": 1}`,
		"authz/other": `{"a": 1}`, "users/made/rule/x": `[1]`,
	} {
		files := maps.Clone(data)
		files["policies/"+conflict+"/data.json"] = text
		files["policies/authz.rego"] = "package authz\n\ndefault decision := false\n\ndecision if id == \"u1\"\n\n" +
			"id := input.token.subject.id\n"
		if small, large := loadText(t, files), loadText(t, padded(files)); small != large {
			t.Errorf("data at %s: with large data\n%s\nwith small data\n%s", conflict, large, small)
		}
	}
}

// TestVariablesOverManyMembersAreBounded: what the checks do with more members than they look at.
func TestVariablesOverManyMembersAreBounded(t *testing.T) {
	for n, rules := range map[int][]string{
		10_001:  {`data.users[id].m == 1`, `data.users[id].n == "1"`, `data.users[id] == 1`},
		100_001: {`data.users[id].m == 1`},
	} {
		var b strings.Builder
		for i := range n {
			b.WriteString(`, "u` + strconv.Itoa(i) + `": {"n": 1}`)
		}
		for _, rule := range rules {
			var said [2]string
			for i, name := range []string{"data.json", "data.yaml"} { // values of YAML are terms
				said[i] = strings.ReplaceAll(loadText(t, map[string]string{
					"policies/users/" + name: "{" + b.String()[1:] + "}",
					"policies/authz.rego": "package authz\n\ndefault decision := false\n\ndecision if " + rule +
						"\n\nid := input.token.subject.id\n"}), name, "data")
			}
			if said[0] != said[1] {
				t.Errorf("%d members, %s: as text\n%s\nas terms\n%s", n, rule, said[0], said[1])
			}
		}
	}
}

// TestCompilingBesideLargeDataMakesNoTermsOfThem: the peak of a reload is the old data and the text of the new.
func TestCompilingBesideLargeDataMakesNoTermsOfThem(t *testing.T) {
	files := map[string]string{"policies/authz.rego": "package authz\n\ndefault decision := false\n\n" +
		"decision if data.users[input.token.subject.id].tenant == \"t1\"\n"}
	load := func(users int) (p *Policy, set *bundle.Set, allocated uint64) {
		files["policies/users/data.json"] = manyUsers(users)
		t.Chdir(t.TempDir())
		testkit.WriteFiles(t, ".", files)
		set, err := dir.Load(dir.Config{Paths: []string{"policies"}})
		if err != nil {
			t.Fatal(err)
		}
		allocated = testkit.Allocated(func() { p, err = Compile(t.Context(), set, patient, decisionPath) })
		if err != nil {
			t.Fatal(err)
		}
		return p, set, allocated
	}
	_, _, few := load(1)
	p, set, many := load(60_000)
	size := uint64(len(files["policies/users/data.json"]))
	if many > few+3*size { // terms take six to nine times the size, besides what making them allocates
		t.Errorf("%d bytes are allocated beside %d bytes of data, %d beside a few", many, size, few)
	}
	if p.Settle(); set.Bundles[0].Data[0].Slot().Load() != nil {
		t.Error("there are terms of all users")
	}
}
