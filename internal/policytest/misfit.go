package policytest

import "github.com/authz-sidecar/sidecar/internal/bundle"

func (t *regoTests) misfits(selection) bundle.Problems { return nil }
