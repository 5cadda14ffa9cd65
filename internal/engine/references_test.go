package engine

import (
	"strings"
	"testing"
	"time"
)

// set is a policy that decides, beside data and rules that may be referred to.
func set(rego string) map[string]string {
	return map[string]string{
		"policies/authz.rego": "package authz\n\ndefault decision := {\"allow\": true}\n",
		"policies/p.rego":     "package p\n\n" + rego,
		"policies/lib.rego": "package lib\n\nblocked contains \"a\"\n\ntable.one := " +
			"1\n\ntable.two := 2\n\nsettings := data.settings\n\nobject := {\"known\": 1}\n",
		"policies/settings/data.yaml":            "frozen: false\nlimits: {day: 5}\n",
		"policies/tenants/data.json":             `{"acme": {"blocked": true}, "initech": {"blocked": false}}`,
		"policies/example/maintenance/data.json": `{"frozen": false, "tenants": ["acme"]}`,
	}
}

// undefinedReferences are policies with a reference that nothing provides, and what the problem says.
var undefinedReferences = map[string]struct{ rego, want string }{
	"a misspelt package": {"x if not data.example.maintenence.frozen\n",
		"undefined ref: data.example.maintenence.frozen: no rule and no data provide data.example.maintenence " +
			"(data.example has: maintenance); did you mean data.example.maintenance.frozen?"},
	"a misspelt root": {"x if data.setings.frozen\n", "did you mean data.settings.frozen?"},
	"a root that is not there": {"x if data.bloked\n",
		"no rule and no data provide data.bloked (data has: authz, example, lib, p, settings, tenants)"},
	"a misspelt member of data": {"x if data.settings.frozn\n", "did you mean data.settings.frozen?"},
	"an alias by import": {"import data.settings as s\n\nx if s.frozn\n",
		"did you mean data.settings.frozen?"},
	"an import of nothing": {"import data.setings\n\nx if setings.frozen\n",
		"did you mean data.settings.frozen?"},
	"a local alias": {"x if {\n\ts := data.settings\n\ts.frozn\n}\n",
		"did you mean data.settings.frozen?"},
	"an alias of an alias": {"x if {\n\ts := data.settings\n\tl := s.limits\n\tl.dya > 1\n}\n",
		"did you mean data.settings.limits.day?"},
	"a rule that is an alias": {"x if data.lib.settings.frozn\n", "undefined ref: data.lib.settings.frozn"},
	"a function": {"f(y) := y == data.settings.frozn\n\nx if f(true)\n",
		"did you mean data.settings.frozen?"},
	"an argument of a function": {"f(s) := s.frozn\n\nx if f(data.settings)\n",
		"did you mean data.settings.frozen?"},
	"an argument from the input": {"f(s) := s.scpoes\n\nx if f(input.token)\n",
		"undefined ref: input.token.scpoes: the input has no such member"},
	"a comprehension": {"x := [y | some y in data.setings.limits]\n",
		"did you mean data.settings.limits?"},
	"a target of with": {"x if data.lib.blocked with data.settngs.frozen as true\n",
		"did you mean data.settings.frozen?"},
	"a value of with": {"x if data.lib.blocked with data.settings.frozen as data.settings.frozn\n",
		"did you mean data.settings.frozen?"},
	"the head of a rule":          {"x := data.settings.frozn\n", "did you mean data.settings.frozen?"},
	"the key of a partial object": {"x[data.settings.frozn] := 1\n", "did you mean data.settings.frozen?"},
	"an else": {"x := 1 if data.settings.frozen\n\nelse := data.settings.frozn\n",
		"did you mean data.settings.frozen?"},
	"under not":             {"x if not data.lib.bloked.a\n", "did you mean data.lib.blocked.a?"},
	"a rule built by parts": {"x if data.lib.table.oen\n", "did you mean data.lib.table.one?"},
	"a member of an object": {"x if data.lib.object.unknown\n",
		"rego_type_error: undefined ref: data.lib.object.unknown"},
	"below a text": {"x if data.settings.frozen.deeper\n",
		"no rule and no data provide data.settings.frozen.deeper"},
	"behind a variable, misspelt": {"x if data.tenants[input.token.tenant].bloked\n",
		"did you mean data.tenants[_].blocked?"},
	"in some": {"x if {\n\tsome t in data.tenants\n\tt.bloked\n}\n",
		"did you mean data.tenants[_].blocked?"},
	"in every": {"x if every t in data.tenants { t.bloked }\n",
		"did you mean data.tenants[_].blocked?"},
	"object.get with a misspelling": {"x if object.get(data.settings, \"frozn\", false)\n",
		"did you mean data.settings.frozen?"},
	"object.get with a path": {"x if object.get(data.example, [\"maintenence\", \"frozen\"], false)\n",
		"did you mean data.example.maintenance.frozen?"},
	"a name in a variable": {"x if {\n\tk := \"frozn\"\n\tdata.settings[k]\n}\n",
		"did you mean data.settings.frozen?"},
	"a name in a list": {"x if {\n\tsome k in [\"frozn\", \"frozen\"]\n\tdata.settings[k]\n}\n",
		"did you mean data.settings.frozen?"},
	"a name as an argument": {"on(k) if data.settings[k]\n\nx if on(\"frozn\")\n",
		"did you mean data.settings.frozen?"},
	"a name of the input": {"x if {\n\tk := \"metod\"\n\tinput.request[k] == \"GET\"\n}\n",
		"undefined ref: input.request.metod: the input has no such member"},
	"what a function gives": {"t(x) := data.tenants[x]\n\nx if t(input.token.tenant).bloked\n",
		"did you mean data.tenants[_].blocked?"},
	"what object.get gives": {"x if {\n\tt := object.get(data.tenants, input.token.tenant, {})\n\tt.bloked\n}\n",
		"did you mean data.tenants[_].blocked?"},
	"a rule that is one of data": {"t := data.tenants[input.token.tenant]\n\nx if t.bloked\n",
		"undefined ref: data.p.t.bloked, which is data.tenants[_].bloked: "},
	"a rule with names of data": {"t[k] := v if some k, v in data.tenants\n\nx if t[input.token.tenant].bloked\n",
		"did you mean data.tenants[_].blocked?"},
	"a list made of data": {"x if {\n\tsome t in [v | some v in data.tenants]\n\tt.bloked\n}\n",
		"did you mean data.tenants[_].blocked?"},
	"an object made of data": {"x if {\n\tts := {k: v | some k, v in " +
		"data.tenants}\n\tts[input.token.tenant].bloked\n}\n", "did you mean data.tenants[_].blocked?"},
	"a target of with in the input": {"y if input.request.method == \"GET\"\n\nx if y with input.request.metod as " +
		"\"GET\"\n", "undefined ref: input.request.metod: the input has no such member"},
	"a header that names data": {"x if not data.tenants[input.request.headers[\"x-tenant\"]]\n",
		"data.tenants is looked up by input.request.headers[\"x-tenant\"] (array[string]), which names nothing " +
			"there; it is an array of values: take each"},
	"a number that names a member": {"x if not data.tenants[input.request.port]\n",
		"data.tenants is looked up by input.request.port (number), which names nothing there"},
	"object.get of a lost input": {"x if object.get(input, \"headers\", {}) != {}\n",
		"object.get reads input.headers, which never is: it always gives its default; here input.headers is " +
			"input.request.headers"},
}

