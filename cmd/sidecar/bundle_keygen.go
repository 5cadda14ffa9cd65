package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/authz-sidecar/sidecar/internal/bundler"
)

func bundleKeygenCommand(std streams) *cobra.Command {
	var algorithm string
	cmd := &cobra.Command{
		Use:   "keygen NAME",
		Short: "Make a key pair that signs bundles",
		Long: `Make a key pair: NAME.key, which signs and is readable for its owner alone, and NAME.pub, which verifies. Files that exist
are left as they are.

Exit status: 0 made; 1 a file exists or cannot be written; 2 wrong usage.`,
		Example: "  sidecar bundle keygen keys/release",
		Args:    takes(1, "the name of the key pair"),
		RunE: func(_ *cobra.Command, args []string) error {
			private, public := args[0]+".key", args[0]+".pub"
			for _, name := range []string{private, public} {
				if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
					return &failure{err: fmt.Errorf("write %q: it exists", name), exit: exitFailed,
						hint: "choose another name; a key that signs nothing any more is removed by hand"}
				}
			}
			keys, err := bundler.NewKeys(algorithm)
			if err != nil {
				return err
			}
			l := &layout{}
			defer l.tell(std.out)
			return l.write([]newFile{{name: private, content: keys.Private, secret: true},
				{name: public, content: keys.Public}})
		},
	}
	chooseFlag(cmd, &algorithm, "algorithm", "what the key is for", "ES256", "EdDSA", "ES384", "ES512", "RS256")
	return cmd
}
