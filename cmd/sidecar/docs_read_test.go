package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/format"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// readable reads a block of a language by what reads it in the product: JSON, YAML, Rego, Go.
func readable(t *testing.T, b block) error {
	switch b.lang {
	case "json":
		return jsonReads(b.text)
	case "yaml":
		return yamlReads(t, b.text)
	case "rego":
		if b.file() != "" {
			return nil // the commands of its page load it
		}
		return regoReads(t, b.text)
	case "go":
		_, err := format.Source([]byte(b.text))
		return err
	case "python", "js", "java":
		return isPartOfAProgram(repository(t), b.text)
	}
	return fmt.Errorf("what is a block of %q? Say what it is, as TestDocs lists, or give it an exemption", b.lang)
}

var (
	cutMember = regexp.MustCompile(`,?\s*\.\.\.\s*([}\]])`)
	cutValue  = regexp.MustCompile(`:\s*\.\.\.`)
)

// jsonReads reads one value, or one a line. "..." stands for what is left out.
func jsonReads(text string) error {
	text = cutValue.ReplaceAllString(cutMember.ReplaceAllString(text, "$1"), ": null")
	read := json.NewDecoder(bytes.NewReader([]byte(text)))
	for read.More() {
		var value any
		if err := read.Decode(&value); err != nil {
			return err
		}
	}
	return nil
}

// denying is the least policy.
const denying = `package authz

# METADATA
# entrypoint: true
default decision := {"allow": false, "reasons": [{"code": "denied"}]}
`

const testOfDenying = "package authz_test\n\ntest_denies if not data.authz.decision.allow\n"

const anIssuer = "issuers:\n  - issuer: https://login.acme.example\n"

var (
	firstKey  = regexp.MustCompile(`(?m)^(/?[\w*]+)[^\n]*:`)
	cutRoute  = regexp.MustCompile(`, \.\.\.}`)
	cutLines  = regexp.MustCompile(`(?m)^( *)\.\.\.$`)
	otherData = regexp.MustCompile(`data\.(\w+)`)
)

// yamlReads has "sidecar check" read a configuration, or a part of one, and routes likewise.
func yamlReads(t *testing.T, text string) error {
	text = dedented(text)
	first := firstKey.FindStringSubmatch(text)
	if first == nil {
		return errors.New("it has no key")
	}
	files := map[string]string{"policies/decision.rego": denying, "policy_test/decision_test.rego": testOfDenying}
	switch key := first[1]; {
	case strings.HasPrefix(key, "/"):
		text = cutRoute.ReplaceAllString(text, ", scopes: [a], audience: [b], tenant: none}")
		files["policies/decision.rego"] = routesDecide(t)
		files["policies/routes/data.yaml"] = cutLines.ReplaceAllString(text, "${1}audience: [b]\n${1}tenant: none")
		text = anIssuer + "    client: {auth: none}\n"
	case key == "client":
		text = anIssuer + "    " + strings.ReplaceAll(text, "\n", "\n    ")
	case key == "suite":
		return nil // is run by the commands of its page
	case !strings.Contains("\n"+text, "\nissuers:"):
		text += anIssuer + "    client: {auth: none}\n"
	}
	dir := t.TempDir()
	text = filesHere(t, dir, text)
	files["sidecar.yaml"] = text
	testkit.WriteFiles(t, dir, files)
	return checks(dir, "--config", "sidecar.yaml")
}

func routesDecide(t *testing.T) string {
	t.Helper()
	policy, err := templates.ReadFile("template/decision.rego")
	if err != nil {
		t.Fatal(err)
	}
	return string(policy)
}

func dedented(text string) string {
	for strings.HasPrefix(text, " ") {
		text = strings.TrimPrefix(strings.ReplaceAll("\n"+text, "\n ", "\n"), "\n")
	}
	return text
}

// regoReads has "sidecar check" read a module, or a part of one that gets what it lacks.
func regoReads(t *testing.T, text string) error {
	files := map[string]string{}
	text = strings.ReplaceAll(text, ":= ...", `:= {"allow": false, "reasons": [{"code": "denied"}]}`)
	if !strings.Contains(text, "package ") {
		text = "package authz\n\n" + text
	}
	if !strings.Contains(text, "decision := {") {
		files["policies/entry.rego"] = denying
	}
	for _, m := range otherData.FindAllStringSubmatch(text, -1) {
		if m[1] != "sidecar" && m[1] != "example" {
			files["policies/"+m[1]+"/data.json"] = "{}"
		}
	}
	files["policies/authz.rego"] = text
	dir := t.TempDir()
	testkit.WriteFiles(t, dir, files)
	return checks(dir, "policies")
}

func checks(dir string, args ...string) error {
	cmd := exec.Command("sidecar", append([]string{"check"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CLIENT_SECRET="+strings.Repeat("s", 64))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("sidecar check: %w: %s", err, out)
	}
	return nil
}

// isPartOfAProgram finds the lines of a block, with another margin, in a program that internal/realtest runs.
func isPartOfAProgram(root, text string) error {
	found := errors.New("no program under clients or internal/realtest/testdata has these lines")
	want := atMargin(text)
	for _, dir := range []string{"clients", "internal/realtest/testdata"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			program, err := os.ReadFile(name)
			if err == nil && strings.Contains(atMargin(string(program)), want) {
				found = nil
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return found
}

func atMargin(text string) string {
	return regexp.MustCompile(`(?m)^[ \t]+`).ReplaceAllString(text, "")
}
