package builtins

import (
	"errors"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// runaway is a guarded call of a builtin that goes on until end, whatever becomes of its evaluation.
type runaway struct {
	calls   *Runaways
	call    topdown.BuiltinFunc
	started chan struct{}
	end     chan struct{}
}

func newRunaway() *runaway {
	w := &runaway{calls: NewRunaways(), started: make(chan struct{}, 100), end: make(chan struct{})}
	w.call = guard(w.calls, "sort", limit{slow: always},
		func(topdown.BuiltinContext, []*ast.Term, func(*ast.Term) error) error {
			w.started <- struct{}{}
			<-w.end
			return nil
		})
	return w
}

// outlived makes one call whose evaluation is over as soon as the call has begun.
func (w *runaway) outlived() error {
	cancel := topdown.NewCancel()
	go func() {
		<-w.started
		cancel.Cancel()
	}()
	return w.call(topdown.BuiltinContext{Cancel: cancel}, nil, nil)
}

func TestABuiltinThatOutlivesItsDeadlineIsCounted(t *testing.T) {
	w := newRunaway()
	if err := w.outlived(); !topdown.IsCancel(err) {
		t.Errorf("error %v, want that of a deadline", err)
	}
	r := testkit.NewRegistry()
	w.calls.Register(r)
	running, total := r.Value(t, "sidecar_engine_runaway_calls"), r.Value(t, "sidecar_engine_runaway_calls_total")
	if running != 1 || total != 1 {
		t.Errorf("%v running, %v in all, want 1 and 1", running, total)
	}
	close(w.end)
	for w.calls.Running() != 0 { // the test's own deadline ends it
		time.Sleep(time.Millisecond)
	}
	if w.calls.Total() != 1 {
		t.Errorf("%d in all, want 1", w.calls.Total())
	}
}

func TestRunawaysAreBounded(t *testing.T) {
	w := newRunaway()
	defer close(w.end)
	most := cap(w.calls.slots)
	for range most {
		if err := w.outlived(); !topdown.IsCancel(err) {
			t.Fatalf("error %v, want that of a deadline", err)
		}
	}
	for range 3 {
		if err := w.call(topdown.BuiltinContext{Cancel: topdown.NewCancel()}, nil, nil); !errors.Is(err,
			ErrTooManyRunaways) {
			t.Errorf("one more: %v", err)
		}
	}
	if int(w.calls.Running()) != most || len(w.started) != 0 {
		t.Errorf("%d running, %d started besides", w.calls.Running(), len(w.started))
	}
}

func TestABuiltinThatPanicsDetachedDoesSoWhereItWasCalled(t *testing.T) {
	r := NewRunaways()
	defer func() {
		if v := recover(); v != "broken" || len(r.slots) != 0 {
			t.Errorf("recovered %v, %d places held", v, len(r.slots))
		}
	}()
	_ = r.callDetached(topdown.BuiltinContext{}, nil,
		func(topdown.BuiltinContext, []*ast.Term, func(*ast.Term) error) error { panic("broken") }, nil)
}
