package mcp

import (
	"net/http"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// Read returns what policies see of a request to an MCP endpoint, or nil for a request that is no message (OPTIONS).
// An error is an *authz.Error of kind Malformed with the status and the body for the client; then a View beside it
// has at least the ID that could be read.
func (c Config) Read(req *authz.Request) (*View, error) {
	v := &View{}
	if req.Method == http.MethodOptions { // a preflight of a browser, which carries no token either
		return nil, nil
	}
	version, err := versionOf(req.Headers)
	if err != nil {
		return v, err
	}
	v.ProtocolVersion = version
	modern := version >= firstStateless
	if err := c.speaks(version); err != nil {
		return v, err
	}
	if !modern {
		if v.Session, err = sessionOf(req.Headers); err != nil {
			return v, err
		}
	}
	switch {
	case req.Method == http.MethodPost:
		return v, c.readPost(v, req, modern)
	case req.Method == http.MethodGet && !modern && slices.Contains(c.Eras, sessions):
		v.Kind = stream
	case req.Method == http.MethodDelete && !modern && slices.Contains(c.Eras, sessions):
		v.Kind = sessionEnd
	default:
		return v, refusal(http.StatusMethodNotAllowed, invalidRequest, nil, "the endpoint does not take this method")
	}
	return v, nil
}

func (c Config) readPost(v *View, req *authz.Request, modern bool) error {
	if err := checkMedia(req.Headers); err != nil {
		return err
	}
	switch {
	case req.BodyPartial || len(req.Body) > c.BodyBytes:
		return refusal(http.StatusRequestEntityTooLarge, invalidRequest, nil,
			"the message is too long to be read whole")
	case !req.HasBody && modern && c.DecideByHeaders:
		return v.readHeaders(req.Headers)
	case !req.HasBody:
		return unparsable("there is no message: the gateway sends no body, or the request has none")
	}
	v.Source = "body"
	m, err := parse(req.Body)
	if err != nil {
		return err
	}
	v.ID = m.id
	if err := v.readMessage(m, modern); err != nil {
		return err
	}
	return v.checkMirrors(m, req.Headers, modern)
}

// checkMedia refuses a body of another media type, charset or coding than the one that is read here.
func checkMedia(headers map[string][]string) error {
	unsupported := func(text string) error {
		return refusal(http.StatusUnsupportedMediaType, invalidRequest, nil, text)
	}
	types := headers["content-type"]
	if len(types) != 1 {
		return unsupported("there is not one Content-Type")
	}
	if len(headers["content-encoding"]) > 0 {
		return unsupported("the message has a Content-Encoding")
	}
	media, parameters, _ := strings.Cut(types[0], ";")
	if !strings.EqualFold(strings.TrimSpace(media), "application/json") || strings.Contains(types[0], ",") {
		return unsupported("the Content-Type is not application/json")
	}
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(parameter, "=")
		if strings.EqualFold(strings.TrimSpace(name), "charset") &&
			!strings.EqualFold(strings.Trim(strings.TrimSpace(value), `"`), "utf-8") {
			return unsupported("the charset of the message is not UTF-8")
		}
	}
	return nil
}
