package bundler

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/decision/summary"
)

// most is how many characters of a text from a bundle are shown.
const most = 200

func shown(text string) string { return summary.Shown(text, most) }

// WriteText writes an inspection for a terminal.
func (in *Inspection) WriteText(w io.Writer) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("file", "%s", shown(in.File))
	line("digest", "%s", in.Digest)
	line("revision", "%s", orNone(shown(in.Revision)))
	line("roots", "%s", orNone(shown(strings.Join(rootNames(in.Roots), ", "))))
	line("rego", "version %d", in.RegoVersion)
	if in.Metadata != nil {
		line("metadata", "%s", shown(string(in.Metadata)))
	}
	line("packages", "%s", orNone(shown(strings.Join(in.Packages, ", "))))
	for i, e := range in.Entrypoints {
		line(first(i, "entrypoints"), "%s  %s", shown(e.Path), shown(e.Title))
	}
	if len(in.Builtins) > 0 {
		line("reaches", "%s",
			shown(strings.TrimSuffix(strings.Join(in.Builtins, ", ")+": "+strings.Join(in.Hosts, ", "), ": ")))
	}
	for i, d := range in.Data {
		at := strings.TrimSuffix("data."+shown(strings.ReplaceAll(d.At, "/", ".")), ".")
		line(first(i, "data"), "%s  %d bytes (%s)", at, d.Bytes, shown(d.File))
	}
	line("tests", "%d of Rego, %d files of suites", in.RegoTests, in.Suites)
	if len(in.Other) > 0 {
		line("other files", "%s", shown(strings.Join(in.Other, ", ")))
	}
	for i, s := range in.Signatures {
		kind := "signature"
		if s.Counter {
			kind = "countersignature"
		}
		text := fmt.Sprintf("%s by key %q (%s)", kind, shown(s.KeyID), shown(s.Algorithm))
		if !s.At.IsZero() {
			text += " at " + s.At.Format(time.RFC3339)
		}
		if s.Reviewed != "" {
			text += ", names review " + shown(s.Reviewed)
		}
		line(first(i, "signed"), "%s", text)
	}
	if len(in.Signatures) == 0 {
		line("signed", "no")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// first is a heading for the first line of several.
func first(i int, heading string) string {
	if i == 0 {
		return heading
	}
	return ""
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// rootNames are roots as they are told: the empty one owns everything.
func rootNames(roots []string) []string {
	out := make([]string, 0, len(roots))
	for _, r := range roots {
		if r == "" {
			r = "all of data"
		}
		out = append(out, r)
	}
	return out
}
