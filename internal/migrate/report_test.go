package migrate

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// migrated is the result for files given as name and text, one after the other.
func migrated(t *testing.T, opts Options, files ...string) *Result {
	t.Helper()
	var in []File
	for i := 0; i < len(files); i += 2 {
		in = append(in, File{files[i], []byte(files[i+1])})
	}
	out, err := Run(in, opts)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func report(t *testing.T, r *Result) string {
	t.Helper()
	var b strings.Builder
	if err := r.Report.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestAReportNamesWhatItLeavesAndGuesses(t *testing.T) {
	for rule, want := range map[string]string{
		`input.attributes.source.principal == "a"`: "p.rego:7: input.attributes.source.principal has no " +
			"counterpart",
		`input.attributes.request.http.headers.cookie`: "p.rego:7: the header cookie may hold a credential, " +
			"and never comes",
		`input.attributes.request.http.odd`: "p.rego:7: input.attributes.request.http.odd is no " +
			"member that",
		`not input.plan == "x"`: "p.rego:7: input.plan is read under a not or by a rule " +
			"that denies",
		`input.plan == "x"`:                                 "context.plan (p.rego:7)",
		`walk(input, [_, "x"])`:                             "p.rego:7: the document is read as a whole here",
		`input.attributes.request.http.headers[data.x.y]`:   "p.rego:7: names of headers are computed here",
		`input.attributes.request.http.headers["X-A"]`:      `p.rego:7: headers["X-A"] was never there`,
		`input.attributes.request.http.path == "/a%20b"`:    "p.rego:7: the path was compared with encoded text",
		`http.send({"url": "https://a"}).status_code == 1`:  "p.rego:7: http.send is an undefined function",
		`io.jwt.decode(input.attributes.x)[1].a`:            "p.rego:7: input.attributes.x was decoded as a token",
		`input.attributes.request.http.headers["x-a"] == 1`: "headers: [x-a]",
		`input.parsed_body.a`:                               "body_bytes: 65536",
		`input.attributes.request.http.path == "/a"`:        "the path had the query in it",
		`input.attributes.request.http.host == "a"`:         "hosts have no port here",
		`io.jwt.decode_verify(input.attributes.request.http.headers.authorization, {"iss": "https://a"})[0]`: "that is issuers[].issuer",
	} {
		policy := "package p\n\nimport rego.v1\n\ndefault allow := false\nallow if {\n\t" + rule +
			"\n\tinput.attributes.request.http.method\n}\n"
		if got := report(t, migrated(t, Options{}, "p.rego", policy)); !strings.Contains(got, want) {
			t.Errorf("%s: no %q in\n%s", rule, want, got)
		}
	}
}

func TestADecisionByDefaultIsReported(t *testing.T) {
	r := migrated(t, Options{}, "p.rego", "package p\ndefault allow = true\nallow = false { input.path[0] == "+
		"\"admin\" }")
	if got := report(t, r); !strings.Contains(got, "p.rego:2: default allow is true") {
		t.Error(got)
	}
}

func TestSeveralRulesThatMayDecideAllHaveToHold(t *testing.T) {
	r := migrated(t, Options{}, "p.rego", "package p\ndefault one = false\none { input.method == \"GET\" }\ndefault "+
		"two = false\n"+
		"two { input.user == \"a\" }")
	if r.Report.Done() || !strings.Contains(texts(r), "data.p.one == true\n\tdata.p.two == true") {
		t.Error(texts(r), report(t, r))
	}
}

func TestCommentsStay(t *testing.T) {
	r := migrated(t, Options{}, "p.rego", "# Above all.\npackage p\n\n# Before.\nallow { # beside\n\tinput.method "+
		"== \"GET\"\n\t# inside\n\tinput.user\n}\n")
	for _, want := range []string{"# Above all.", "# Before.", "# beside", "# inside"} {
		if !strings.Contains(texts(r), want) {
			t.Errorf("%s is gone:\n%s", want, texts(r))
		}
	}
}

func TestPoliciesOfTheSidecarOnlyGetTheirVersion(t *testing.T) {
	r := migrated(t, Options{}, "p.rego",
		"package p\nallow { input.request.segments == [\"a\"]; input.path }")
	if got := texts(r); !strings.Contains(got, "input.request.segments == [\"a\"]\n\tinput.path\n") ||
		len(r.Files) != 1 {
		t.Error(got)
	}
}

func TestWhatIsNoPolicyAboutRequestsIsRefused(t *testing.T) {
	for text, want := range map[string]error{
		"package p\nviolation[{\"msg\": \"no\"}] { input.review.object.spec.x }": ErrNoRequests,
		"package main\ndeny[m] { input.kind == \"Pod\"; m := \"no\" }":           ErrNoRequests,
		"package terraform\ndeny[m] { m := input.resource_changes[_].address }":  ErrNoRequests,
		"package p\nx := 1":       ErrNoRequests,
		"package p\nallow if { (": ErrUnreadable,
		"":                        ErrUnreadable,
		"\x00\xff":                ErrUnreadable,
	} {
		if _, err := Run([]File{{"p.rego", []byte(text)}}, Options{}); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
	if _, err := Run([]File{{"readme.md", nil}}, Options{}); !errors.Is(err, ErrNoPolicy) {
		t.Error(err)
	}
	if _, err := Run([]File{{"p.rego", []byte("package p\nallow { input.method }")}},
		Options{From: "nginx"}); !errors.Is(err, ErrProduct) {
		t.Error(err)
	}
}

func TestAFileThatDoesNotParseIsReported(t *testing.T) {
	r := migrated(t, Options{}, "a.rego", "package a\nallow { input.method }", "b.rego", "package b\n\nallow { ( }")
	if len(r.Report.Left) != 1 || r.Report.Left[0].File != "b.rego" || r.Report.Left[0].Row != 3 {
		t.Error(r.Report.Left)
	}
}

func TestDataGoWherePoliciesLookForThem(t *testing.T) {
	r := migrated(t, Options{}, "policy/p.rego", "package p\nallow { data.grants[_] == input.user; data.p.limits.a }",
		"policy/policy.json", `{"grants": ["a"]}`, "p/limits.yaml", "limits: {a: 1}\n", "input.json", `{"user": "a"}`,
		"x/data.json", `{}`,
		".manifest", "users.json\n")
	var names []string
	for _, f := range r.Files {
		names = append(names, f.Name)
	}
	want := []string{"authz_decision.rego", "data.json", "p/data.yaml", "policy/p.rego", "x/data.json"}
	if !slices.Equal(names, want) {
		t.Errorf("got %q, want %q\n%s", names, want, report(t, r))
	}
	if got := report(t, r); !strings.Contains(got, "input.json:1: not copied") {
		t.Error(got)
	}
}

func TestAnEntrypointOfAnotherProductIsNoneHere(t *testing.T) {
	r := migrated(t, Options{}, "p.rego", "package p\n\n# METADATA\n# entrypoint: true\nallow { input.method == "+
		"\"GET\" }\n")
	if got := texts(r); strings.Count(got, "entrypoint: true") != 1 || strings.Count(got, "METADATA") != 1 {
		t.Error(got)
	}
}

func TestARuleThatWasReadByNothingStays(t *testing.T) {
	r := migrated(t, Options{}, "p.rego", "package p\ndefault allow = false\nallow { input.user }\nother { "+
		"input.method }")
	if !strings.Contains(texts(r), "other if input.request.method") {
		t.Error(texts(r))
	}
}

func TestHeadersThatAFunctionReadsAreKnownByTheirNames(t *testing.T) {
	r := migrated(t, Options{}, "p.rego", "package p\n\nimport rego.v1\n\nopen(http) if http.headers[\"x-open\"] == "+
		"\"1\"\n\n"+
		"named(http) if {\n\thttp.headers.cookie\n}\n\nallow if {\n\topen(input.attributes.request.http)\n"+
		"\tnamed(input.attributes.request.http)\n}\n")
	got := report(t, r)
	for _, want := range []string{"headers: [x-open]", "p.rego:8: the header cookie may hold a credential"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestAMigratedPolicyIsLeftAlone(t *testing.T) {
	first := migrated(t, Options{}, "p.rego", "package p\ndefault allow = false\nallow { input.path == [\"a\"]\n"+
		"input.headers[\"X-A\"] == \"1\" }")
	var files []string
	for _, f := range first.Files {
		files = append(files, f.Name, string(f.Text))
	}
	if second := migrated(t, Options{}, files...); texts(second) != texts(first) {
		t.Error(texts(second))
	}
}
