package summary

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/telemetry"
)

// said is about GET /orders/42 by a client.
func said(d Decision) Decision {
	d.DecisionID, d.Method, d.Path, d.Client, d.Subject = "01M8", "GET", "/orders/42", "reader", "rita"
	return d
}

func TestALineSaysWhatWasDecidedAndWhy(t *testing.T) {
	scope := authz.Reason{Code: "insufficient_scope", Message: "orders:write is needed"}
	refused := func(kind authz.Kind, status int, code, cause string) Decision {
		return Decision{Kind: kind, Status: status, Reasons: []authz.Reason{
			{Code: code, Message: "for callers"}},
			Cause: cause}
	}
	for want, d := range map[string]Decision{
		"200 allow": {Kind: authz.Allow, Status: 200, Reasons: []authz.Reason{scope}},
		"403 deny":  {Kind: authz.Deny, Status: 403},
		"403 insufficient_scope: orders:write is needed": {Kind: authz.Deny, Status: 403,
			Reasons: []authz.Reason{scope}},
		"403 insufficient_scope: orders:write is needed, b": {Kind: authz.Deny, Status: 403,
			Reasons: []authz.Reason{scope, {Code: "b", Message: "m"}}},
		"403 a, b, c, d, and 2 more": {Kind: authz.Deny, Status: 403,
			Reasons: []authz.Reason{{Code: "a"}, {Code: "b"}, {Code: "c"}, {Code: "d"}, {Code: "e"}, {Code: "f"}}},
		"401 invalid_token: the token has expired": refused(authz.Unauthenticated, 401, "invalid_token",
			"check token: it has expired"),
		"401 invalid_dpop_proof: the proof's htu is another URI": refused(authz.Unauthenticated, 401,
			"invalid_dpop_proof", "check proof: its htu is another URI"),
		"401 no_credential: the request has no token": refused(authz.Unauthenticated, 401, "no_credential",
			"read credential: the request has none"),
		"400 malformed: the path has an empty segment": refused(authz.Malformed, 400, "invalid_request",
			"read request: the path has an empty segment"),
		"503 unavailable: introspect: no answer in time": refused(authz.Unavailable, 503, "temporarily_unavailable",
			"introspect: no answer in time"),
		"500 misconfigured: evaluate data.authz: a.rego:7:3: eval_conflict_error": refused(authz.Misconfigured, 500,
			"misconfigured", "evaluate data.authz: a.rego:7:3: eval_conflict_error"),
	} {
		if got := said(d).String(); got != want+"  GET /orders/42  client reader  01M8" {
			t.Errorf("got  %s\nwant %s  ...", got, want)
		}
	}
}

func TestALineNamesTheSubjectOfATokenWithoutAClientAndTheRule(t *testing.T) {
	l := said(Decision{Kind: authz.Allow, Status: 200})
	l.Client, l.Rule = "", "policies/a.rego:7"
	if got, want := l.String(), "200 allow  GET /orders/42  subject rita  policies/a.rego:7  01M8"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// hostile are texts that change what a terminal shows, or pretend to be another part of the line.
var hostile = []string{
	"a\nb", "a\r\x1b[2Jb", "\x1b]0;title\x07", "\u009b31m", "\u202egnp", "\u2066", "\xff\xfe", "\x00", "\u2028",
	"\u00a0",
	"  client admin  policies/a.rego:1", "\t\t", "\U000E0041", strings.Repeat("x", 64<<10),
	strings.Repeat("\x1b", 64<<10),
	strings.Repeat("é", 64<<10), strings.Repeat(" ", 64<<10),
}

func TestWhatCallersSendCannotChangeALine(t *testing.T) {
	for _, text := range hostile {
		l := Decision{
			DecisionID: "01M8", Kind: authz.Deny, Status: 403, Method: text, Path: text, Client: text, Rule: text,
			Reasons: []authz.Reason{{Code: text, Message: text}, {Code: text}, {Code: text}},
		}
		undecided := l
		undecided.Kind, undecided.Cause = authz.Internal, text
		for _, line := range []string{l.String(), undecided.String()} {
			if len(line) > 8<<10 || !utf8.ValidString(line) || strings.ContainsFunc(line, func(r rune) bool {
				return r < ' ' || r >= 0x7f && r <= 0x9f || r == '\u202e' || r == '\u2066' || r == '\u2028' ||
					r == '\u00a0' || r == '\U000E0041'
			}) {
				t.Errorf("%d bytes: %.200q", len(line), line)
			}
			if n := strings.Count(line, "  "); n > 4 {
				t.Errorf("%d parts: %.300q", n+1, line)
			}
		}
	}
}

func TestALineOfTheLogIsBoundedAndOneLine(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		for _, text := range hostile {
			var out bytes.Buffer
			log := telemetry.NewLogger(telemetry.LogConfig{Level: "debug", Format: format}, &out)
			d := Decision{DecisionID: "01M8", Kind: authz.Internal, Method: text, Path: text, Client: text,
				Subject: text, Rule: text, Cause: text, Reasons: []authz.Reason{{Code: text, Message: text},
					{Code: text}}}
			log.LogAttrs(t.Context(), slog.LevelDebug, "decision", d.Attrs()...)
			if got := out.String(); len(got) > 64<<10 || strings.Count(got, "\n") != 1 ||
				strings.ContainsAny(got, "\x1b\u009b\u202e") {
				t.Errorf("%s: %d bytes: %.300q", format, len(got), got)
			}
		}
	}
}

func TestALineOfTheLogHasTheFactsAsAttributes(t *testing.T) {
	var out bytes.Buffer
	l := said(Decision{Kind: authz.Deny, Status: 403,
		Reasons: []authz.Reason{{Code: "a", Message: "m"}, {Code: "b"}}})
	l.Rule = "a.rego:7"
	slog.New(slog.NewTextHandler(&out, nil)).LogAttrs(t.Context(), slog.LevelInfo, "decision", l.Attrs()...)
	want := `level=INFO msg=decision decision_id=01M8 kind=deny status=403 reasons="a: m; b" method=GET ` +
		`path=/orders/42 client=reader subject=rita rule=a.rego:7` + "\n"
	if _, got, _ := strings.Cut(out.String(), " "); got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}
