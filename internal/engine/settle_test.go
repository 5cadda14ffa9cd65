package engine

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// manyUsers is a file of users of whom no two are equal.
func manyUsers(n int) string {
	var b strings.Builder
	b.WriteString(`{"u\u00e9": {"tenant": "t1", "roles": [], "id": 1e2}`)
	fmt.Fprintf(&b, `, "large": {"tenant": %q, "roles": ["reader"], "id": 1}`, strings.Repeat("x", 3000))
	for i := range n {
		fmt.Fprintf(&b, `,"u%d":{"tenant":"t%d","roles":["r%d","reader"],"id":%d.50}`, i, i%7, i, i)
	}
	return b.String() + "}"
}

// usersPolicy has rules that read one user, and those that read all.
func usersPolicy(rules ...string) map[string]string {
	return map[string]string{
		"policies/users/data.json":    manyUsers(2000),
		"policies/users/x/data.json":  `{"tenant": "t9", "roles": {"r": 1}}`,
		"policies/small/u7/data.json": `{"k": [1, 1.0]}`,
		"policies/users_rule.rego":    "package users.made\n\nrule := input.token.subject.id\n",
		"policies/authz.rego": "package authz\n\n" +
			"decision := {\"allow\": true, \"context\": {\"seen\": sprintf(\"%v\", [seen])}}\n\n" +
			"id := input.token.subject.id\n\nseen contains {0: 0}\n\n" + strings.Join(rules, "\n\n") + "\n",
	}
}

func TestDecisionsAreTheSameOnceDataAreSettled(t *testing.T) {
	one := []string{
		`seen contains {1: data.users[id]}`,
		`seen contains {2: data.users[id].id * 2}`,
		`seen contains {3: r} if some r in data.users[id].roles`,
		`seen contains {4: data.users[id].roles[1]}`,
		`seen contains {5: i} if data.users[id].roles[i] == "reader"`,
		`seen contains {6: 1} if not data.users[id]`,
		`seen contains {7: count(data.users[id].roles)}`,
		`seen contains {8: object.get(data.users[id], "tenant", "none")}`,
		`seen contains {9: 1} if data.users[id] == {"tenant": "t1", "roles": [], "id": 100}`,
		`seen contains {10: p} if walk(data.users[id], [p, "reader"])`,
		`seen contains {11: data.users[id].tenant} if data.users[id].id > 5`,
		`seen contains {12: data.users.made.rule}`,
		`seen contains {13: data.small[id].k}`,
		`seen contains {14: x} if x := data.users[id].tenant with data.users as {id: {"tenant": "with"}}`,
		`seen contains {15: x} if x := data.users[id].tenant with data.users.u1.tenant as "with"`,
	}
	all := []string{
		`seen contains {20: count(data.users)}`,
		`seen contains {21: object.get(data.users, id, "none")}`,
		`seen contains {22: k} if { some k, u in data.users; u.tenant == "t1"; u.id < 20 }`,
		`seen contains {23: 1} if data.users[id].tenant`,
		`seen contains {24: 1} if data.users[id]`,
		`seen contains {25: k} if data.users[k].roles[0] == sprintf("r%s", [trim_prefix(id, "u")])`,
	}
	for name, rules := range map[string][]string{"one": one, "all": append(all, one...)} {
		p, err := compiled(t, patient, usersPolicy(rules...))
		if err != nil {
			t.Fatal(err)
		}
		var before []string
		ids := []string{"", "x", "made", "rule", "u\u00e9", "none", "large", "u2000", "users"}
		for i := range 40 {
			ids = append(ids, "u"+strconv.Itoa(i*i))
		}
		ask := func(id string) string {
			d := requestOf(id, "GET", "a")
			q := Question{Entrypoint: decisionPath, Document: d, Time: start}
			return answerText(p.evalAnew(t.Context(), p.entries[decisionPath], q, nil))
		}
		for _, id := range ids {
			before = append(before, ask(id))
		}
		p.Settle()
		p.entries[decisionPath].evaluations = &sync.Pool{} // those that were used have read data before
		read := func() any {
			v, err := p.store.Read(t.Context(), nil, []string{"users", "large"})
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		if held := read() == read(); held != (name == "all") {
			t.Errorf("%s: the terms of users are held: %t", name, held)
		}
		for i, id := range ids {
			if got := ask(id); got != before[i] {
				t.Errorf("%s: of %q once data are settled\n%s\nbefore\n%s", name, id, got, before[i])
			}
		}
	}
}
