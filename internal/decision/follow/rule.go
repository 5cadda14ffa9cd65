package follow

import (
	"context"
	"strconv"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/engine"
)

// ruleBehind is the place of the rule behind a decision, as file:row: the rule that gave the first reason, or else the
// rule whose value is the answer. It is "" when no policy decided, when the place was not found in time, and for
// policies that may call other servers, which would be called twice.
func ruleBehind(ctx context.Context, o decision.Observed) (place string) {
	defer func() {
		if recover() != nil {
			place = "(explaining panicked)" // a line without the place is better than no sidecar
		}
	}()
	d, result := o.Decision, engine.Result{}
	if d.Kind == authz.Allow || d.Kind == authz.Deny {
		result, _ = o.Record.Result.(engine.Result)
	}
	if result.Empty() || o.Policy.MayReachNetwork(o.Record.Path) {
		return ""
	}
	why := o.Policy.Trace(ctx, engine.Question{
		Entrypoint: o.Record.Path, Document: o.Document, Time: o.Record.Time, Seed: o.Record.DecisionID,
	}, result)
	if len(d.Reasons) > 0 && d.Kind == authz.Deny {
		for _, r := range why.Reasons {
			if r.Code == d.Reasons[0].Code {
				return r.File + ":" + strconv.Itoa(r.Row)
			}
		}
	}
	if n := len(why.Decided); n > 0 {
		return why.Decided[n-1].File + ":" + strconv.Itoa(why.Decided[n-1].Row)
	}
	return ""
}
