package main

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/config"
)

//go:embed template
var templates embed.FS

// files are what init writes.
func (s *start) files() ([]newFile, error) {
	files, err := s.policyFiles()
	if err != nil {
		return nil, err
	}
	written := *s
	if err := written.nameFromFile(); err != nil {
		return nil, err
	}
	if s.typed != nil {
		files = append(files, newFile{name: secretFile, content: s.typed, secret: true})
		written.SecretFile = secretFile
	}
	file, err := written.rendered("sidecar.yaml.tmpl", defaultFile)
	if err != nil {
		return nil, err
	}
	suite, err := written.rendered("first_suite.yaml.tmpl", "policy_test/first_suite.yaml")
	if err != nil {
		return nil, err
	}
	// The configuration comes last: a directory that has one is complete.
	return withSchemas(append(files, suite, file)), nil
}

// policyFiles are the policy and its data.
func (s *start) policyFiles() ([]newFile, error) {
	policy, err := templates.ReadFile("template/decision.rego")
	if err != nil {
		return nil, err
	}
	routes, err := s.rendered("routes.yaml.tmpl", "policies/routes/data.yaml")
	return []newFile{{name: "policies/authz/decision.rego", content: policy}, routes}, err
}

// view is what the templates of init see.
type view struct {
	start
	// Trial leaves out the policies, which are not there yet. SecretEnv is where a secret is that is in no file yet.
	Trial     bool
	SecretEnv string
}

// RouteAudience is what a route asks of aud: many servers write the id of the API's own client.
func (v view) RouteAudience() string { return cmp.Or(v.Audience, v.ClientID) }

// Marks are claims by which access tokens of a kind of server are told from its other JWTs, one a line of YAML.
func (v view) Marks() []string {
	return map[string][]string{
		"authentik": {"azp: web", "uid: a1"}, "cognito": {"token_use: access"}, "entra": {"azp: web", "scp: read"},
		"okta": {"cid: web"}, "wso2": {"aut: APPLICATION_USER"},
	}[v.Dialect]
}

func (s *start) rendered(templateName, name string) (newFile, error) {
	content, err := execute(templateName, view{start: *s})
	return newFile{name: name, content: content}, err
}

func execute(name string, v view) ([]byte, error) {
	quote := template.FuncMap{"quote": func(v string) string { return fmt.Sprintf("%q", v) }}
	t, err := template.New(name).Funcs(quote).ParseFS(templates, "template/"+name)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	err = t.Execute(&b, v)
	return []byte(b.String()), err
}

// trialSecretVariable holds a secret that is not in a file yet, for this process only.
const trialSecretVariable = "INIT_CLIENT_SECRET"

// trialConfig is the configuration as it will be read, with the policies in memory.
func (s *start) trialConfig() (*config.Config, error) {
	files, err := s.policyFiles()
	if err != nil {
		return nil, err
	}
	trial := view{start: *s, Trial: true}
	if err := trial.nameFromFile(); err != nil {
		return nil, err
	}
	if s.typed != nil {
		if err := os.Setenv(trialSecretVariable, string(bytes.TrimSpace(s.typed))); err != nil {
			return nil, err
		}
		trial.SecretEnv = trialSecretVariable
	}
	src, err := execute("sidecar.yaml.tmpl", trial)
	if err != nil {
		return nil, err
	}
	defaults := config.Default()
	defaults.Policies.Paths = nil
	defaults.Policies.Embedded = []bundle.Source{policySource(files)}
	cfg, err := config.ParseOver(defaults, s.target(), src, os.Environ())
	if faults, ok := errors.AsType[config.Faults](err); ok {
		return nil, flagFailure(faults)
	}
	return cfg, err
}

// policySource are files below the directory policies, as they will be read from there.
func policySource(files []newFile) bundle.Source {
	out := bundle.Source{Name: "policies"}
	for _, f := range files {
		parts := strings.Split(f.name, "/")
		base := len(parts) - 1
		kind, _, _ := bundle.Classify(parts[base])
		out.Files = append(out.Files, bundle.SourceFile{File: bundle.File{Path: f.name, Raw: f.content}, Kind: kind,
			Dirs: parts[1:base]})
	}
	return out
}

// nameFromFile makes the files of the flags names as they are written into the configuration.
func (s *start) nameFromFile() (err error) {
	for _, name := range []*string{&s.SecretFile, &s.KeyFile, &s.CAFile} {
		if *name, err = s.fromFile(*name); err != nil {
			return err
		}
	}
	return nil
}

// fromFile is a name as it is written into the configuration file: from there when it is below, so that the directory
// can be moved, and else the whole of it.
func (s *start) fromFile(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	whole, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	dir, err := filepath.Abs(s.dir)
	if err != nil {
		return "", err
	}
	if below, err := filepath.Rel(dir, whole); err == nil && filepath.IsLocal(below) {
		return filepath.ToSlash(below), nil
	}
	return whole, nil
}
