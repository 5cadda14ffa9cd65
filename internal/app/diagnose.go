package app

import (
	"context"
	"errors"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/engine"
)

// diagnosed adds to err, the problems of files that cfg names, the problems of the policies in the files that can be
// read. When the compiler takes longer than configured, or ctx ends, err is returned as it is. The compiler cannot be
// stopped: ended is called when it is done.
func diagnosed(ctx context.Context, cfg *config.Config, err error, ended func()) error {
	problems, ok := errors.AsType[bundle.Problems](err)
	if !ok {
		ended()
		return err
	}
	found := make(chan bundle.Problems, 1)
	go func() {
		defer ended()
		remains := dir.Remaining(cfg.Policies.Config)
		if remains.Problems == nil {
			found <- nil // the files have changed, and are read again
			return
		}
		of := engine.Diagnose(
			context.Background(), remains.Set, remains.Lost, cfg.EngineConfig(), cfg.Decision.Entrypoint)
		found <- append(remains.Problems, of...)
	}()
	timeout := time.NewTimer(cfg.Engine.CompileTimeout)
	defer timeout.Stop()
	select {
	case more := <-found:
		return append(problems[:len(problems):len(problems)], more...).Sorted()
	case <-timeout.C:
	case <-ctx.Done():
	}
	return problems
}
