package follow

import (
	"context"

	"github.com/authz-sidecar/sidecar/internal/decision"
)

// ruleBehind is the place of the rule behind a decision, or "".
func ruleBehind(context.Context, decision.Observed) string { return "" }
