package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
)

// watching runs everything now and at each change, until ctx ends.
func (t *testRun) watching(ctx context.Context, std streams) error {
	src, err := t.find(std)
	if err != nil {
		return err
	}
	watched := src.Watched()
	w, err := dir.NewTestWatcher(watched, slog.New(slog.NewTextHandler(std.err, nil)))
	if err != nil {
		return err
	}
	w.Run(ctx, nil, dir.Reports{Changed: func(*bundle.Set, error) {
		clearScreen(std.out)
		if err := t.once(ctx, std); err != nil && ctx.Err() == nil {
			failureOf(nil, err).print(std.err)
		}
		fmt.Fprintf(std.err, "sidecar: watching %s; interrupt to end\n",
			strings.Join(append(watched.Paths, watched.Bundles...), ", "))
	}})
	return nil
}

// clearScreen clears a terminal; to anything else it writes an empty line.
func clearScreen(w io.Writer) {
	if f, ok := w.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			fmt.Fprint(w, "\x1b[H\x1b[2J\x1b[3J")
			return
		}
	}
	fmt.Fprintln(w)
}
