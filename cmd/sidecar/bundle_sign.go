package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/authz-sidecar/sidecar/internal/bundle/archive"
	"github.com/authz-sidecar/sidecar/internal/bundle/signature"
	"github.com/authz-sidecar/sidecar/internal/bundler"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// signing is what the flags of sign say.
type signing struct {
	key, keyID, algorithm, scope string
	out, reviewed                string
	counter                      bool
}

func bundleSignCommand(std streams) *cobra.Command {
	var s signing
	cmd := &cobra.Command{
		Use:   "sign FILE|DIR",
		Short: "Sign a bundle in OPA's format, or countersign it",
		Long: `Sign a bundle, an archive or a folder, in OPA's format: opa verifies the signature too. It is of all files and replaces
an earlier one. With --countersign it stands beside that one, for a second role: OPA passes it over, the sidecar verifies
it where policies.sources[].signature.signers demands the role.

The key is a private key in PEM or JWK form; sidecar bundle keygen makes one. Verifiers know it by its id. With HS256, HS384
and HS512 its file holds a shared secret, with which each verifier can sign too: a key pair is better.

--reviewed names the report of sidecar bundle review, as JSON. It must be of this very bundle and leave no finding open;
the signature names its digest.

Exit status: 0 signed; 1 a file cannot be read or written, or the key cannot sign; 2 wrong usage; 3 the bundle cannot be
read; 5 the report is not of this bundle, or has findings that were not reviewed.`,
		Example: "  sidecar bundle sign example.tar.gz --key keys/release.key --key-id release\n" +
			"  sidecar bundle sign example.tar.gz --countersign --key keys/ann.key --key-id ann --reviewed review.json",
		Args: takes(1, "one bundle"),
		RunE: func(cmd *cobra.Command, args []string) error { return s.run(cmd, args[0], std) },
	}
	f := cmd.Flags()
	f.StringVar(&s.key, "key", "", "`FILE` of the private key, or of the secret of HS256, HS384 and HS512")
	f.StringVar(&s.keyID, "key-id", "", "`ID` that verifiers know the key by (default that of a JWK)")
	f.StringVar(&s.algorithm, "algorithm", "", "`ALG` (default RS256, ES256, ES384, ES512 or EdDSA, by the key)")
	f.StringVar(&s.scope, "scope", "", "`TEXT` of the claim scope, which verifiers must expect")
	f.BoolVar(&s.counter, "countersign", false, "add a signature beside that of the bundle")
	f.StringVar(&s.reviewed, "reviewed", "", "`REPORT` of sidecar bundle review as JSON, which the signer has read")
	f.StringVarP(&s.out, "output", "o", "", "`FILE` to write (default the bundle itself)")
	return cmd
}

func (s *signing) run(cmd *cobra.Command, file string, std streams) error {
	if s.key == "" {
		return wrongUsage(cmd, "--key is not given: name the file of the private key")
	}
	key, err := secret.Source{File: s.key}.Read()
	if err != nil {
		return &failure{err: fmt.Errorf("--key: %w", err), exit: exitFailed,
			hint: "make a key pair with sidecar bundle keygen NAME"}
	}
	a, err := bundler.Read(file)
	if err != nil {
		return err
	}
	how := signature.Signing{Key: key, KeyID: s.keyID, Algorithm: s.algorithm, Scope: s.scope, Now: time.Now()}
	if s.reviewed != "" {
		if how.Review, err = reviewOf(s.reviewed, a); err != nil {
			return err
		}
	}
	sign := signature.Sign
	if s.counter {
		sign = signature.Countersign
	}
	signed, err := sign(a, how)
	if err != nil {
		return err
	}
	return s.write(file, signed, std)
}

func (s *signing) write(file string, a *archive.Archive, std streams) error {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return fmt.Errorf("read %q: it is gone", file)
	case info.IsDir() && s.out == "":
		err = bundler.WriteSignatures(file, a)
	case s.out == "":
		err = bundler.Write(file, a)
	default:
		file = s.out
		err = bundler.Write(file, a)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.out, "%s  %s\n", file, a.Digest)
	return err
}

// reviewOf is what a signature says of a report, which must be of this bundle.
func reviewOf(file string, a *archive.Archive) (*signature.Review, error) {
	review, err := bundler.ReadReview(file, a)
	if _, other := errors.AsType[*bundler.OtherBundleError](err); other {
		return nil, &failure{err: err, exit: exitRefused,
			hint: "review this bundle: sidecar bundle review OLD " + a.Name + " --format json > review.json"}
	}
	if _, open := errors.AsType[*bundler.UnreviewedError](err); open {
		return nil, &failure{err: err, exit: exitRefused,
			hint: "read them, and review again with --allow and their identifiers"}
	}
	return review, err
}
