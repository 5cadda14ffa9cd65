package extauthz

import (
	"errors"
	"net/http"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/door/extauthz/answer"
)

// errObligations is why an allow does not pass at a gateway.
var errObligations = errors.New("honour obligations of the result: Envoy honours none")

// reply is the answer to a check of a request with this path. An error means that the decision cannot be carried out:
// the answer refuses.
func reply(d authz.Decision, path string) (answer.Answer, error) {
	asked, err := readInstructions(d.Context)
	if err == nil && door.Unhonoured(&d) {
		err = errObligations
	}
	metadata, bad := asked.metadata(d.ID)
	if err = errors.Join(err, bad); err != nil {
		d.Kind, d.Status, d.Headers = authz.Misconfigured, http.StatusInternalServerError, nil
		d.Reasons = []authz.Reason{{Code: "misconfigured", Message: "the sidecar is misconfigured; report the " +
			"decision id"}}
	}
	if d.Kind != authz.Allow || d.Status != http.StatusOK {
		mediaType, body := door.ClientBody(&d)
		return answer.Refuse(answer.Refused{Kind: d.Kind, Status: d.Status, Headers: d.Headers, Type: mediaType,
			Body: body, Metadata: metadata}), err
	}
	return answer.Allow(answer.Allowed{
		Set: d.UpstreamHeaders, Remove: asked.HeadersToRemove, Response: d.Headers,
		SetQuery: asked.setQuery(), RemoveQuery: asked.removeQuery(path), Metadata: metadata,
	}), nil
}
