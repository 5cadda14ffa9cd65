package main

import (
	"context"
	"errors"
	"os"

	"github.com/authz-sidecar/sidecar/internal/app"
	"github.com/authz-sidecar/sidecar/internal/policytest"
)

// writeFirst prints a first suite from a decision log.
func (t *testRun) writeFirst(ctx context.Context, std streams) error {
	src, err := t.find(std)
	if err != nil {
		return err
	}
	_, policy, err := app.Load(ctx, src.Config)
	if err != nil {
		return err
	}
	log := std.in
	if t.bootstrap != "-" {
		f, err := os.Open(t.bootstrap)
		if err != nil {
			return &failure{err: err, exit: exitUsage, hint: "name a decision log, as decision_log.file writes it"}
		}
		defer func() { _ = f.Close() }()
		log = f
	}
	suite, err := policytest.Bootstrap(ctx, log, t.bootstrap, src.Config, policy)
	if errors.Is(err, policytest.ErrNothingToReplay) {
		return &failure{err: err, exit: exitFailed,
			hint: "a decision log has an event a line, each with the input of its decision"}
	}
	if err != nil {
		return err
	}
	_, err = std.out.Write(suite)
	return err
}
