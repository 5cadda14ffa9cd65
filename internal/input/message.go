package input

import (
	"github.com/authz-sidecar/sidecar/internal/mcp"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// messageWithoutToken returns a message of MCP without the token that hide hides.
func messageWithoutToken(hide *secret.Hider, m *mcp.View) (*mcp.View, error) {
	if m == nil {
		return nil, nil
	}
	clean := *m
	texts := []*string{&clean.Method, &clean.Tool, &clean.Prompt, &clean.Resource, &clean.Task, &clean.Session}
	if m.Reference != nil {
		ref := *m.Reference
		clean.Reference = &ref
		texts = append(texts, &ref.Type, &ref.Name, &ref.URI)
	}
	if m.Client != nil {
		client := *m.Client
		clean.Client = &client
		texts = append(texts, &client.Name, &client.Version)
	}
	for _, s := range texts {
		*s = hide.Hide(*s)
	}
	for _, object := range clean.Objects() {
		hidden, err := objectWithoutToken(hide, *object)
		if err != nil {
			return nil, err
		}
		*object = hidden
	}
	return &clean, nil
}

// message masks the texts of a message of MCP. The session is for the server to know, and of no use to an auditor.
func (m *masking) message() {
	if m.doc.MCP == nil {
		return
	}
	masked := *m.doc.MCP
	masked.Tool, masked.Prompt = m.text("/mcp/tool", masked.Tool), m.text("/mcp/prompt", masked.Prompt)
	masked.Resource = m.text("/mcp/resource", masked.Resource)
	masked.Arguments = m.object("/mcp/arguments", masked.Arguments)
	masked.Subscriptions = m.object("/mcp/subscriptions", masked.Subscriptions)
	masked.Parameters = m.object("/mcp/parameters", masked.Parameters)
	if masked.Session != "" {
		masked.Session = secret.Redacted
		m.masked = append(m.masked, "/mcp/session")
	}
	m.doc.MCP = &masked
}
