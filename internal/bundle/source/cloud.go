package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/open-policy-agent/opa/v1/logging"
	"github.com/open-policy-agent/opa/v1/plugins/rest"

	"github.com/authz-sidecar/sidecar/internal/oauth"
)

// credentials says what authenticates the requests of a source: its client, or the credentials of a cloud as OPA finds
// them. Of OPA's client only the credentials are used: see docs/adr/0050-downloads-are-bounded.md.
func credentials(cfg Config, address string) (oauth.Proof, func(*http.Request) error, error) {
	if !cfg.Cloud.used() {
		return oauth.AsClient, nil, nil
	}
	raw, err := json.Marshal(cfg.Cloud.service(cfg, address))
	if err != nil {
		return 0, nil, fmt.Errorf("set up source %q: %w", cfg.Name, err)
	}
	client, err := rest.New(raw, nil, rest.Logger(logging.NewNoOpLogger()))
	if err != nil {
		return 0, nil, fmt.Errorf("set up source %q: credentials of %s: %w", cfg.Name, cfg.Cloud.Vendor, err)
	}
	plugin, err := client.Config().AuthPlugin(nil)
	if err == nil {
		_, err = plugin.NewClient(*client.Config()) // which checks and completes the credentials
	}
	if err != nil {
		return 0, nil, fmt.Errorf("set up source %q: credentials of %s: %w", cfg.Name, cfg.Cloud.Vendor, err)
	}
	return oauth.AsPrepared, func(req *http.Request) error {
		if cfg.Cloud.Vendor == "azure" {
			req.Header.Set("X-Ms-Version", "2020-04-08") // without one the blob service takes no tokens
		}
		if plugin.Prepare(req) != nil { // its error may quote an answer of the metadata service
			return errors.New("no credentials of " + cfg.Cloud.Vendor + " were found: " + cfg.Cloud.where())
		}
		return nil
	}, nil
}

// service is the configuration of a service of OPA.
func (c Cloud) service(cfg Config, address string) map[string]any {
	s := map[string]any{"name": cfg.Name, "url": strings.TrimSuffix(address, "/")}
	if cfg.kind() == kindRegistry {
		s["type"] = "oci"
	}
	switch c.Vendor {
	case "aws":
		s["credentials"] = map[string]any{"s3_signing": c.signing()}
	case "gcp":
		s["credentials"] = map[string]any{"gcp_metadata": map[string]any{"scopes": c.Scopes}}
	case "azure":
		s["credentials"] = map[string]any{"azure_managed_identity": map[string]any{
			"resource": "https://storage.azure.com/", "client_id": c.Identity,
		}}
	}
	return s
}

func (c Cloud) signing() map[string]any {
	of := map[string]any{}
	if c.Region != "" {
		of["aws_region"] = c.Region
	}
	if c.Profile != "" {
		of["profile"] = c.Profile
	}
	return map[string]any{c.Credentials + "_credentials": of}
}

// where says where credentials are looked for.
func (c Cloud) where() string {
	switch {
	case c.Vendor != "aws":
		return "look at the identity of this machine, and at its metadata service"
	case c.Credentials == "environment":
		return "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION"
	case c.Credentials == "profile":
		return "look at the profile in the file of AWS credentials"
	case c.Credentials == "web_identity":
		return "look at AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE"
	}
	return "look at the role of this machine, and at its metadata service"
}
