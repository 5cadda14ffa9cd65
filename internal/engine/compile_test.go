package engine

import (
	"context"
	"errors"
	"reflect"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

const allowAll = "package authz\n\ndecision := true\n"

// beside compiles text as a second file beside a sound policy.
func beside(text string) map[string]string {
	return map[string]string{"policies/authz.rego": allowAll, "policies/other.rego": text}
}

func TestAllProblemsAreReportedTogetherInOrder(t *testing.T) {
	refused(t, patient, map[string]string{
		"policies/b.rego":     "package b\n\nx if input.token.activ\n\ny if input.request.methd == \"GET\"\n",
		"policies/a.rego":     "package a\n\nx if input.toke.active\n",
		"policies/authz.rego": allowAll,
	},
		`policies/a.rego:3:6: rego_type_error: undefined ref: input.toke.active (have: "toke", want (one of): ["action" "context" "mcp" "request" "resource" "subject" "token" "version"]); did you mean input.token?`,
		`policies/b.rego:3:6: rego_type_error: undefined ref: input.token.activ (have: "activ", want (one of): ["active" "actor" "age" "audiences" "auth" "authorization_details" "binding" "claims" "client_id" "expires_at" "groups" "id" "issued_at" "issuer" "kind" "not_before" "permissions" "present" "roles" "scheme" "scopes" "source" "stale" "subject" "tenant"]); did you mean input.token.active?`,
		`policies/b.rego:5:6: rego_type_error: undefined ref: input.request.methd (have: "methd", want (one of): ["body" "body_truncated" "headers" "host" "method" "path" "port" "query" "raw_path" "scheme" "segments" "source_ip"]); did you mean input.request.method?`,
	)
}

func TestSyntaxErrorsOfSeveralFilesAreReportedTogether(t *testing.T) {
	refused(t, patient, map[string]string{
		"policies/authz.rego": allowAll,
		"policies/a.rego":     "package a\n\nx if {\n",
		"policies/b.rego":     "package b\n\nx := := 1\n",
	},
		"policies/a.rego:4:1: rego_parse_error: unexpected eof token; a brace, bracket or quotation mark above is not "+
			"closed",
		"policies/b.rego:3:6: rego_parse_error: unexpected assign token: expected rule value term (e.g., x := "+
			"<VALUE> { ... })",
	)
}

func TestBooleanComparedWithStringIsACompileError(t *testing.T) {
	refused(t, patient, beside("package b\n\nx if input.token.active == \"true\"\n"),
		"policies/other.rego:3:6: rego_type_error: match error (left: boolean, right: string); a boolean never "+
			"equals a string")
}

func TestNetworkBuiltinsAreUndefinedByDefault(t *testing.T) {
	refused(t, patient, beside("package b\n\nx := http.send({\"method\": \"get\", \"url\": \"https://x.example\"})\n"),
		"policies/other.rego:3:6: rego_type_error: undefined function http.send; it reaches the network or the "+
			"machine, and is off unless engine.allow_builtins names http.send")
	refused(t, patient, beside("package b\n\nx := net.lookup_ip_addr(\"x.example\")\n"),
		"policies/other.rego:3:6: rego_type_error: undefined function net.lookup_ip_addr; it reaches the network or "+
			"the machine, and is off unless engine.allow_builtins names net.lookup_ip_addr")
	refused(t, patient, beside("package b\n\nx := opa.runtime()\n"),
		"policies/other.rego:3:6: rego_type_error: undefined function opa.runtime; it reaches the network or the "+
			"machine, and is off unless engine.allow_builtins names opa.runtime")
}

func TestAllowBuiltinsSwitchesOneOnAndNoOther(t *testing.T) {
	cfg := Config{Deadline: time.Minute, AllowBuiltins: []string{"http.send"}}
	if _, err := compiled(t, cfg, beside("package b\n\nx := http.send({\"method\": \"get\", \"url\": "+
		"\"https://x.example\"})\n")); err != nil {
		t.Error(err)
	}
	refused(t, cfg, beside("package b\n\nx := opa.runtime()\n"),
		"policies/other.rego:3:6: rego_type_error: undefined function opa.runtime; it reaches the network or the "+
			"machine, and is off unless engine.allow_builtins names opa.runtime")
}

func TestSchemaIsNeverFetchedFromTheNetwork(t *testing.T) {
	schema := `{"$ref": "http://127.0.0.1:1/schema"}`
	refusedWith(t, patient, beside("package b\n\n# METADATA\n# schemas:\n# - input: "+schema+"\nx := input.foo\n"),
		"remote reference loading disabled")
}

func TestStrictModeRefusesUnusedAssignments(t *testing.T) {
	refused(t, patient, beside("package b\n\nx if y := 1\n"),
		"policies/other.rego:3:6: rego_compile_error: assigned var y unused")
}

func TestConsequencesOfARedeclaredArgumentAreNotReported(t *testing.T) {
	_, err := compiled(t, patient, beside("package b\n\nmay(reader, patient) if {\n\treader := patient.id\n\treader "+
		"== 1\n}\n"))
	if err == nil || strings.Count(err.Error(), "\n") > 0 ||
		!strings.HasPrefix(err.Error(), "policies/other.rego:4:2: rego_compile_error: arg reader redeclared; ") {
		t.Errorf("problems %v", err)
	}
}

func TestEmptyModuleIsRefused(t *testing.T) {
	refused(t, patient, beside("# nothing but a comment\n"),
		"policies/other.rego: rego_parse_error: empty module; begin the file with a package, or delete it")
}

func TestRulesConflictingWithDataAreRefused(t *testing.T) {
	refused(t, patient, map[string]string{"policies/authz.rego": allowAll,
		"policies/authz/data.json": `{"decision": true}`},
		"policies/authz.rego:3:1: rego_compile_error: conflicting rule for data path authz/decision found")
}

func TestRegoVersionOtherThan1IsRefused(t *testing.T) {
	refused(t, patient, map[string]string{
		"policies/authz.rego": allowAll,
		"bundles/o/.manifest": `{"roots": ["orders"], "rego_version": 0}`,
		"bundles/o/p.rego":    "package orders\n\nx = 1 { true }\n",
	}, "bundles/o: manifest_error: rego_version 0 is not supported, want 1")
}

func TestMissingEntrypointsAreRefused(t *testing.T) {
	cfg := Config{Deadline: time.Minute, Entrypoints: []string{"authz/nope", "authz"}}
	problem := func(path, example string) string {
		return "configuration: entrypoint_error: data." + path + ", which the configuration names, cannot be an " +
			"entrypoint: no policy has a rule of this name; write it, or have the configuration name one that exists" +
			example
	}
	refused(t, cfg, map[string]string{"policies/b.rego": "package b\n\nx := 1\n"},
		problem("authz", ""), problem("authz.decision", ""), problem("authz.nope", ""))
	refused(t, Config{Deadline: time.Minute}, map[string]string{"policies/b.rego": "package b\n\nallow := true\n"},
		problem("authz.decision", ", such as b/allow"))
}

func TestPathIsNeverParsedAsRego(t *testing.T) {
	for _, path := range []string{`authz/decision"]; true`, `authz/a"]; x`, "authz.decision", "authz/decision := 1",
		""} {
		if _, err := compiled(t, Config{Deadline: time.Minute, Entrypoints: []string{path}},
			beside("package b\n\nx := 1\n")); err == nil {
			t.Errorf("%q was taken", path)
		}
	}
	p := policy(t, patient, "decision := true\n")
	for _, path := range []string{`authz/decision"]; true`, "authz", "authz/decision/", "/authz/decision", ""} {
		if p.Has(path) {
			t.Errorf("has %q", path)
		}
		q := question("")
		q.Entrypoint = path
		fails(t, p, q, "no such entrypoint")
	}
}

func TestPackageCannotBeAnEntrypoint(t *testing.T) {
	refused(t, patient, beside("# METADATA\n# scope: package\n# entrypoint: true\npackage b\n\nx := 1\n"),
		"policies/other.rego:1:1: entrypoint_error: data.b cannot be an entrypoint: annotate a rule, not its package")
}

func TestFunctionCannotBeAnEntrypoint(t *testing.T) {
	refused(t, patient, beside("package b\n\n# METADATA\n# entrypoint: true\nf(x) := x\n"),
		"policies/other.rego:3:1: entrypoint_error: data.b.f cannot be an entrypoint: it is a function")
}

func TestEntrypointThatNoPathCanNameIsRefused(t *testing.T) {
	refused(t, patient, beside("package b[\"c/d\"]\n\n# METADATA\n# entrypoint: true\nf := true\n"),
		`policies/other.rego:3:1: entrypoint_error: data.b["c/d"].f cannot be an entrypoint: no policy has a rule of this name`)
}

func TestOnlyAnnotatedAndNamedRulesCanBeAsked(t *testing.T) {
	p, err := compiled(t, Config{Deadline: time.Minute, Entrypoints: []string{"b/named"}},
		beside("package b\n\n# METADATA\n# entrypoint: true\nmarked := true\n\nnamed := true\n\nneither := true\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := p.Entrypoints(), []string{"authz/decision", "b/marked", "b/named"}; !slices.Equal(got, want) {
		t.Errorf("entrypoints %q, want %q", got, want)
	}
	q := question("")
	q.Entrypoint = "b/neither"
	fails(t, p, q, "no such entrypoint")
}

func TestRevisionNamesWhatBundlesChose(t *testing.T) {
	p, err := compiled(t, patient, map[string]string{
		"policies/authz.rego": allowAll,
		"bundles/o/.manifest": `{"roots": ["orders"], "revision": "r7"}`,
		"bundles/o/p.rego":    "package orders\n\nx := 1\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := p.Revision(), "bundles/o=r7,"+p.Digest()[len("sha256:"):][:12]; got != want {
		t.Errorf("revision %q, want %q", got, want)
	}
	if got, want := p.Revisions(), map[string]string{"policies": "", "bundles/o": "r7"}; !reflect.DeepEqual(got,
		want) {
		t.Errorf("revisions %q, want %q", got, want)
	}
}

func TestRevisionWithoutNamesIsTheBeginningOfTheDigest(t *testing.T) {
	p := policy(t, patient, "decision := true\n")
	if hex, ok := strings.CutPrefix(p.Digest(), "sha256:"); !ok || len(hex) != 64 || p.Revision() != hex[:12] {
		t.Errorf("digest %q, revision %q", p.Digest(), p.Revision())
	}
}

func TestDataIsReadAsTermsWithoutConversion(t *testing.T) {
	store, err := rego.NewStore(&bundle.Set{Bundles: []bundle.Bundle{{Data: []bundle.DataFile{
		bundle.NewDataFile("routes/data.yaml", []string{"routes"}, map[string]any{"a": []any{"b"}})}}}})
	if err != nil {
		t.Fatal(err)
	}
	txn, err := store.NewTransaction(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	first, err1 := store.Read(t.Context(), txn, storage.MustParsePath("/routes"))
	second, err2 := store.Read(t.Context(), txn, storage.MustParsePath("/routes"))
	if _, ok := first.(ast.Object); !ok || err1 != nil || err2 != nil {
		t.Fatalf("read %T, %v, %v", first, err1, err2)
	}
	if first != second {
		t.Error("two reads gave two values")
	}
}

func TestCompileAndEvalLeaveNoGoroutine(t *testing.T) {
	p := policy(t, patient, "default decision := false\n\ndecision if regex.match(`^/orders/`, input.request.path)\n")
	_ = answered(t, p, question(""))
	if _, _, err := p.Explain(context.Background(), question("")); err != nil {
		t.Fatal(err)
	}
	var stacks strings.Builder
	if err := pprof.Lookup("goroutine").WriteTo(&stacks, 2); err != nil {
		t.Fatal(err)
	}
	for stack := range strings.SplitSeq(stacks.String(), "\n\n") {
		if strings.Contains(stack, "open-policy-agent") || strings.Contains(stack, "engine.Compile") {
			t.Errorf("left behind:\n%s", stack)
		}
	}
}

func TestVersionsAreNamed(t *testing.T) {
	if opa, rego := Versions(); opa == "" || rego != "v1" {
		t.Errorf("opa %q, rego %q", opa, rego)
	}
}

func TestAPanicOfTheCompilerIsAProblem(t *testing.T) {
	p, err := Compile(t.Context(), nil, patient, decisionPath)
	problems, ok := errors.AsType[bundle.Problems](err)
	if p != nil || !ok || len(problems) != 1 || !strings.Contains(problems[0].Message, "the compiler failed") {
		t.Errorf("policy %v, error %v", p, err)
	}
}
