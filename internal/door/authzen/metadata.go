package authzen

import (
	"net/http"
	"net/url"
)

// The paths of the API: section 10.1.
const (
	evaluationPath  = "/access/v1/evaluation"
	evaluationsPath = "/access/v1/evaluations"
	searchPath      = "/access/v1/search/"
	metadataPath    = "/.well-known/authzen-configuration"
)

// metadata is the document of section 9.1. What is not configured is absent.
type metadata struct {
	PolicyDecisionPoint string `json:"policy_decision_point"`
	Evaluation          string `json:"access_evaluation_endpoint"`
	Evaluations         string `json:"access_evaluations_endpoint"`
	SearchSubject       string `json:"search_subject_endpoint,omitempty"`
	SearchResource      string `json:"search_resource_endpoint,omitempty"`
	SearchAction        string `json:"search_action_endpoint,omitempty"`
}

// metadata answers GET /.well-known/authzen-configuration, with the path of authzen.public_url after it (AZ-11).
func (a *api) metadata(r *http.Request) (any, error) {
	if a.cfg.Entrypoint == "" {
		return nil, off("authzen.entrypoint")
	}
	if a.cfg.PublicURL == "" {
		return nil, off("authzen.public_url")
	}
	public, err := url.Parse(a.cfg.PublicURL)
	if err != nil || r.URL.EscapedPath() != metadataPath+public.EscapedPath() {
		return nil, off("authzen.public_url with this path")
	}
	at := func(entrypoint, path string) string {
		if entrypoint == "" {
			return ""
		}
		return a.cfg.PublicURL + path
	}
	return metadata{
		PolicyDecisionPoint: a.cfg.PublicURL,
		Evaluation:          a.cfg.PublicURL + evaluationPath,
		Evaluations:         a.cfg.PublicURL + evaluationsPath,
		SearchSubject:       at(a.cfg.Search.Subject, searchPath+"subject"),
		SearchResource:      at(a.cfg.Search.Resource, searchPath+"resource"),
		SearchAction:        at(a.cfg.Search.Action, searchPath+"action"),
	}, nil
}
