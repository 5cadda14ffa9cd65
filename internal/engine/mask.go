package engine

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
	"github.com/authz-sidecar/sidecar/internal/engine/term"
)

// masker has the rules about the decision log. It is nil when there are none.
type masker struct{ mask, drop *preparedRule }

const (
	maskPath = "system/log/mask"
	dropPath = "system/log/drop"
)

func newMasker(compiler *ast.Compiler, prepare func(string) (*preparedRule, error)) (*masker, error) {
	m := &masker{}
	for path, e := range map[string]**preparedRule{maskPath: &m.mask, dropPath: &m.drop} {
		if len(compiler.GetRulesExact(rego.RefOf(path))) == 0 && len(compiler.GetRules(rego.RefOf(path))) == 0 {
			continue
		}
		var err error
		if *e, err = prepare(path); err != nil {
			return nil, err
		}
	}
	if m.mask == nil && m.drop == nil {
		return nil, nil
	}
	return m, nil
}

// Masks reports whether the policy has rules for the decision log.
func (p *Policy) Masks() bool { return p.mask != nil }

// Mask evaluates the rules about the decision log for an event, which is JSON. After an error nothing of the event may
// be written: what to mask is not known.
func (p *Policy) Mask(event []byte) (authz.Mask, error) {
	if p.mask == nil {
		return authz.Mask{}, nil
	}
	in, err := term.ParseEvent(event)
	if err != nil {
		// The cause would quote the event.
		return authz.Mask{}, fmt.Errorf("read the event: it is not JSON that a policy can read")
	}
	var out authz.Mask
	if v, err := evalOptional(p.mask.drop, in.Value); err != nil {
		return authz.Mask{}, err
	} else if v != nil {
		if out.Drop, err = term.Boolean(v); err != nil {
			return authz.Mask{}, fmt.Errorf("data.system.log.drop %w", err)
		}
	}
	v, err := evalOptional(p.mask.mask, in.Value)
	if err != nil || v == nil || out.Drop {
		return out, err
	}
	terms, err := term.List(v)
	if err != nil {
		return authz.Mask{}, fmt.Errorf("data.system.log.mask %w", err)
	}
	for _, t := range terms {
		op, err := maskOp(t.Value)
		if err != nil {
			return authz.Mask{}, fmt.Errorf("data.system.log.mask: %w", err)
		}
		out.Ops = append(out.Ops, op)
	}
	return out, nil
}

// evalOptional evaluates e. The value is nil when there is no such rule or it is undefined.
func evalOptional(e *preparedRule, event ast.Value) (ast.Value, error) {
	if e == nil {
		return nil, nil
	}
	return e.eval(context.Background(), event, evalOptions{})
}

func maskOp(v ast.Value) (authz.MaskOp, error) {
	switch v := v.(type) {
	case ast.String:
		return authz.MaskOp{Op: "remove", Path: string(v)}, nil
	case ast.Object:
		op, _ := term.Member(v, "op").(ast.String)
		path, _ := term.Member(v, "path").(ast.String)
		out := authz.MaskOp{Op: string(op), Path: string(path)}
		if (out.Op != "remove" && out.Op != "upsert") || out.Path == "" {
			return out, fmt.Errorf("an object has no op of remove or upsert, or no path")
		}
		if value := term.Member(v, "value"); value != nil {
			b, err := term.AppendJSON(nil, value)
			if err != nil {
				return out, err
			}
			out.Value = json.RawMessage(b)
		}
		return out, nil
	}
	return authz.MaskOp{}, fmt.Errorf("a mask is %s, want a string or an object", term.Describe(v))
}
