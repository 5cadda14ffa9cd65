package main

import (
	"context"
	"fmt"
	"os"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/authz-sidecar/sidecar/internal/bundle/archive"
	"github.com/authz-sidecar/sidecar/internal/bundler"
)

// packing is what the flags of build say.
type packing struct {
	source
	bundler.Building
	tests, out string
}

func bundleBuildCommand(std streams) *cobra.Command {
	var p packing
	cmd := &cobra.Command{
		Use:   "build PATH...",
		Short: "Build a bundle from directories, checked as serve loads it",
		Long: `Build a bundle, an archive in OPA's layout, from one bundle folder whose manifest is kept, or from directories without
a manifest. Only policies, data, tests and suites are put in. Equal files make equal bytes.

The bundle must load as sidecar serve loads it, and OPA must read it. Policies that refer to others, which are in no PATH,
need these by --with: they are loaded too, and not put in. The entrypoint of the configuration may be missing.

Without a manifest the roots are the packages and data that are there, and the revision is the beginning of the digest.
Standard output gets the name of the file and the digest of its content, which reviews and signatures name.

Exit status: 0 built; 1 a file cannot be read or written; 2 wrong usage; 3 the policies do not load.`,
		Example: "  sidecar bundle build bundles/example --with policies --revision 2026-11-28.1 -o example.tar.gz\n" +
			"  sidecar bundle build policies policy_test --root authz --root routes -o policies.tar.gz",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return takes(1, "directories or a bundle folder")(cmd, args)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			p.Paths = args
			return p.run(cmd.Context(), std)
		},
	}
	p.configFlag(cmd)
	f := cmd.Flags()
	f.StringVarP(&p.out, "output", "o", "bundle.tar.gz", "`FILE` to write; - is standard output")
	f.StringVar(&p.Revision, "revision", "", "`TEXT` that names this version, in place of that of the manifest")
	f.StringSliceVar(&p.Roots, "root", nil, "`PATH,...` under data that the bundle owns, in place of those of the "+
		"manifest")
	f.StringSliceVar(&p.Beside, "with", nil, "directories and bundle folders that the bundle is served with, "+
		"`PATH,...`; they "+
		"are not put in")
	chooseFlag(cmd, &p.tests, "tests", "whether Rego tests and suites are put in", "in", "out")
	return cmd
}

// ofBuilding are the keys that say what policies may do.
var ofBuilding = regexp.MustCompile(`^(engine|input|decision)(\.|$)`)

func (p *packing) run(ctx context.Context, std streams) error {
	cfg, err := p.only(ofBuilding)
	if err != nil {
		return err
	}
	p.Config, p.Tests = cfg, bundler.Tests(p.tests)
	built, err := bundler.Build(ctx, p.Building)
	if err != nil {
		return err
	}
	if p.out == "-" {
		return archive.Write(std.out, built)
	}
	if err := p.overNothing(); err != nil {
		return err
	}
	if err := bundler.Write(p.out, built); err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.out, "%s  %s\n", p.out, built.Digest)
	return err
}

// overNothing refuses a directory as the file to write.
func (p *packing) overNothing() error {
	if info, err := os.Stat(p.out); err == nil && info.IsDir() {
		return &failure{err: fmt.Errorf("write %q: it is a directory", p.out), hint: "name a file: -o " + p.out +
			"/bundle.tar.gz", exit: exitUsage}
	}
	return nil
}
