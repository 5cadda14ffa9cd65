package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/authz-sidecar/sidecar/internal/app"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/migrate"
)

// migration is what the flags of migrate say.
type migration struct {
	out  string
	diff bool
	opts migrate.Options
}

func migrateCommand(std streams) *cobra.Command {
	var m migration
	cmd := &cobra.Command{
		Use:   "migrate DIR",
		Short: "Rewrite policies that were written for another product's input",
		Long: `Rewrite policies that were written for another product's input: Rego v0 becomes v1, references to the input
are renamed by the table of the product, what policies did with the text of a token becomes what the token says, and one
rule, authz/decision, returns the sidecar's form of a decision. Tests are translated too. Nothing in DIR changes.

The report on standard output has every rename, what is left for a hand with its place, what callers have to send, what
means something else here, and the configuration that is needed, which is written as sidecar.yaml beside the policies.
The new policies are loaded as "sidecar check" does.

Exit status: 0 everything is translated; 1 something is left for a hand, or the result does not load (it is written all the
same); 2 wrong usage; 3 there is nothing that can be migrated.`,
		Example: "  sidecar migrate opa-policies --out policies\n  sidecar migrate opa-policies --from envoy --diff",
		Args:    takes(1, "one directory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return m.run(cmd.Context(), std, args[0])
		},
	}
	f := cmd.Flags()
	f.StringVarP(&m.out, "out", "o", "", "new or empty `DIR` for the result")
	f.BoolVar(&m.diff, "diff", false, "print the changes, and write nothing unless --out is given")
	f.StringVar(&m.opts.From, "from", "auto", "`PRODUCT`: auto, "+strings.Join(migrate.Products(), ", ")+
		"; or one with the same input: "+strings.Join(migrate.Aliases(), ", "))
	f.StringVar(&m.opts.User, "user", "", "what input.user becomes, a `WORD`: subject, username or context")
	f.StringVar(&m.opts.Entrypoint, "entrypoint", "", "`RULE` that callers asked, as httpapi/authz/allow (default by "+
		"its name)")
	f.StringToStringVar(&m.opts.Map, "map", nil, "further renames `FROM=TO`: --map claims=input.token.claims")
	return cmd
}

func (m *migration) run(ctx context.Context, std streams, from string) error {
	if err := m.check(); err != nil {
		return err
	}
	if m.out != "" && isBelow(m.out, from) {
		return &failure{err: fmt.Errorf("--out %s is inside %s, and would be read with it", m.out, from),
			hint: "name a new directory beside it", exit: exitUsage}
	}
	files, err := readTree(from)
	if err != nil {
		return &failure{err: err, exit: exitUsage}
	}
	result, err := migrate.Run(files, m.opts)
	if err != nil {
		return refusedMigration(err)
	}
	dir := m.out
	if dir == "" {
		if dir, err = os.MkdirTemp("", "sidecar-migrate"); err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }()
	}
	if err := writeTree(dir, result); err != nil {
		return err
	}
	if m.diff {
		if err := printDiff(std.out, files, result.Files); err != nil {
			return err
		}
	}
	if err := result.Report.Write(std.out); err != nil {
		return err
	}
	problems := m.load(ctx, dir, &result.Report)
	if problems != nil {
		fmt.Fprintf(std.out, "\nthe result does not load yet:\n%s\n", strings.TrimRight(
			strings.ReplaceAll(problems.Error(), dir+string(filepath.Separator), ""), "\n"))
	} else {
		fmt.Fprintln(std.out, "\nthe result loads: no problems found")
	}
	if m.out != "" {
		fmt.Fprintf(std.err, "sidecar: wrote %d files to %s; sidecar check %[2]s\n", len(result.Files)+1, m.out)
	}
	if problems != nil || !result.Report.Done() {
		return &failure{err: errors.New("something is left for a hand"), exit: exitFailed, quiet: true}
	}
	return nil
}

// isBelow reports whether a directory, which need not exist, is another one or inside it.
func isBelow(dir, top string) bool {
	below, err := filepath.Abs(dir)
	if err != nil {
		return false
	}
	whole, err := filepath.Abs(top)
	if err != nil {
		return false
	}
	rel, err := filepath.Rel(whole, below)
	return err == nil && filepath.IsLocal(rel)
}

func (m *migration) check() error {
	usage := func(text, hint string) error {
		return &failure{err: errors.New(text), hint: hint, exit: exitUsage}
	}
	if m.out == "" && !m.diff {
		return usage("where does the result go?", "name a new directory with --out, or look at it with --diff")
	}
	if !slices.Contains([]string{"", "subject", "username", "context"}, m.opts.User) {
		return usage(fmt.Sprintf("--user %q is none of subject, username, context", m.opts.User), "")
	}
	for theirs, to := range m.opts.Map {
		if !strings.HasPrefix(to, "input.") {
			return usage(fmt.Sprintf("--map %s=%s: the new name is no member of the input", theirs, to),
				"write --map claims=input.token.claims")
		}
	}
	if m.out != "" {
		if entries, err := os.ReadDir(m.out); err == nil && len(entries) > 0 {
			return usage(m.out+" is not empty", "name a new directory with --out")
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return usage(err.Error(), "name a new directory with --out")
		}
	}
	return nil
}

// refusedMigration gives an error of migrate its exit code.
func refusedMigration(err error) error {
	f := &failure{err: err, exit: exitNotCompile}
	switch {
	case errors.Is(err, migrate.ErrProduct):
		f.exit, f.hint = exitUsage, "name one that --help lists, or auto"
	case errors.Is(err, migrate.ErrNoRequests):
		f.hint = "the sidecar decides about requests and their tokens; with --from application it is rewritten all " +
			"the same"
	case errors.Is(err, migrate.ErrNoPolicy):
		f.hint = "name the directory that holds the policies"
	}
	return f
}

// load loads what was written, as check does.
func (m *migration) load(ctx context.Context, dir string, r *migrate.Report) error {
	cfg := config.Default()
	setPaths(cfg, []string{dir})
	cfg.Input.Headers, cfg.Input.BodyBytes = r.Headers, r.BodyBytes
	if r.Entrypoint != "" {
		cfg.Decision.Entrypoint = r.Entrypoint
	}
	_, _, err := app.Load(ctx, cfg)
	return err
}

// maxMigratedBytes bounds the files of a set.
const maxMigratedBytes = 64 << 20

// readTree reads the files below a directory, but for those of version control and of node.
func readTree(root string) ([]migrate.File, error) {
	var out []migrate.File
	size := int64(0)
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if base := d.Name(); name != root && (strings.HasPrefix(base, ".") || base == "node_modules") {
				return fs.SkipDir
			}
			return nil
		}
		info, err := os.Stat(name)
		if err != nil || !info.Mode().IsRegular() {
			return nil //nolint:nilerr // a link that leads nowhere is no policy
		}
		if size += info.Size(); size > maxMigratedBytes {
			return fmt.Errorf("%s: over %d bytes in all", root, int64(maxMigratedBytes))
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		out = append(out, migrate.File{Name: filepath.ToSlash(rel), Text: text})
		return err
	})
	if err == nil && len(out) == 1 && out[0].Name == "." {
		return nil, fmt.Errorf("%s is a file: name its directory", root)
	}
	return out, err
}

// writeTree writes the result, and the configuration beside it.
func writeTree(dir string, result *migrate.Result) error {
	files := append(slices.Clone(result.Files), migrate.File{Name: defaultFile,
		Text: []byte(result.Report.Configuration)})
	for _, f := range files {
		name := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, f.Text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
