package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

const reviewedPolicy = `package authz

# METADATA
# entrypoint: true
decision if {
	input.token.client_id == "a"
	input.token.age < 60
}

default decision := false
`

// twoVersions are two versions of a policy in a new working directory: old and policies.
func twoVersions(t *testing.T, edits ...string) {
	t.Helper()
	t.Chdir(t.TempDir())
	testkit.WriteFiles(t, ".", map[string]string{"old/authz.rego": reviewedPolicy,
		"policies/authz.rego": strings.NewReplacer(edits...).Replace(reviewedPolicy)})
}

func TestBundleDiff_ExitsAsDiffDoes(t *testing.T) {
	for name, c := range map[string]struct {
		edits []string
		exit  int
		first string
	}{
		"the same": {nil, exitOK, "SAME: "},
		"in format": {[]string{"\tinput.token.age < 60", "    input.token.age   < 60 # seconds"}, exitOK,
			"SAME: "},
		"in meaning":    {[]string{"60", "61"}, exitFailed, "DIFFERS: "},
		"does not load": {[]string{"client_id", "clientid"}, exitNotCompile, "UNLOADABLE: "},
	} {
		twoVersions(t, c.edits...)
		code, out, errs := sidecar(t, "", "bundle", "diff", "old", "policies")
		if code != c.exit || !strings.HasPrefix(out, c.first) {
			t.Errorf("%s: %d\n%s%s", name, code, out, errs)
		}
	}
}

func TestBundleReview_WhatIsWiderIsRefusedUntilItIsReviewed(t *testing.T) {
	twoVersions(t, "\tinput.token.client_id == \"a\"\n", "")
	code, out, errs := sidecar(t, "", "bundle", "review", "old", "policies", "--format", "json", "-o",
		"review.txt,review.json")
	if code != exitRefused {
		t.Fatalf("%d\n%s%s", code, out, errs)
	}
	var report struct {
		Outcome  string
		Digest   string
		Findings []struct{ ID, Level string }
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil || report.Outcome != "wider" {
		t.Fatalf("%v: %s", err, out)
	}
	text, err := os.ReadFile("review.txt")
	if err != nil || !strings.HasPrefix(string(text), "WIDER: ") || !strings.Contains(string(text), report.Digest) {
		t.Errorf("%v: %s", err, text)
	}
	var ids strings.Builder
	for _, f := range report.Findings {
		if f.Level == "error" {
			ids.WriteString(f.ID + " # looked at\n")
		}
	}
	testkit.WriteFiles(t, ".", map[string]string{"reviewed.txt": ids.String()})
	if code, out, errs := sidecar(t, "", "bundle", "review", "old", "policies", "--allow",
		"reviewed.txt"); code != exitOK ||
		!strings.Contains(out, "[reviewed]") {
		t.Errorf("%d\n%s%s", code, out, errs)
	}
}

func TestBundleReview_TheOldVersionMayBeAGitRevision(t *testing.T) {
	twoVersions(t)
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-c", "user.name=a", "-c", "user.email=a@b.example"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
	git("init", "-q")
	git("add", ".")
	git("commit", "-q", "-m", "first")
	testkit.WriteFiles(t, ".", map[string]string{"policies/authz.rego": strings.Replace(reviewedPolicy, "60", "61",
		1)})
	code, out, errs := sidecar(t, "", "bundle", "diff", "--old-ref", "HEAD", "policies")
	if code != exitFailed || !strings.Contains(out, "old HEAD:policies/authz.rego:5") ||
		!strings.Contains(out, "git:") {
		t.Errorf("%d\n%s%s", code, out, errs)
	}
	for _, c := range []struct{ ref, path, want string }{
		{"nothing", "policies", "git rev-parse: fatal"},
		{"HEAD", os.TempDir(), "is not in the git repository"},
	} {
		if code, _, errs := sidecar(t, "", "bundle", "diff", "--old-ref", c.ref, c.path); code == exitOK ||
			!strings.Contains(errs, c.want) {
			t.Errorf("%s: %d %s", c.ref, code, errs)
		}
	}
	t.Setenv("PATH", t.TempDir())
	if code, _, errs := sidecar(t, "", "bundle", "diff", "--old-ref", "HEAD", "policies"); code != exitFailed ||
		!strings.Contains(errs, "the program git is not on the PATH") {
		t.Errorf("without git: %d %s", code, errs)
	}
}

func TestBundleReview_WrongUseNamesTheRemedy(t *testing.T) {
	twoVersions(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"review", "old"}, "takes OLD and NEW"},
		{[]string{"review", "old", "policies", "x"}, "takes OLD and NEW"},
		{[]string{"diff", "--old-ref", "HEAD", "old", "policies"}, "takes OLD and NEW"},
		{[]string{"review", "old", "policies", "-o", "report.doc"}, "the ending names no form"},
		{[]string{"review", "old", "policies", "--allow", "./nothing.txt"}, "--allow"},
		{[]string{"review", "old", "policies", "--allow", "nothing"}, "--allow"},
	} {
		if code, _, errs := sidecar(t, "", append([]string{"bundle"}, c.args...)...); code != exitUsage ||
			!strings.Contains(errs, c.want) {
			t.Errorf("%v: %d %s", c.args, code, errs)
		}
	}
}
