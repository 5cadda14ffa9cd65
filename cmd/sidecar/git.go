package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/config"
)

// gitTree is the policies and tests of a git revision, in a temporary directory.
type gitTree struct {
	top, commit     string
	policies, tests []string
}

// checkedOut lays out what cfg names as policies, and directories of tests, as a revision has them. The repository is
// that of the working directory.
func checkedOut(ctx context.Context, revision string, cfg *config.Config, tests []string) (*gitTree, error) {
	root, err := git(ctx, ".", "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, err
	}
	root = []byte(strings.TrimSpace(string(root)))
	commit, err := git(ctx, ".", "rev-parse", "--verify", "--end-of-options", revision+"^{commit}")
	if err != nil {
		return nil, err
	}
	top, err := os.MkdirTemp("", "sidecar-old-")
	if err != nil {
		return nil, fmt.Errorf("lay out %s: %w", revision, err)
	}
	tree := &gitTree{top: filepath.ToSlash(top), commit: strings.TrimSpace(string(commit))}
	lay := func(names []string) (out []string, err error) {
		for _, name := range names {
			below, err := belowRoot(string(root), name)
			if err != nil {
				return nil, err
			}
			there, err := tree.add(ctx, string(root), below)
			if err != nil {
				return nil, err
			}
			if there {
				out = append(out, tree.top+"/"+below)
			}
		}
		return out, nil
	}
	tree.policies, err = lay(slices.Concat(cfg.Policies.Paths, cfg.Policies.Bundles))
	if err == nil && tree.policies == nil {
		err = &failure{err: fmt.Errorf("%s has none of the policies", revision), exit: exitFailed,
			hint: "name the directories that it has: sidecar bundle review OLD NEW"}
	}
	if err == nil {
		tree.tests, err = lay(tests)
	}
	if err != nil {
		tree.remove()
		return nil, err
	}
	return tree, nil
}

func (t *gitTree) remove() { _ = os.RemoveAll(t.top) }

// belowRoot is the path of a file below the top of the repository, with forward slashes.
func belowRoot(root, name string) (string, error) {
	absolute, err := filepath.Abs(name)
	if err == nil {
		if real, err := filepath.EvalSymlinks(absolute); err == nil {
			absolute = real
		}
		var below string
		if below, err = filepath.Rel(root, absolute); err == nil && filepath.IsLocal(below) {
			return filepath.ToSlash(below), nil
		}
	}
	return "", &failure{err: fmt.Errorf("--old-ref: %s is not in the git repository %s", name, root), exit: exitUsage,
		hint: "name the old version as OLD"}
}

// add lays out one path of a commit; there is false where the commit has nothing there.
func (t *gitTree) add(ctx context.Context, root, below string) (there bool, err error) {
	if below != "." {
		if _, err := git(ctx, root, "cat-file", "-e", t.commit+":"+below); err != nil {
			return false, nil
		}
	}
	packed, err := git(ctx, root, "archive", "--format=tar", t.commit, "--", below)
	if err != nil {
		return false, err
	}
	r := tar.NewReader(bytes.NewReader(packed))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return false, fmt.Errorf("read %s of git: %w", below, err)
		}
		if h.Typeflag != tar.TypeReg || !filepath.IsLocal(h.Name) {
			continue
		}
		name := filepath.Join(t.top, filepath.FromSlash(h.Name))
		raw, err := io.ReadAll(r)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(name), 0o700)
		}
		if err == nil {
			err = os.WriteFile(name, raw, 0o600)
		}
		if err != nil {
			return false, fmt.Errorf("lay out %s: %w", h.Name, err)
		}
	}
}

// git runs the program git in a directory, and returns what it prints.
func git(ctx context.Context, dir string, args ...string) ([]byte, error) {
	program, err := exec.LookPath("git")
	if err != nil {
		return nil, &failure{err: errors.New("--old-ref: the program git is not on the PATH"), exit: exitFailed,
			hint: "install it, or name the old version as OLD"}
	}
	cmd := exec.CommandContext(ctx, program, append([]string{"-C", dir}, args...)...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, &failure{err: fmt.Errorf("--old-ref: git %s: %s", args[0], strings.TrimSpace(said.String())),
			exit: exitFailed, hint: "name a revision that git rev-parse knows, or name the old version as OLD"}
	}
	return out, nil
}
