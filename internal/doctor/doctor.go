// Package doctor finds out why an authorization server and the sidecar do not understand each other, and says so in
// words.
//
// It looks at one issuer from outside, as an operator would with curl: no cache, no breaker, no retry. It changes
// nothing but what the server logs.
package doctor

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect/issuer"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Level says how bad a finding is.
type Level string

// The levels.
const (
	// Good is something that was tried and works.
	Good Level = "ok"
	// Doubt is something that may be meant so, or that could not be tried.
	Doubt Level = "doubt"
	// Fault is something that keeps good tokens from being accepted.
	Fault Level = "fault"
)

// Finding is one thing that was looked at.
type Finding struct {
	// Check names it: metadata, keys, credentials, clock, canary, token.
	Check string
	Level Level
	// Says is what was found, Do what to do about it; Do may be empty.
	Says, Do string
}

// Sound reports whether findings hold no fault.
func Sound(findings []Finding) bool { return Count(findings, Fault) == 0 }

// Count is the number of findings of a level.
func Count(findings []Finding, level Level) int {
	n := 0
	for _, f := range findings {
		if f.Level == level {
			n++
		}
	}
	return n
}

// exam is one look at one issuer.
type exam struct {
	cfg      issuer.Config
	server   *oauth.Server
	issuer   *issuer.Issuer
	findings []Finding
	clocked  bool // the clocks were compared
	unsent   bool // credentials are not sent where the metadata says
}

func (e *exam) found(check string, level Level, do, format string, args ...any) {
	e.findings = append(e.findings, Finding{check, level, fmt.Sprintf(format, args...), do})
}

// Examine asks the server of cfg everything that can be asked without a token of a user: its metadata, its keys,
// whether it takes the sidecar's credentials, what its clock says, and, where the client may have a token of its own,
// whether it is told about it. The error is a fault of cfg itself.
func Examine(ctx context.Context, cfg issuer.Config) ([]Finding, error) {
	issuer, err := issuer.New(cfg, issuer.Deps{Fingerprints: secret.NewFingerprinter()})
	if err != nil {
		return nil, err
	}
	defer issuer.Close()
	server, err := oauth.New(cfg.Reached(), oauth.Deps{Wants: []oauth.Endpoint{oauth.TokenEndpoint}})
	if err != nil {
		return nil, err
	}
	defer server.Close()
	e := &exam{cfg: cfg, server: server, issuer: issuer}
	doc := e.metadata(ctx)
	if e.usesKeys() {
		e.keys(ctx, doc)
	}
	if !e.unsent && (!e.asks() || e.credentials(ctx)) {
		e.canary(ctx, doc)
	}
	slices.SortStableFunc(e.findings, func(a, b Finding) int {
		return cmp.Compare(slices.Index(checks, a.Check), slices.Index(checks, b.Check))
	})
	return e.findings, nil
}

// checks are the names of what Examine looks at, in the order in which it says so: the clock is read from whichever
// answer has a time.
var checks = []string{"metadata", "keys", "credentials", "clock", "canary"}

// asks reports whether the introspection endpoint is asked at all.
func (e *exam) asks() bool { return e.cfg.Mode != authz.ModeJWT }

func (e *exam) usesKeys() bool {
	return e.cfg.RequireSigned || e.cfg.Mode != authz.ModeIntrospect && e.cfg.Mode != ""
}

// credentials asks about a token that the server never issued. The right answer is that it is not active.
func (e *exam) credentials(ctx context.Context) bool {
	answer, err := e.issuer.Probe(ctx, secret.New(rand.Text()))
	e.clock(answer.Date, time.Now())
	advice := e.cfg.Dialect.Advice(e.cfg.Endpoint.Client.ID)
	switch {
	case err != nil:
		f := explain(e.cfg, answer, err)
		f.Check = "credentials"
		e.findings = append(e.findings, f)
		return false
	case answer.Claims.Active:
		e.found("credentials", Fault, "is this really an introspection endpoint? compare the URL with the server's "+
			"documentation",
			"%s calls a token active that it never issued", answer.Endpoint)
		return false
	case advice.Indistinct:
		e.found("credentials", Doubt, advice.Unproved, "%s answers; whether it accepts the sidecar's credentials "+
			"cannot be seen", answer.Endpoint)
	case advice.Unproved != "":
		e.found("credentials", Good, "", "%s accepts the sidecar's credentials, and does not know a token that it "+
			"never issued; %s", answer.Endpoint, advice.Unproved)
	default:
		e.found("credentials", Good, "", "%s accepts the sidecar's credentials, and does not know a token that it "+
			"never issued", answer.Endpoint)
	}
	return true
}

// clock compares the server's time, as its Date or a token of now tells it, with that of this machine. A second of it
// is rounding.
func (e *exam) clock(theirs, now time.Time) {
	if f, ok := skew(theirs, now); ok {
		e.findings, e.clocked = append(e.findings, f), true
	}
}

const (
	noticedSkew = 5 * time.Second
	badSkew     = time.Minute
)

func skew(date, now time.Time) (Finding, bool) {
	if date.IsZero() {
		return Finding{}, false
	}
	ahead := date.Sub(now).Round(time.Second)
	level, off := Doubt, ahead.Abs()
	switch {
	case off <= noticedSkew:
		return Finding{"clock", Good, "the clocks agree", ""}, true
	case off > badSkew:
		level = Fault
	}
	word := "ahead of"
	if ahead < 0 {
		word = "behind"
	}
	return Finding{"clock", level, fmt.Sprintf("the server's clock is %s %s the sidecar's", off, word),
		"let both be set by the network (NTP); not_before_leeway and jwt.leeway forgive up to 60s"}, true
}

// quoted shows what a server said about itself, bounded and on one line.
func quoted(s string) string {
	const most = 200
	if len(s) > most {
		s = s[:most] + "..."
	}
	return fmt.Sprintf("%q", strings.ToValidUTF8(s, "?"))
}
