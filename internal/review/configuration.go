package review

import (
	"cmp"
	"errors"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/lint"
)

// The codes of findings in the configuration: of faults, and of what is allowed and probably a mistake.
const (
	codeConfiguration = "configuration_error"
	codeDoubtful      = "doubtful-configuration"
)

// The places of findings in the configuration that are no files: begin of the name of a variable, and a configuration
// of defaults.
const (
	environment = "environment "
	noFile      = "configuration"
)

// faultsOf are the faults of the configuration.
func faultsOf(s Subject) []lint.Finding {
	if s.Faults == nil {
		return nil
	}
	faults, ok := errors.AsType[config.Faults](s.Faults)
	if !ok {
		return []lint.Finding{s.configuration(lint.Error, s.Faults.Error())}
	}
	var out []lint.Finding
	for _, f := range faults {
		p := bundle.Problem{File: f.File, Row: f.Line, Col: f.Column, Code: codeConfiguration,
			Message: message(f.Key, f.Cause, f.Hint)}
		if f.Variable != "" {
			p.File = environment + f.Variable
		}
		out = append(out, lint.Finding{Problem: p, Level: lint.Error})
	}
	return out
}

// configuration is a finding in the configuration as a whole.
func (s Subject) configuration(level lint.Level, message string) lint.Finding {
	p := bundle.Problem{File: cmp.Or(s.File, noFile), Code: codeConfiguration, Message: message}
	if level != lint.Error {
		p.Code = codeDoubtful
	}
	return lint.Finding{Problem: p, Level: level}
}

// message is the key, the cause and the remedy on one line.
func message(key, cause, hint string) string {
	if key != "" {
		cause = key + ": " + cause
	}
	if hint != "" {
		cause += "; " + hint
	}
	return strings.ReplaceAll(cause, "\n", "; ")
}

// warnings are what the configuration allows and is probably a mistake.
func (s Subject) warnings() []lint.Finding {
	var out []lint.Finding
	s.Config.Warn(func(key, cause, hint string) {
		out = append(out, s.configuration(lint.Warning, message("", key+" "+cause, hint)))
	})
	return out
}
