package engine

import (
	"testing"

	"github.com/open-policy-agent/opa/v1/topdown"
)

func TestAnExplanationKeepsABoundedNumberOfEvents(t *testing.T) {
	r := (&Trace{Mode: "full"}).record()
	for range maxEvents + 1 {
		r.TraceEvent(topdown.Event{})
	}
	if n := len(*r.(recorder).BufferTracer); n != maxEvents {
		t.Errorf("%d events", n)
	}
}
