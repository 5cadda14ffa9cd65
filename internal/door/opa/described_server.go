package opa

import (
	"net/http"

	"github.com/authz-sidecar/sidecar/internal/door/description"
	"github.com/authz-sidecar/sidecar/internal/jsonschema"
)

// The identifiers of the operations that tell of the server, and their paths.
const (
	idHealth     = "opaHealth"
	idPolicies   = "opaPolicies"
	idPolicy     = "opaPolicy"
	idConfig     = "opaConfig"
	healthPath   = "/health"
	policiesPath = "/v1/policies/"
	configPath   = "/v1/config"
)

// server are the handlers of describedServer.
func (d *data) server() map[string]http.Handler {
	return map[string]http.Handler{
		idHealth:   http.HandlerFunc(d.health),
		idPolicies: d.handler("/v1/policies", d.policies),
		idPolicy:   d.handler(policiesPath, d.policy),
		idConfig:   d.handler(configPath, d.config),
	}
}

// describedServer are the operations that tell of the server and decide nothing.
func describedServer(object *jsonschema.Schema) []description.Operation {
	operation := func(id, path, summary, about string) description.Operation {
		return description.Operation{Method: http.MethodGet, Path: path, Listeners: []string{"api"}, ID: id, Tag: tag,
			Summary: summary, About: about, OwnErrors: true,
			Answers: append([]description.Answer{{Status: http.StatusOK, About: "What was asked for.",
				MediaType: "application/json", Schema: object}}, errorAnswers(object)...)}
	}
	health := operation(idHealth, healthPath, "Report whether the sidecar is ready",
		"`{}`, or 500 with an `error`. The parameters `bundles`, `plugins` and `exclude-plugin` change nothing.")
	health.Needs, health.Head = description.NoKey, true
	one := operation(idPolicy, policiesPath+"{path}", "Show the source of a policy",
		"It is off unless `opa.policies` is set.")
	one.Parameters = []description.Parameter{{Name: "path", In: "path", Required: true, Example: "policies/authz.rego",
		Schema: jsonschema.Schema{Type: "string"}, Description: "The `id` of a policy."}}
	return []description.Operation{health,
		operation(idPolicies, "/v1/policies", "Show the sources of all policies",
			"Policies come from files and bundles, and are not written here. It is off unless `opa.policies` is set."),
		one,
		operation(idConfig, configPath, "Show the configuration, as OPA names it",
			"Labels, bundles and the default decision. It is off unless `opa.policies` is set."),
	}
}
