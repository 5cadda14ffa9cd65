package migrate

import (
	"context"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/tester"
)

const tested = `package shop

import rego.v1

default allow := false

allow if {
	input.method == "GET"
	input.path == ["baskets", input.user]
	input.headers["X-Tier"] == "1"
	input.query.page == "2"
}

allow if input.path == [""]

allow if {
	input.body.total == 3
	io.jwt.decode(input.token)[1].sub == "kim"
}
`

const tests = `package shop_test

import rego.v1

import data.shop

basket := {"method": "GET", "path": ["baskets", "kim"], "user": "kim", "headers": {"X-Tier": "1"}, "query": {"page": "2"}}

other := {"method": "GET", "path": ["baskets", "kim"], "user": "max", "headers": {"X-Tier": "1"}, "query": {"page": "2"}}

signed := io.jwt.encode_sign({"alg": "HS256"}, {"sub": "kim"}, {"kty": "oct", "k": "c2VjcmV0"})

test_whole if shop.allow with input as basket

test_other if not shop.allow with input as other

test_literal if {
	shop.allow with input as {"path": [""]}
}

test_local if {
	mine := {"path": [""], "method": "PUT"}
	shop.allow with input as mine
}

test_members if {
	shop.allow with input.method as "GET"
		with input.path as ["baskets", "al"]
		with input.user as "al"
		with input.headers["X-Tier"] as "1"
		with input.query.page as "2"
}

test_signed if shop.allow with input as {"body": {"total": 3}, "token": signed}

test_literal_token if {
	shop.allow with input as {"body": {"total": 3}, "token": "` + jwt + `"}
}
`

func TestTestsAreTranslatedAndPass(t *testing.T) {
	r := migrated(t, Options{}, "p.rego", tested, "p_test.rego", tests)
	if !r.Report.Done() {
		t.Error(report(t, r))
	}
	modules := map[string]*ast.Module{}
	for _, f := range r.Files {
		modules[f.Name] = ast.MustParseModuleWithOpts(string(f.Text), ast.ParserOptions{RegoVersion: ast.RegoV1})
	}
	ch, err := tester.NewRunner().SetModules(modules).RunTests(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for result := range ch {
		n++
		if !result.Pass() {
			t.Errorf("%s: %v", result.Name, result.Error)
		}
	}
	if n != 7 {
		t.Errorf("%d tests ran", n)
	}
	if t.Failed() {
		t.Log(texts(r))
	}
}

func TestWhatCannotBeTranslatedInATestIsReported(t *testing.T) {
	for with, want := range map[string]string{
		"with input as object.union(base, {})":             "the test makes its input by",
		"with io.jwt.decode as [{}, {}, \"\"]":             "the test replaces io.jwt.decode",
		"with input.token as data.secret":                  "the test has a token that cannot be decoded",
		"with input.headers as {k: v | some k, v in base}": "the test makes headers by",
	} {
		test := "package shop_test\n\nimport rego.v1\n\nbase := {}\n\ntest_a if data.shop.allow " + with + "\n"
		r := migrated(t, Options{}, "p.rego", tested, "p_test.rego", test)
		if got := report(t, r); !strings.Contains(got, "p_test.rego:7: "+want) {
			t.Errorf("%s: no %q in\n%s", with, want, got)
		}
	}
}
