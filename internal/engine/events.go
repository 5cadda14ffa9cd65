package engine

import (
	"github.com/open-policy-agent/opa/v1/server/types"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/lineage"
)

// Trace asks for OPA's explanation of an evaluation (the parameter explain of its data API), and gets it.
type Trace struct {
	// Mode is notes, fails, full or debug.
	Mode string
	// Pretty asks for lines of text instead of events.
	Pretty bool
	// JSON is what OPA answers as explanation; nil where it answers none.
	JSON []byte
}

// maxEvents bounds the memory of an explanation: what happens later in the evaluation is missing in it.
const maxEvents = 20_000

// recorder keeps the first events of an evaluation.
type recorder struct{ *topdown.BufferTracer }

// TraceEvent implements topdown.QueryTracer.
func (r recorder) TraceEvent(e topdown.Event) {
	if len(*r.BufferTracer) < maxEvents {
		r.BufferTracer.TraceEvent(e)
	}
}

// record returns what follows an evaluation for t; nil when t is.
func (t *Trace) record() topdown.QueryTracer {
	if t == nil {
		return nil
	}
	return recorder{topdown.NewBufferTracer()}
}

// explained writes what followed an evaluation, whose result may be undefined: then OPA explains in full or not at
// all.
func (t *Trace) explained(by topdown.QueryTracer, undefined bool) error {
	r, recorded := by.(recorder)
	if !recorded || undefined && t.Mode != "full" {
		return nil
	}
	events := []*topdown.Event(*r.BufferTracer)
	switch t.Mode {
	case "notes":
		events = lineage.Notes(events)
	case "fails":
		events = lineage.Fails(events)
	case "full":
		events = lineage.Full(events)
	default:
		events = lineage.Debug(events)
	}
	out, err := types.NewTraceV1(events, t.Pretty)
	t.JSON = out
	return err
}
