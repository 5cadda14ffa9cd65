package decisionlog

import (
	"fmt"
	"runtime/debug"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// masked appends the event of r as its Masker leaves it. When a mask fails, the event is written
// without input and result, so that nothing is shown that was to be hidden.
func (e *encoder) masked(dst []byte, r *Record) ([]byte, outcome) {
	c, out := e.mask(r)
	if out.suppressed {
		return dst, out
	}
	if out.maskErr != nil {
		c = content{maskErr: out.maskErr}
	}
	return e.line(dst, r, c), out
}

// mask asks the Masker of r and does what it says.
func (e *encoder) mask(r *Record) (c content, out outcome) {
	defer func() {
		if p := recover(); p != nil {
			e.log.Error("decision log: masking panicked", "stack", string(debug.Stack()))
			c, out = content{}, outcome{maskErr: fmt.Errorf("mask event: panicked")}
		}
	}()
	var seen content
	var err error
	if seen.input, e.input, seen.masked, err = e.capture(e.input, "/input", r.Input); err != nil {
		return c, outcome{maskErr: fmt.Errorf("mask event: input: %v", err)}
	}
	if seen.result, e.result, _, err = e.capture(e.result, "/result", r.Result); err != nil {
		return c, outcome{maskErr: fmt.Errorf("mask event: result: %v", err)}
	}
	e.scratch = e.object(e.scratch[:0], r, seen)
	m, err := r.Masker.Mask(e.scratch)
	switch {
	case err != nil:
		return c, outcome{maskErr: fmt.Errorf("mask event: %v", err)}
	case m.Drop:
		return c, outcome{suppressed: true}
	}
	for _, op := range m.Ops {
		if err := seen.apply(op); err != nil {
			return c, outcome{maskErr: fmt.Errorf("mask event: %v", err)}
		}
	}
	return seen, outcome{}
}

// encoded is a value that is JSON already.
type encoded []byte

func (v encoded) AppendJSON(dst []byte) ([]byte, error) { return append(dst, v...), nil }

// capture encodes v into buf once, for both the masker and the line, and returns pointers to the parameters that it
// masked.
func (e *encoder) capture(buf []byte, root string, v Appender) (Appender, []byte, []string, error) {
	if v == nil {
		return nil, buf, nil, nil
	}
	buf, masked, err := e.secret.append(buf[:0], root, v)
	if err != nil {
		return nil, buf, nil, err
	}
	return encoded(buf), buf, masked, nil
}

// apply does one operation, as OPA does: what a pointer does not lead to is left alone and not listed.
func (c *content) apply(op authz.MaskOp) error {
	steps, err := parsePointer(op.Path)
	if err != nil {
		return err
	}
	var root *Appender
	switch steps[0] {
	case "input":
		root = &c.input
	case "result":
		root = &c.result
	case "nd_builtin_cache": // events have none
	default:
		return fmt.Errorf("pointer %q is not below /input, /result or /nd_builtin_cache", op.Path)
	}
	switch op.Op {
	case "remove":
		done, err := change(root, func(t *tree) (bool, error) { return t.remove(steps[1:]) })
		if done {
			c.erased = append(c.erased, op.Path)
		}
		return err
	case "upsert":
		value := jsontext.Value(op.Value).Clone()
		if op.Value == nil {
			value = jsontext.Value("null")
		}
		if err := value.Compact(); err != nil {
			return fmt.Errorf("pointer %q: value is not JSON", op.Path)
		}
		done, err := change(root, func(t *tree) (bool, error) { return t.upsert(steps[1:], value) })
		if done {
			c.masked = append(c.masked, op.Path)
		}
		return err
	}
	return fmt.Errorf("pointer %q: operation %q is neither remove nor upsert", op.Path, op.Op)
}

// change applies f to the document at root, when there is one.
func change(root *Appender, f func(*tree) (bool, error)) (bool, error) {
	if root == nil || *root == nil {
		return false, nil
	}
	t, ok := (*root).(*tree)
	if !ok {
		t = &tree{raw: jsontext.Value((*root).(encoded))}
		*root = t
	}
	done, err := f(t)
	if t.removed {
		*root = nil
	}
	return done, err
}