func TestMetadataAfterAByteOrderMarkCount(t *testing.T) {
	if _, err := compiled(t, patient, map[string]string{"policies/authz.rego": "\xef\xbb\xbf# METADATA\n" +
		"# custom: {optional_data: [data.frozen]}\npackage authz\n\ndefault decision := false\n\n" +
		"decision if {\n\tinput.token.active\n\tnot data.frozen.all\n}\n"}); err != nil {
		t.Error(err)
	}
}

func TestAReferenceThatNothingProvidesIsAProblem(t *testing.T) {
	for name, c := range undefinedReferences {
		t.Run(name, func(t *testing.T) {
			_, err := compiled(t, patient, set(c.rego))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("problems %v, want %q", err, c.want)
			}
			if err != nil && !strings.HasPrefix(err.Error(), "policies/p.rego:") {
				t.Errorf("no place in %v", err)
			}
		})
	}
}

func TestAReferenceThatMayBeProvidedIsNoProblem(t *testing.T) {
	for name, rego := range map[string]string{
		"data":                               "x if data.settings.frozen\n",
		"a rule":                             "x if data.lib.blocked.a\n",
		"a part of a rule":                   "x if data.lib.table.one\n",
		"an element of a set":                "x if data.lib.blocked[input.token.tenant]\n",
		"a package":                          "x := count(data.lib)\n",
		"everything":                         "x if data.tenants[_].blocked\n",
		"a variable that some value meets":   "x if data[input.request.method].frozen\n",
		"a member that data may get one day": "x if data.tenants[input.token.tenant].vip\n",
		"a default":                          "x if object.get(data.settings, \"beta\", false)\n",
		"a rule that is data":                "x if data.lib.settings.frozen\n",
		"a function of which one call fits":  "f(s) := s.frozen\n\nx if f(data.settings)\n\ny if f(data.tenants)\n",
		"what with provides to a rule":       "inner if data.limit > 1\n\nx if inner with data.limit as 5\n",
		"what with provides": "x if data.tenants.acme.new with data.tenants.acme as {\"new\": " +
			"true}\n",
		"names of which data have one": "x if {\n\tsome k in [\"frozen\", " +
			"\"archived\"]\n\tdata.settings[k]\n}\n",
		"short names of which data have one": "x if {\n\tsome k in [\"day\", \"dal\", " +
			"\"may\"]\n\tdata.settings.limits[k]\n}\n",
		"a default that has the member": "x if object.get(data.tenants, input.token.tenant, {\"blockd\": " +
			"false}).blockd\n",
		"a function that has a value besides": "t(x) := data.tenants[x]\n\nt(x) := {\"blockd\": true} if not " +
			"data.tenants[x]\n\nx if t(input.token.tenant).blockd\n",
		"a rule whose names are made": "a.b[c].d := {\"x\": data.settings[c]} if some c in " +
			"[\"frozen\"]\n\nx if a.b.frozen.d.x\n",
		"a set with arrays for elements": "known contains [\"a\"]\n\nx if " +
			"known[input.request.headers[\"x-tenant\"]]\n",
		"a declared path that is absent": "# METADATA\n# custom: {optional_data: [data.billing.suspended]}\nx " +
			"if not data.billing.suspended\n",
		"a part above a declared path": "# METADATA\n# custom: {optional_data: [data.billing.suspended]}\nx " +
			"if not data.billing\n",
		"a declared member of data that exist": "# METADATA\n# custom: {optional_data: [data.settings.beta]}\nx if " +
			"data.settings.beta\n",
		"a declared member behind a variable": "# METADATA\n# custom: {optional_data: " +
			"[\"data.tenants[_].blocks\"]}\nx if data.tenants[input.token.tenant].blocks\n",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := compiled(t, patient, set(rego)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOptionalDataThatIsPresentIsChecked(t *testing.T) {
	files := set("# METADATA\n# custom: {optional_data: [data.example.maintenance]}\nx if not " +
		"data.example.maintenance.frozn\n")
	refused(t, patient, files, "policies/p.rego:5:10: reference_error: undefined ref: "+
		"data.example.maintenance.frozn: no rule and no data provide data.example.maintenance.frozn "+
		"(data.example.maintenance has: frozen, tenants); did you mean data.example.maintenance.frozen?")
}

func TestOptionalDataOfAPackageHoldsForAllItsRules(t *testing.T) {
	files := set("x := 1\n")
	files["policies/p.rego"] = "# METADATA\n# custom: {optional_data: [data.billing]}\npackage p\n\nx if not " +
		"data.billing.suspended\n"
	files["policies/p2.rego"] = "package p\n\ny if not data.billing.closed\n"
	if _, err := compiled(t, patient, files); err != nil {
		t.Error(err)
	}
	files["policies/q.rego"] = "package q\n\ny if not data.billing.closed\n"
	if _, err := compiled(t, patient, files); err == nil ||
		!strings.HasPrefix(err.Error(), "policies/q.rego:3:10: reference_error: ") {
		t.Errorf("another package: %v", err)
	}
}

func TestOptionalDataThatIsNoListOfPathsIsAProblem(t *testing.T) {
	for _, bad := range []string{"data.billing", "[billing]", "[]", "[1]", "[data]", "[input.token]"} {
		refusedWith(t, patient, set("# METADATA\n# custom: {optional_data: "+bad+"}\nx := 1\n"),
			"policies/p.rego:3:1: metadata_error: custom.optional_data of data.p.x ")
	}
}

// headerConfig passes two headers, as a configuration does.
var headerConfig = Config{Deadline: time.Minute, Headers: []string{"x-tenant", "X-Team"}}

func TestAHeaderThatPoliciesNeverSeeIsAProblem(t *testing.T) {
	for name, c := range map[string]struct{ rego, want string }{
		"a capital letter": {`x if "evil" in input.request.headers["X-Tenant"]`,
			`names of headers are in lower case: "x-tenant"`},
		"a header that stays out": {`x if "yes" in input.request.headers["x-internal"]`,
			"input.headers of the configuration does not pass it"},
		"a credential": {`x if startswith(input.request.headers.authorization, "Basic ")`,
			"policies never see a header that may hold a credential"},
		"a cookie": {`x if input.request.headers.cookie`,
			"policies never see a header that may hold a credential"},
		"a proof": {`x if input.request.headers.dpop`,
			"policies never see a header that may hold a credential"},
		"under not": {`x if not input.request.headers["X-Tenant"]`, "names of headers"},
		"an alias":  {"x if {\n\th := input.request.headers\n\th[\"X-Tenant\"]\n}", "names of headers"},
		"a name in a variable": {"x if {\n\tn := \"X-Tenant\"\n\t\"a\" in input.request.headers[n]\n}",
			"names of headers"},
		"a name in a list": {"x if {\n\tsome n in [\"x-tenant\", \"X-Team\"]\n\t\"a\" in " +
			"input.request.headers[n]\n}", `names of headers are in lower case: "x-team"`},
		"a name that is compared": {"x if {\n\tsome n, values in input.request.headers\n\tn == " +
			"\"X-Tenant\"\n\t\"a\" in values\n}", "names of headers"},
		"an import": {"import input.request.headers\n\nx if headers[\"X-Tenant\"]", "names of headers"},
		"a rule":    {"h := input.request.headers\n\nx if h[\"X-Tenant\"]", `data.p.h["X-Tenant"]`},
		"a function": {"f(h) := h[\"X-Tenant\"]\n\nx if f(input.request.headers)",
			"undefined ref: input.request.headers"},
		"object.get": {`x if object.get(input.request.headers, "X-Tenant", []) == ["evil"]`,
			"it always gives its default; names of headers"},
		"object.get with a path": {`x if object.get(input, ["request", "headers", "cookie"], []) == ["evil"]`,
			"it always gives its default; policies never see"},
		"object.get of an alias": {"x if {\n\tr := input.request\n\tobject.get(r.headers, \"X-Tenant\", []) == " +
			"[\"evil\"]\n}", "it always gives its default"},
		"a token in the query": {`x if input.request.query.access_token`,
			"a parameter that holds a token never passes"},
	} {
		t.Run(name, func(t *testing.T) {
			refusedWith(t, headerConfig, set(c.rego+"\n"), c.want)
		})
	}
}

func TestAnArrayOfValuesComparedWithATextIsAProblem(t *testing.T) {
	for _, rego := range []string{
		`x if input.request.headers["x-tenant"] == "evil"`,
		`x if "evil" == input.request.headers["x-tenant"]`,
		`x if input.request.headers["x-tenant"] = "evil"`,
		`x if input.request.headers["x-tenant"] != "good"`,
		`x if input.request.headers["x-tenant"] < "good"`,
		`x if not input.request.headers["x-tenant"] == "good"`,
		`x := input.request.headers["x-tenant"] == "evil"`,
		`x := {"a": input.request.headers["x-tenant"] != "evil"}`,
		`x if input.request.headers["x-tenant"] in {"evil"}`,
		`x if input.request.headers["x-tenant"] in ["evil", "bad"]`,
		`x if startswith(input.request.headers["x-tenant"], "ev")`,
		`x if lower(input.request.headers["x-tenant"]) == "evil"`,
		`x if regex.match("^ev", input.request.headers["x-team"])`,
		`x if input.request.query.page == "1"`,
		`x if input.request.query.page == 1`,
		`x if input.request.query["page"] != "1"`,
		"x if {\n\th := input.request.headers\n\th[\"x-tenant\"] == \"evil\"\n}",
		"x if {\n\th := input.request.headers[\"x-tenant\"]\n\th != \"evil\"\n}",
		"x if {\n\tsome name, value in input.request.headers\n\tname == \"a\"\n\tvalue == \"evil\"\n}",
		"x if input.request.headers[_] == \"evil\"",
		"x if input.request.headers[input.token.tenant] == \"evil\"",
		"import input.request.query as q\n\nx if q.page == \"1\"",
		`x if object.get(input.request.headers, "x-tenant", "") == "evil"`,
		`x if object.get(input.request.headers, "x-tenant", null) != "evil"`,
		`x if startswith(input.request.query.a[_], input.request.query.b)`,
		"f(h) := h == \"evil\"\n\nx if f(input.request.headers[\"x-tenant\"])",
		"f(h) := startswith(h, \"evil\")\n\nx if f(input.request.headers[\"x-tenant\"])",
	} {
		if _, err := compiled(t, headerConfig, set(rego+"\n")); err == nil ||
			!strings.HasPrefix(err.Error(), "policies/p.rego:") {
			t.Errorf("%s: %v", rego, err)
		}
	}
}

func TestHeadersAndParametersMayBeReadAsArrays(t *testing.T) {
	for _, rego := range []string{
		`x if "good" in input.request.headers["x-tenant"]`,
		`x if input.request.headers["x-tenant"] == ["good"]`,
		`x if input.request.headers["x-team"][0] == "good"`,
		`x if input.request.headers["x-tenant"] != ["good"]`,
		`x if not input.request.headers["x-tenant"]`,
		`x if input.request.headers == {}`,
		`x if input.request.headers[input.context.name] == [input.token.tenant]`,
		"x if {\n\tsome name, values in input.request.headers\n\tstartswith(name, \"x-\")\n\t\"a\" in values\n}",
		`x if input.request.query == {}`,
		`x if input.request.query == {"page": ["1"]}`,
		`x if input.request.headers in [{}, {"x-tenant": ["a"]}]`,
		`x if {"page": ["1"]} == input.request.query`,
		`x := {name: concat(",", values) | some name, values in input.request.headers}`,
		`x if object.get(input.request.headers, "x-tenant", []) == ["good"]`,
		`x if object.get(input.request.headers, "x-tenant", "") == ""`,
		`x if object.get(input.request.headers, "x-tenant", "none") != "none"`,
		`x if count(input.request.query) == 0`,
		`x if object.get(input.request.query, "page", ["1"])[0] == "1"`,
		`x if object.get(input, ["request", "query", "page"], []) == ["1"]`,
		"x if {\n\tn := \"page\"\n\t\"1\" in object.get(input.request.query, n, [])\n}",
		"n := \"page\"\n\nx if object.get(input.request.query, n, []) == [\"1\"]",
		`x if input.request.query.page[_] == "1"`,
		`x if input.request.query[input.context.name] == ["1"]`,
		`x if "page" in object.keys(input.request.query)`,
		`x if input.token.tenant != null`,
		`x if input.context.value != ["a"]`,
	} {
		if _, err := compiled(t, headerConfig, set(rego+"\n")); err != nil {
			t.Errorf("%s: %v", rego, err)
		}
	}
}

func TestWithoutAConfigurationHeadersAreTypedAllTheSame(t *testing.T) {
	if _, err := compiled(t, patient, set("x if \"a\" in input.request.headers[\"x-any\"]\n")); err != nil {
		t.Error(err)
	}
	for _, rego := range []string{`x if input.request.headers["x-any"] == "a"`, `x if input.request.headers["X-Any"]`,
		`x if input.request.headers.cookie`} {
		if _, err := compiled(t, patient, set(rego+"\n")); err == nil {
			t.Errorf("%s has no problem", rego)
		}
	}
}

func TestNoHeaderIsSeenWhenNoneIsConfigured(t *testing.T) {
	cfg := Config{Deadline: time.Minute, Headers: []string{}}
	if _, err := compiled(t, cfg, set("x if input.request.headers[\"x-tenant\"]\n")); err == nil {
		t.Error("a header that no configuration passes is read")
	}
}

func TestAComparisonThatAlwaysComesOutTheSameIsAProblem(t *testing.T) {
	for _, rego := range []string{
		`x if input.request.query.page[0] > 1`,
		"x if {\n\tsome page in input.request.query.page\n\tpage >= 2\n}",
		`x if input.request.port != "8080"`,
		`x if input.request.headers["x-tenant"] != data.example.maintenance.tenants[0]`,
		`x if input.request.port == data.example.maintenance.tenants[0]`,
		`x if every t in ["evil"] { input.request.headers["x-tenant"] != t }`,
		"x if {\n\tsome t in data.example.maintenance.tenants\n\tinput.request.headers[\"x-tenant\"] == t\n}",
		`x if input.request.headers["x-tenant"] in data.example.maintenance.tenants`,
		`x if input.token.scopes in "admin"`,
		`x if input.token.tenant in data.settings.frozen`,
		`x if input.token.tenant in data.tenants`,
		"r contains \"a\" if input.token.active\n\nx if r != []",
	} {
		if _, err := compiled(t, headerConfig, set(rego+"\n")); err == nil ||
			!strings.HasPrefix(err.Error(), "policies/p.rego:") {
			t.Errorf("%s: %v", rego, err)
		}
	}
	for _, rego := range []string{
		`x if input.request.query.page[0] > "1"`,
		`x if input.token.tenant in data.example.maintenance.tenants`,
		`x if input.context.port != data.example.maintenance.tenants`,
		"inner if input.request.headers[\"x-tenant\"] == data.settings.frozen\n\nx if inner with " +
			"data.settings.frozen as [\"acme\"]",
		"r contains \"a\" if input.token.active\n\nx if r != set()",
	} {
		if _, err := compiled(t, headerConfig, set(rego+"\n")); err != nil {
			t.Errorf("%s: %v", rego, err)
		}
	}
}
