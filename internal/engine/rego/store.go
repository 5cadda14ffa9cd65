package rego

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/term"
)

// NewStore returns a store with the data of set. It must not be written.
func NewStore(set *bundle.Set) (storage.Store, error) {
	doc, err := ast.InterfaceToValue(set.Document())
	if err != nil {
		return nil, fmt.Errorf("read the data: %w", err)
	}
	object, ok := doc.(ast.Object)
	if !ok {
		return nil, fmt.Errorf("read the data: %s, want an object", term.Describe(doc))
	}
	return inmem.NewFromASTObject(object), nil
}
