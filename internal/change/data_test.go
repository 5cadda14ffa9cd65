package change

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const dataPolicy = `package authz

# METADATA
# entrypoint: true
decision := data.limits[input.token.client_id].max > 3

default decision := false
`

// withData compares two files of data.
func withData(t *testing.T, old, now string) *Change {
	t.Helper()
	return changed(t, map[string]string{"policies/a.rego": dataPolicy, "policies/data.json": old},
		map[string]string{"policies/a.rego": dataPolicy, "policies/data.json": now}, Options{})
}

func TestData_DifferencesArePathsWithBothValuesAndReaders(t *testing.T) {
	c := withData(t, `{"limits": {"a": {"max": 1}, "b c": {"max": 2}, "gone": {"max": 3}}, "unread": 1}`,
		`{"limits": {"a": {"max": 5},
 "b c": {"max": 2, "list": [1, 2]}, "new": {"max": 4}}, "unread": 2}`)
	var got []string
	for _, v := range c.Data.Values {
		got = append(got, fmt.Sprintf("%s %s %s>%s %d %v", v.Path, v.How, v.Old, v.New, v.Row, v.Readers))
	}
	want := []string{
		"data.limits.a.max changed 1>5 1 [data.authz.decision]",
		"data.limits.gone removed {\"max\":3}>null 1 [data.authz.decision]",
		"data.limits.new added null>{\"max\":4} 2 [data.authz.decision]",
		"data.limits[\"b c\"].list added null>[1,2] 2 []",
		"data.unread changed 1>2 2 []",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if titles := c.titles(KindData); len(titles) != 4 ||
		titles[3] != "2 values of data differ on which no decision depends" {
		t.Errorf("findings: %q", titles)
	}
}

func TestData_LargeValuesAreCutAndManyAreCounted(t *testing.T) {
	var many, more strings.Builder
	for i := range 300 {
		fmt.Fprintf(&many, `,"k%03d": {"max": %d}`, i, i)
		fmt.Fprintf(&more, `,"k%03d": {"max": %d}`, i, i+1)
	}
	c := withData(t, `{"limits": {"a": {"max": 1}`+many.String()+`}, "text": "a"}`,
		`{"limits": {"a": {"max": 1}`+more.String()+`}, "text": "`+strings.Repeat("b", 5000)+`"}`)
	if len(c.Data.Values) != maxValues || c.Data.Left != 101 {
		t.Errorf("%d values, %d left", len(c.Data.Values), c.Data.Left)
	}
	if titles := c.titles(KindData); !slices.Equal(titles, []string{"301 values of data differ that rules read"}) {
		t.Errorf("%q", titles)
	}
	c = withData(t, `{"limits": {}, "text": "a"}`, `{"limits": {}, "text": "`+strings.Repeat("b", 5000)+`"}`)
	if v := string(c.Data.Values[0].New); !strings.HasPrefix(v, `"5002 bytes of JSON, which begin with \"bbb`) ||
		len(v) > 1200 {
		t.Errorf("%.80s", v)
	}
}

func TestReach_WhatIsNewlyCalledReadAndReachedIsTold(t *testing.T) {
	old := map[string]string{"policies/a.rego": "package authz\n\n# METADATA\n# entrypoint: true\ndecision if " +
		"input.token.claims.a\n\ndefault decision := false\n"}
	now := map[string]string{"policies/a.rego": `package authz

# METADATA
# entrypoint: true
decision if {
	input.token.claims.a
	machine := opa.runtime()
	input.token.claims.b == machine.env.B
	time.now_ns() > 3
	net.lookup_ip_addr("db.example")
	http.send({"method": "GET", "url": input.token.claims.url}).status_code == 200
	upper(input.token.claims.a) == "A"
}

default decision := false
`}
	allowed := []string{"http.send", "net.lookup_ip_addr", "opa.runtime"}
	c := changed(t, old, now, Options{}, allowed...)
	want := []string{
		"http.send is newly called, and reaches any host (the URL is computed)",
		"net.lookup_ip_addr is newly called, and reaches db.example",
		"opa.runtime is newly called, which tells about the machine",
		"input.token.claims.b is newly read, by data.authz.decision",
		"input.token.claims.url is newly read, by data.authz.decision",
		"time.now_ns is newly called (clock)",
		"newly called without reaching anything: upper",
	}
	got := c.titles(KindReach, KindInput, KindBuiltin)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	back := changed(t, now, old, Options{}, allowed...).titles(KindReach, KindInput, KindBuiltin, KindLess)
	if len(back) != 3 || !strings.HasPrefix(back[0], "no longer called: http.send") {
		t.Errorf("the other way round: %q", back)
	}
}

func TestReach_AHostBesideOthersIsNew(t *testing.T) {
	module := func(url string) map[string]string {
		return map[string]string{"policies/a.rego": "package authz\n\n# METADATA\n# entrypoint: true\n" +
			"decision if http.send({\"method\": \"GET\", \"url\": \"" + url +
			"\"}).status_code == 200\n\ndefault decision := false\n"}
	}
	c := changed(t, module("https://a.example/"), module("https://b.example/"), Options{}, "http.send")
	if got := c.titles(KindReach); !slices.Equal(got, []string{"requests newly reach b.example"}) {
		t.Errorf("%q", got)
	}
}

func TestEntrypoints_ThatCameWentOrAskForOtherFacts(t *testing.T) {
	old := "package authz\n\n# METADATA\n# entrypoint: true\ndecision if input.token.active\n\ndefault decision := " +
		"false\n\n" +
		"# METADATA\n# entrypoint: true\ngone := true\n"
	now := "package authz\n\n# METADATA\n# entrypoint: true\n# custom: {token: {max_age: 5s}}\ndecision if " +
		"input.token.active\n\ndefault decision := false\n\n" +
		"# METADATA\n# entrypoint: true\nadmin := true\n"
	c := changed(t, map[string]string{"policies/a.rego": old}, map[string]string{"policies/a.rego": now}, Options{})
	want := []string{"the entrypoint authz/admin is new",
		"the entrypoint authz/decision asks for other facts about the token: as configured, at most 5s old, was as " +
			"configured",
		"the entrypoint authz/gone is gone: callers that ask it are refused"}
	if got := c.titles(KindSettings); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
