package authzen

import (
	"net/url"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// Config says which entrypoints answer the AuthZEN API.
type Config struct {
	Entrypoint        string          `yaml:"entrypoint" doc:"Entrypoint that answers evaluations, such as todo/decision. The paths of AuthZEN are 404 without it."`
	Token             authz.TokenRule `yaml:"token" default:"optional" enum:"required|optional" doc:"optional lets the policy decide about subjects that are no tokens; required refuses them."`
	TokenSubjectTypes []string        `yaml:"token_subject_types" doc:"Types of subjects whose id is an access token. It is introspected, and policies see a placeholder for it."`
	PublicURL         string          `yaml:"public_url" doc:"URL of this decision point for its metadata, which are 404 without it: https, without query and fragment."`
	Search            Search          `yaml:"search" doc:"Entrypoints that name candidates for searches."`
}

// Search has an entrypoint for each search. The path of a search is 404 without one.
type Search struct {
	Subject  string `yaml:"subject" doc:"Entrypoint whose context.candidates are subjects."`
	Resource string `yaml:"resource" doc:"Entrypoint whose context.candidates are resources."`
	Action   string `yaml:"action" doc:"Entrypoint whose context.candidates are actions."`
}

// Check reports every fault of c.
func (c Config) Check(fault func(key, cause, hint string)) {
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		if err != nil || u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" ||
			u.User != nil || strings.HasSuffix(u.Path, "/") {
			fault("public_url", "it is no https URL without query, fragment and slash at the end",
				"write one such as https://pdp.example")
		}
	}
	if c.Entrypoint != "" {
		return
	}
	for _, k := range []struct{ key, value string }{
		{"public_url", c.PublicURL}, {"search.subject", c.Search.Subject}, {"search.resource", c.Search.Resource},
		{"search.action", c.Search.Action},
	} {
		if k.value != "" {
			fault(k.key, "there is no authzen.entrypoint", "name the entrypoint that answers evaluations")
		}
	}
}

// Entrypoints are those that must exist.
func (c Config) Entrypoints() []string {
	var out []string
	for _, e := range []string{c.Entrypoint, c.Search.Subject, c.Search.Resource, c.Search.Action} {
		if e != "" {
			out = append(out, e)
		}
	}
	return out
}
