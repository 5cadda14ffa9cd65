package witness_test

import (
	"testing"

	"github.com/authz-sidecar/sidecar/internal/change/witness"
	"github.com/authz-sidecar/sidecar/internal/config"
)

func TestDecisionsThatNeedAnotherServerAreNotDecided(t *testing.T) {
	const asks = "http.send({\"method\": \"GET\", \"url\": \"https://risk.example/\"}).status_code == 200"
	sending := func(cfg *config.Config) { cfg.Engine.AllowBuiltins = []string{"http.send"} }
	side := func(condition string) witness.Side {
		s := written(t, policy("decision if {\n\tinput.token.id == \"t-1\"\n\t"+condition+"\n}"), sending)
		s.Policy = s.Policy.Offline()
		return s
	}
	with, without := side(asks), side("true")
	for _, c := range []struct{ old, new witness.Side }{
		{with, without}, {without, with}, {with, side(asks + "\n\tinput.token.tenant == \"t\"")},
	} {
		f := compared(t, c.old, c.new)
		if f.Result != witness.Undecided || len(f.Findings) > 0 {
			t.Errorf("%s: %+v %+v", f.Result, f.Findings, f.Entrypoints)
		}
	}
}
