package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/signature"
	"github.com/authz-sidecar/sidecar/internal/bundler"
	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// verifying is what the flags of verify say.
type verifying struct {
	source
	keys                     []string
	algorithm, scope, format string
	of                       string
	reviewed                 bool
}

func bundleVerifyCommand(std streams) *cobra.Command {
	var v verifying
	cmd := &cobra.Command{
		Use:   "verify FILE|DIR",
		Short: "Verify who signed a bundle, with keys or with the configuration that serves",
		Long: `Verify the signatures of a bundle, an archive or a folder, and print who signed it.

Keys are given by --key, or are those of a source of the configuration: with its roles, its scope and whether a review must
be named. --source names it, where several sources have keys.

Exit status: 0 the signatures hold; 1 a file or key cannot be read; 2 wrong usage; 5 the bundle is refused: it is not signed,
was changed, or lacks a signature that is demanded.`,
		Example: "  sidecar bundle verify example.tar.gz --key release=keys/release.pub\n" +
			"  sidecar bundle verify example.tar.gz --config sidecar.yaml --source example",
		Args: takes(1, "one bundle"),
		RunE: func(cmd *cobra.Command, args []string) error { return v.run(cmd, args[0], std) },
	}
	v.configFlag(cmd)
	f := cmd.Flags()
	f.StringArrayVar(&v.keys, "key", nil, "`ID=FILE` of a public key, instead of those of the configuration")
	f.StringVar(&v.algorithm, "algorithm", "", "`ALG` of the keys of --key (default by their type); with HS256, "+
		"HS384 and HS512 "+
		"their files hold the secret")
	f.StringVar(&v.scope, "scope", "", "`TEXT` that the claim scope of the signature must be, with --key")
	f.BoolVar(&v.reviewed, "reviewed", false, "with --key, demand a signature that names a review")
	f.StringVar(&v.of, "source", "", "`NAME` of the source whose keys are used (default the one that has keys)")
	chooseFlag(cmd, &v.format, "format", "form of the result", "text", "json")
	return cmd
}

// verification is the result in JSON.
type verification struct {
	File   string `json:"file"`
	Digest string `json:"digest"`
	bundle.Signed
}

func (v *verifying) run(cmd *cobra.Command, file string, std streams) error {
	cfg, err := v.signatures(cmd)
	if err != nil {
		return err
	}
	keys, err := signature.Open(cfg)
	if err != nil {
		return err
	}
	a, err := bundler.Read(file)
	if err == nil {
		var signed bundle.Signed
		if signed, err = keys.Verify(a); err == nil {
			return v.print(verification{a.Name, a.Digest, signed}, std)
		}
	}
	if ps, ok := errors.AsType[bundle.Problems](err); ok {
		return &failure{err: fmt.Errorf("the bundle is refused:\n%s", ps), exit: exitRefused,
			hint: "use the last good one, and ask the signer"}
	}
	return err
}

func (v *verifying) print(of verification, std streams) error {
	if v.format == "json" {
		return writeIndented(std.out, of)
	}
	_, err := fmt.Fprintf(std.out, "%s  %s\n", of.File, of.Digest)
	for _, s := range of.Signers {
		role := ""
		if s.Role != "" {
			role = " as " + s.Role
		}
		fmt.Fprintf(std.out, "signed by %s%s (%s)\n", s.KeyID, role, s.Algorithm)
	}
	if of.Reviewed != "" {
		fmt.Fprintf(std.out, "names the review %s\n", of.Reviewed)
	}
	if len(of.Signers) == 0 {
		fmt.Fprintln(std.err, "sidecar: warning: the bundle is not signed, and the configuration accepts that")
	}
	return err
}

// signatures are what the flags or the configuration demand.
func (v *verifying) signatures(cmd *cobra.Command) (signature.Config, error) {
	if len(v.keys) == 0 {
		return v.configuredSignatures(cmd)
	}
	cfg := signature.Config{Scope: v.scope, Reviewed: v.reviewed, Require: "always"}
	for _, k := range v.keys {
		id, file, ok := strings.Cut(k, "=")
		if !ok {
			return cfg, wrongUsage(cmd, "--key %q is not ID=FILE: write the id before the file, such as ann=ann.pub", k)
		}
		key := signature.Key{ID: id, File: file, Algorithm: v.algorithm}
		if slices.Contains(jose.MACAlgorithms(), v.algorithm) {
			key.File, key.Secret = "", secret.Source{File: file}
		}
		cfg.Keys = append(cfg.Keys, key)
	}
	if err := conf.Validate(cfg); err != nil {
		return cfg, wrongUsage(cmd, "--key: %w", err)
	}
	return cfg, nil
}

// ofSignatures are the keys that say who must sign.
var ofSignatures = regexp.MustCompile(`^policies\.sources\[\d+\](\.name|\.signature.*)?$`)

// configuredSignatures are those of the source that --source names, or of the only one that has keys.
func (v *verifying) configuredSignatures(cmd *cobra.Command) (signature.Config, error) {
	cfg, err := v.only(ofSignatures)
	if err != nil {
		return signature.Config{}, err
	}
	var names []string
	var found []signature.Config
	for _, s := range cfg.Policies.Sources {
		if v.of == s.Name || v.of == "" && len(s.Signature.Keys) > 0 {
			names, found = append(names, s.Name), append(found, s.Signature)
		}
	}
	switch {
	case len(found) == 1 && len(found[0].Keys) > 0:
		return found[0], nil
	case len(found) > 1:
		return signature.Config{}, wrongUsage(cmd, "several sources have keys: %s; name one by --source",
			strings.Join(names, ", "))
	case v.of != "":
		return signature.Config{}, wrongUsage(cmd, "the configuration has no source %q with keys", v.of)
	}
	return signature.Config{}, wrongUsage(cmd, "there is no key to verify with: give --key ID=FILE, or a "+
		"configuration "+
		"whose policies.sources have a signature with keys")
}
