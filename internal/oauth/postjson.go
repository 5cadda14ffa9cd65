package oauth

import "context"

// PostJSON is Post for an endpoint that wants JSON. A method of authentication that adds to a form cannot be used there.
func (s *Server) PostJSON(ctx context.Context, endpoint string, body []byte, accept string) (Reply, error) {
	return s.ask(ctx, question{endpoint: endpoint, accept: accept, json: body})
}
