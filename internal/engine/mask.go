package engine

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// masker asks the rules that guard the decision log. A nil masker has no rules to ask.
type masker struct{ mask, drop *entry }

const (
	maskPath = "system/log/mask"
	dropPath = "system/log/drop"
)

func newMasker(compiler *ast.Compiler, prepare func(string) (*entry, error)) (*masker, error) {
	m := &masker{}
	for path, e := range map[string]**entry{maskPath: &m.mask, dropPath: &m.drop} {
		if len(compiler.GetRulesExact(refOf(path))) == 0 && len(compiler.GetRules(refOf(path))) == 0 {
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

// Mask asks the rules for the decision log about an event, which is JSON. An error means that nobody knows what must
// not be written.
func (p *Policy) Mask(event []byte) (authz.Mask, error) {
	if p.mask == nil {
		return authz.Mask{}, nil
	}
	in, err := parseEvent(event)
	if err != nil {
		return authz.Mask{}, fmt.Errorf("read the event: it is not JSON that a policy can read") // the cause would quote it
	}
	var out authz.Mask
	if v, err := ask(p.mask.drop, in.Value); err != nil {
		return authz.Mask{}, err
	} else if v != nil {
		if out.Drop, err = boolean(v); err != nil {
			return authz.Mask{}, fmt.Errorf("data.system.log.drop %w", err)
		}
	}
	v, err := ask(p.mask.mask, in.Value)
	if err != nil || v == nil || out.Drop {
		return out, err
	}
	terms, err := list(v)
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

// ask evaluates e, and returns nil when there is no such rule or it is undefined.
func ask(e *entry, event ast.Value) (ast.Value, error) {
	if e == nil {
		return nil, nil
	}
	return e.eval(context.Background(), event, run{})
}

func maskOp(v ast.Value) (authz.MaskOp, error) {
	switch v := v.(type) {
	case ast.String:
		return authz.MaskOp{Op: "remove", Path: string(v)}, nil
	case ast.Object:
		op, _ := memberOf(v, "op").(ast.String)
		path, _ := memberOf(v, "path").(ast.String)
		out := authz.MaskOp{Op: string(op), Path: string(path)}
		if (out.Op != "remove" && out.Op != "upsert") || out.Path == "" {
			return out, fmt.Errorf("an object has no op of remove or upsert, or no path")
		}
		if value := memberOf(v, "value"); value != nil {
			b, err := appendJSON(nil, value)
			if err != nil {
				return out, err
			}
			out.Value = json.RawMessage(b)
		}
		return out, nil
	}
	return authz.MaskOp{}, fmt.Errorf("a mask is %s, want a string or an object", article(v))
}

// logEventSchema names the schema of what policies about the decision log read: an event, not the input document.
var logEventSchema = ast.MustParseRef("schema.log_event")

// typeLogPolicies lets modules of package system.log see an event as their input.
func typeLogPolicies(modules map[string]*ast.Module) {
	donor := ast.MustParseModuleWithOpts("# METADATA\n# scope: package\n# schemas:\n# - input: schema.log_event\npackage system.log", parserOptions(nil))
	var bare *ast.Module
	for _, m := range modules {
		if !m.Package.Path.Equal(donor.Package.Path) {
			continue
		}
		bare = m
		for _, a := range m.Annotations {
			if a.Scope != "package" {
				continue
			}
			if len(a.Schemas) == 0 {
				a.Schemas = donor.Annotations[0].Schemas
			}
			return
		}
	}
	if bare != nil {
		bare.Annotations = append(bare.Annotations, donor.Annotations[0].Copy(bare.Package))
	}
}
