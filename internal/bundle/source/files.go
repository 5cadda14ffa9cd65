package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/archive"
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/fetch"
)

// files is an archive or a folder on this machine.
type files struct {
	cfg Config
	// settle is for how long nothing must have changed.
	settle time.Duration
}

func (f *files) close() {}

// ask reads the archive or the folder once its changes are over. The tag is that of what was read.
func (f *files) ask(ctx context.Context, tag string, _ time.Duration) (answer, error) {
	info, err := os.Stat(f.cfg.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return answer{}, f.problem(bundle.CodeRead, "the archive or folder %s does not exist", f.cfg.Path)
	case err != nil:
		return answer{}, f.problem(bundle.CodeRead, "%s cannot be read: %s", f.cfg.Path, cause(err))
	case info.IsDir():
		return f.askFolder(ctx, tag)
	case !info.Mode().IsRegular():
		return answer{}, f.problem(bundle.CodeRead, "%s is neither an archive nor a folder", f.cfg.Path)
	}
	return f.askArchive(ctx, tag)
}

func (f *files) problem(code, format string, args ...any) error {
	return bundle.Problems{{File: f.cfg.Name, Code: code, Message: fmt.Sprintf(format, args...)}}
}

// cause is the reason that the operating system gave.
func cause(err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err.Error()
	}
	return err.Error()
}

// askArchive reads an archive that was not written to for a while, and not while it was read.
func (f *files) askArchive(ctx context.Context, tag string) (answer, error) {
	for {
		before, err := os.Stat(f.cfg.Path)
		if err != nil {
			return answer{}, f.problem(bundle.CodeRead, "%s cannot be read: %s", f.cfg.Path, cause(err))
		}
		if stateOf(before) == tag {
			return answer{tag: tag}, nil
		}
		raw, err := readBounded(f.cfg.Path, f.cfg.MaxBytes)
		if err != nil {
			return answer{}, f.problem(bundle.CodeRead, "%s cannot be read: %s", f.cfg.Path, cause(err))
		}
		after, err := os.Stat(f.cfg.Path)
		age := time.Since(before.ModTime())
		if err == nil && stateOf(before) == stateOf(after) && (age > f.settle || age < 0) {
			return answer{raw: raw, tag: stateOf(before)}, nil
		}
		if !fetch.Sleep(ctx, f.settle) {
			return answer{}, f.problem(bundle.CodeChanging, "%s keeps changing: put a new version in place by "+
				"renaming", f.cfg.Path)
		}
	}
}

// stateOf tells two versions of a file apart.
func stateOf(info fs.FileInfo) string {
	return fmt.Sprintf("%d bytes of %s, %s", info.Size(), info.ModTime().UTC().Format(time.RFC3339Nano), inode(info))
}

// readBounded reads a file of at most limit bytes.
func readBounded(name string, limit int64) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	raw, err := io.ReadAll(io.LimitReader(file, limit+1))
	if int64(len(raw)) > limit {
		return nil, fmt.Errorf("it holds more than %d bytes", limit)
	}
	return raw, err
}

// askFolder reads a folder until two readings were equal.
func (f *files) askFolder(ctx context.Context, tag string) (answer, error) {
	last := ""
	for {
		read, err := archive.Folder(f.cfg.Name, f.cfg.Path, archive.Limits{})
		now := ""
		if err != nil {
			now = "problems: " + err.Error()
		} else {
			now = read.Digest + " " + digestOf(read.Signatures)
		}
		switch {
		case now == tag:
			return answer{tag: tag}, nil
		case now == last && err != nil:
			return answer{}, err
		case now == last:
			return answer{read: read, tag: now}, nil
		}
		last = now
		if !fetch.Sleep(ctx, f.settle) {
			return answer{}, f.problem(bundle.CodeChanging, "%s keeps changing", f.cfg.Path)
		}
	}
}

// watch asks whenever the archive or the folder changes, and at the poll interval, until ctx ends.
func (s *source) watch(ctx context.Context) {
	changed := make(chan struct{}, 1)
	cfg := dir.Config{Bundles: []string{s.cfg.Path}, Debounce: s.deps.Settle, Poll: s.deps.Poll}
	w, err := dir.NewWatcher(cfg, s.deps.Log)
	if err != nil {
		s.fail(err)
		return
	}
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() {
		w.Run(ctx, nil, dir.Reports{Changed: func(*bundle.Set, error) {
			select {
			case changed <- struct{}{}:
			default:
			}
		}})
	})
	poll := time.NewTicker(s.deps.Poll)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-poll.C:
		}
		_ = s.ask(ctx, 0)
	}
}
