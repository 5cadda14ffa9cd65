package main

import (
	"cmp"
	"errors"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/config"
)

// checkFlags refuses what no server could make good, before the server is asked: words, URLs, files.
func (s *start) checkFlags() error {
	trial := *s
	trial.Dialect, trial.Mode = cmp.Or(s.Dialect, "rfc7662"), cmp.Or(s.Mode, "introspect")
	trial.Auth = s.Auth
	if trial.Auth == "" && s.KeyFile != "" {
		trial.Auth = "private_key_jwt"
	}
	trial.Auth = cmp.Or(trial.Auth, "client_secret_basic")
	trial.Audience = cmp.Or(s.Audience, "asked-for-later")
	if s.SecretFile == "" && strings.HasPrefix(trial.Auth, "client_secret") {
		trial.typed = []byte("asked for later")
	}
	_, err := trial.trialConfig()
	return err
}

// flagOf maps keys of the configuration to the flags that fill them.
func flagOf(key string) string {
	for _, f := range []struct{ key, flag string }{
		{"issuers[0].client.secret", "--client-secret-file"},
		{"issuers[0].client.key_id", "--client-key-id"},
		{"issuers[0].client.key", "--client-key-file"},
		{"issuers[0].client.id", "--client-id"},
		{"issuers[0].client", "--auth"},
		{"issuers[0].issuer", "--issuer"},
		{"issuers[0].dialect", "--dialect"},
		{"issuers[0].mode", "--mode"},
		{"issuers[0].audience", "--audience"},
		{"issuers[0].ca_file", "--ca-file"},
	} {
		if strings.HasPrefix(key, f.key) {
			return f.flag
		}
	}
	return ""
}

// flagFailure is a failure that names flags in place of keys. Faults of other keys come from the environment.
func flagFailure(faults config.Faults) error {
	var lines, hints []string
	for _, f := range faults {
		flag := flagOf(f.Key)
		if flag == "" || f.Variable != "" {
			lines, hints = append(lines, f.String()), append(hints, f.Hint)
			continue
		}
		cause := f.Cause
		if f.Key == "issuers[0].client.key" {
			cause = strings.Replace(cause, "names neither a file nor an environment variable",
				"is missing, and the method private_key_jwt needs it", 1)
		}
		if below, ok := strings.CutPrefix(f.Key, "issuers[0].client."); ok && flag == "--auth" && below != "auth" {
			cause = "this method needs the key client." + below + ", for which init has no flag: " + cause
			f.Hint = "choose a method with a secret, and change it in the file that init writes"
		}
		lines, hints = append(lines, flag+": "+cause), append(hints, inFlags(f.Hint))
	}
	return &failure{err: errors.New(strings.Join(lines, "\n")), exit: exitUsage,
		hint: strings.Join(compacted(hints), "; ")}
}

// compacted are the texts that are not empty, each once.
func compacted(texts []string) []string {
	var out []string
	seen := map[string]bool{"": true}
	for _, text := range texts {
		if !seen[text] {
			out, seen[text] = append(out, text), true
		}
	}
	return out
}

// inFlags rewrites a remedy for init: flags in place of the configuration keys that they fill.
func inFlags(remedy string) string {
	return strings.NewReplacer(
		"; http:// is for loopback only, with allow_insecure_http", "",
		"set ca_file to ", "name with --ca-file ", "write issuer exactly as the server does",
		"give --issuer exactly as the server calls itself",
		"compare issuer with", "compare --issuer with", "or set introspection_endpoint",
		"or write sidecar.yaml by hand, with introspection_endpoint",
		"set client.secret.file or client.secret.env", "name the file that holds it with --client-secret-file",
		"set client.key.file or client.key.env", "name the file of the private key, PEM or JWK",
		"client.auth: ", "--auth ", "client.auth", "--auth",
		"client.key_id", "--client-key-id", "client.key", "--client-key-file",
		"client.id", "--client-id", "client.secret", "--client-secret-file",
		"set audience", "give --audience", "set dialect", "give --dialect", "set mode", "give --mode",
	).Replace(remedy)
}
