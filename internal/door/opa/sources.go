package opa

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine"
)

// policy is one module, as OPA shows it.
type policy struct {
	ID  string `json:"id"`
	Raw string `json:"raw"`
	// AST is the syntax tree of Raw.
	AST json.RawMessage `json:"ast"`
}

const sourcesOff = "policies are not shown: set opa.policies to true in the configuration"

// policies serves GET /v1/policies, which lists the modules that decide with their sources.
func (d *data) policies(*http.Request) (reply, *failure) {
	if !d.cfg.Policies {
		return reply{}, off(sourcesOff)
	}
	all := []policy{}
	for _, f := range d.deps.Modules() {
		one, err := policyOf(f)
		if err != nil {
			return reply{}, failureOf(err, "")
		}
		all = append(all, one)
	}
	return replyOf(all)
}

// policy serves GET /v1/policies/ID. Without an ID it is the list: OPA leads clients there.
func (d *data) policy(r *http.Request) (reply, *failure) {
	if !d.cfg.Policies {
		return reply{}, off(sourcesOff)
	}
	id, err := url.PathUnescape(strings.TrimPrefix(r.URL.EscapedPath(), policiesPath))
	if id == "" && err == nil {
		return d.policies(r)
	}
	for _, f := range d.deps.Modules() {
		if err != nil || f.Path != id {
			continue
		}
		one, err := policyOf(f)
		if err != nil {
			return reply{}, failureOf(err, "")
		}
		return replyOf(one)
	}
	return reply{}, off("no policy has this id: GET /v1/policies lists them")
}

func policyOf(f bundle.File) (policy, error) {
	tree, err := engine.SyntaxTree(f)
	return policy{f.Path, string(f.Raw), tree}, err
}

// config serves GET /v1/config: of the sidecar's configuration what OPA's has too, and no secret can be in.
func (d *data) config(*http.Request) (reply, *failure) {
	if !d.cfg.Policies {
		return reply{}, off("the configuration is not shown: set opa.policies to true in it")
	}
	now := d.deps.Status()
	out := struct {
		Labels          map[string]string   `json:"labels"`
		DefaultDecision string              `json:"default_decision,omitempty"`
		Bundles         map[string]struct{} `json:"bundles,omitempty"`
	}{Labels: map[string]string{"version": now.Version}, Bundles: map[string]struct{}{}}
	if d.cfg.DefaultDecision != "" {
		out.DefaultDecision = "/" + d.cfg.DefaultDecision
	}
	for name := range now.Policy.Bundles {
		out.Bundles[name] = struct{}{}
	}
	return replyOf(out)
}

// replyOf is {"result": v}.
func replyOf(v any) (reply, *failure) {
	body, err := json.Marshal(map[string]any{"result": v})
	if err != nil {
		return reply{}, failureOf(err, "")
	}
	return reply{status: http.StatusOK, body: body}, nil
}
