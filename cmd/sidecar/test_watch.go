package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
)

// watching runs everything now and at each change, until ctx ends. A change of the configuration may name other
// directories, and begins anew.
func (t *testRun) watching(ctx context.Context, std streams) error {
	for first := true; ctx.Err() == nil; first = false {
		file := cmp.Or(t.found(), defaultFile)
		before, _ := os.ReadFile(file) // a missing file is an empty one
		unchanged, change := context.WithCancel(ctx)
		var look sync.WaitGroup
		look.Go(func() {
			awaitChange(unchanged, file, before)
			change()
		})
		err := t.watchingSource(unchanged, std)
		if err != nil && first {
			change()
			look.Wait()
			return err
		}
		if err != nil {
			failureOf(nil, err).print(std.err)
			fmt.Fprintf(std.err, "sidecar: watching %s; interrupt to end\n", file)
		}
		look.Wait()
	}
	return nil
}

// awaitChange returns when a file has other contents than before, or ctx ends.
func awaitChange(ctx context.Context, file string, before []byte) {
	const pause = 500 * time.Millisecond
	for ctx.Err() == nil {
		if now, _ := os.ReadFile(file); !bytes.Equal(now, before) {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// watchingSource is watching for one configuration.
func (t *testRun) watchingSource(ctx context.Context, std streams) error {
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
