package native

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/explain"
)

// Explainer decides and says why. Its decisions are in no log and no metric of decisions.
type Explainer interface {
	Explain(ctx context.Context, q authz.Query) decision.Explained
	Callable(entrypoint string) bool
}

// maxExplaining is how many explanations are made at once: each evaluates all rules, and takes the time of many
// decisions.
const maxExplaining = 2

// explanations serves POST /v1/explain.
type explanations struct {
	door.Bodies
	explainer Explainer
	// entrypoints are those that may be asked.
	entrypoints func() []string
	log         *slog.Logger
	free        chan struct{}
}

// explainCall is the body of POST /v1/explain: that of a decision, and what the path says there.
type explainCall struct {
	call
	Entrypoint string `json:"entrypoint" doc:"Another rule than the default entrypoint, such as billing/decision."`
}

// explained is the answer of POST /v1/explain.
type explained struct {
	// Decision is what POST /v1/decisions answers.
	Decision    jsontext.Value `json:"decision"`
	Explanation explain.Report `json:"explanation"`
	// Text is the explanation in ten lines.
	Text string `json:"text"`
}

func (x *explanations) explain(c echo.Context) error {
	var in explainCall
	if err := x.Read(c.Request(), &in); err != nil {
		return err
	}
	if !x.explainer.Callable(in.Entrypoint) {
		return unknownEntrypoint(in.Entrypoint, x.entrypoints())
	}
	q, err := in.query("")
	if err != nil {
		return err
	}
	select {
	case x.free <- struct{}{}:
		defer func() { <-x.free }()
	default:
		busy := door.NewCallError(http.StatusTooManyRequests, "too_many_explanations",
			"other explanations are being made: ask again in a moment", "")
		busy.RetryAfter = "1"
		return busy
	}
	q.Entrypoint, q.Caller = in.Entrypoint, c.Request().RemoteAddr
	ctx, cancel := context.WithTimeout(c.Request().Context(), x.Limits.Timeout)
	defer cancel()
	why := x.explainer.Explain(ctx, q)
	x.log.Info("explained", "decision_id", why.Decision.ID, "kind", why.Decision.Kind.String(),
		"path", why.Decision.Policy.Path, "caller", c.Request().RemoteAddr)
	report := explain.Of(why.Decision, why.Why, explain.Facts{HiddenHeaders: why.HiddenHeaders})
	b, err := json.Marshal(explained{
		Decision: AppendDecision(nil, why.Decision), Explanation: report,
		Text: report.Brief("explanation of this answer has all"),
	}, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.Blob(http.StatusOK, "application/json", append(b, '\n'))
}
