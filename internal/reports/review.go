// Package reports shows what a change of policies means, and what a replay of recorded decisions found, as documents
// that people read (package page), and the findings of a review as SARIF.
//
//	err := reports.Review(change).WriteHTML(os.Stdout)
package reports

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/change"
	"github.com/authz-sidecar/sidecar/internal/change/witness"
	"github.com/authz-sidecar/sidecar/internal/engine/meaning"
	"github.com/authz-sidecar/sidecar/internal/page"
)

// Review is the page about a change of policies.
func Review(c *change.Change) page.Document {
	d := page.Document{Title: "Policy review", Label: strings.ToUpper(string(c.Outcome)), Tone: toneOf(c.Outcome),
		Verdict: verdict(c), Counts: reviewCounts(c), Head: append([]page.Block{versions(c)}, findings(c)...)}
	if n := allowed(c); n > 0 {
		d.Under = append(d.Under, page.Say(fmt.Sprintf("%s marked as reviewed and %s not count.",
			plural(n, "finding is", "findings are"), plural1(n, "does", "do"))))
	}
	for _, s := range [][]page.Section{
		decisions(c), reach(c), reads(c), rules(c), data(c), settings(c), tests(c), matrix(c), traffic(c),
		{limits(c)},
	} {
		d.Sections = append(d.Sections, s...)
	}
	d.End = []page.Fact{
		{Name: "before", Value: page.Code(c.Old.Digest)},
		{Name: "now", Value: page.Join(page.Code(c.New.Digest), page.Say(covers(c.New)))},
	}
	for _, s := range c.New.Sources {
		if s.Digest != "" && s.Digest != c.New.Digest {
			d.End = append(d.End, page.Fact{Name: "bundle in it", Value: page.Join(page.Code(s.Name),
				page.Code(s.Digest))})
		}
	}
	d.End = append(d.End,
		page.Fact{Name: "this report", Value: page.Code(c.Digest)},
		page.Fact{Name: "made by", Value: page.Say(fmt.Sprintf("sidecar %s at %s, in %.1f seconds. Policies decided "+
			"as of %s.",
			c.Tool, moment(c.At), c.Seconds, moment(c.Now)))})
	return d
}

func covers(v change.Version) string {
	if v.Covers == "bundle" {
		return "(content digest of the bundle, which its signature names)"
	}
	return "(all files of all sources)"
}

func toneOf(o change.Outcome) page.Tone {
	switch o {
	case change.Unloadable, change.Wider, change.Failing:
		return page.Bad
	case change.Differs:
		return page.Info
	case change.Same:
		return page.Good
	}
	return page.Neutral
}

// verdict is the outcome in one sentence.
func verdict(c *change.Change) string {
	switch c.Outcome {
	case change.Unloadable:
		return plural(len(c.New.Problems), "problem keeps", "problems keep") + " the new version from compiling"
	case change.Wider:
		return widerVerdict(c)
	case change.Failing:
		return plural(failing(c), "test fails", "tests fail") + " with the new version"
	case change.Differs:
		return "The versions differ in meaning, and no request was found that is newly allowed"
	case change.Same:
		return "The versions differ at most in format, comments and places of rules"
	}
	return "The outcome is " + string(c.Outcome)
}

func widerVerdict(c *change.Change) string {
	shapes := map[witness.Place]bool{}
	if c.Decisions != nil {
		for _, f := range c.Decisions.Findings {
			if f.Class != witness.Wider || f.Unreachable != "" {
				continue
			}
			if f.Everywhere {
				return "Requests on every path that were denied would be allowed"
			}
			for _, p := range f.Places {
				shapes[p] = true
			}
		}
	}
	if len(shapes) == 0 {
		return "Requests that were denied would be allowed"
	}
	return "Requests that were denied would be allowed (" +
		plural(len(shapes), "method and path", "methods and paths") + ")"
}

func failing(c *change.Change) int {
	if c.Tests == nil {
		return 0
	}
	return len(c.Tests.Broken) + len(c.Tests.Failing) + len(c.Tests.OldFailing)
}

func allowed(c *change.Change) (n int) {
	for _, f := range c.Findings {
		if f.Allowed {
			n++
		}
	}
	return n
}

// plural is a number with the noun that fits.
func plural(n int, one, many string) string { return page.Number(n) + " " + plural1(n, one, many) }

func plural1(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func moment(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04:05 UTC") }

// versions are both sides beside each other.
func versions(c *change.Change) page.Table {
	t := page.Table{Columns: []string{"", "Before", "Now"}}
	add := func(name string, of func(change.Version) page.Text) {
		before, now := of(c.Old), of(c.New)
		if len(before)+len(now) > 0 {
			t.Rows = append(t.Rows, []page.Text{{{Text: name, As: page.Faint}}, before, now})
		}
	}
	add("policies", func(v change.Version) page.Text {
		if v.Revision == "" {
			return page.Code(v.Name)
		}
		return page.Join(page.Code(v.Name), page.Say("revision"), page.Code(v.Revision))
	})
	add("digest", func(v change.Version) page.Text { return page.Code(shortDigest(v.Digest)) })
	add("signed by", signers)
	add("contents", func(v change.Version) page.Text {
		if v.Modules == 0 && v.Rules == 0 {
			return nil
		}
		text := page.Say(plural(v.Rules, "rule", "rules") + " in " + plural(v.Modules, "module", "modules"))
		if v.EmbeddedLibrary != "" {
			text = append(text, page.Span{Text: ", library "}, page.Span{Text: v.EmbeddedLibrary, As: page.Value})
		}
		return text
	})
	return t
}

// signers are the keys that signed each bundle.
func signers(v change.Version) page.Text {
	var out page.Text
	bundles := 0
	for _, s := range v.Sources {
		if s.Kind != "bundle" {
			continue
		}
		bundles++
		if len(s.Signed.Signers) == 0 {
			out = page.Join(out, page.Tagged("not signed", page.Warn))
		}
		for _, k := range s.Signed.Signers {
			if len(out) > 0 {
				out = append(out, page.Span{As: page.Break})
			}
			out = append(out, page.Join(page.Code(k.KeyID), page.Say(strings.TrimSpace("("+strings.Join(
				slices.DeleteFunc([]string{k.Role, k.Algorithm}, func(s string) bool { return s == "" }), ", ")+
				")")))...)
		}
		if len(v.Sources) > 1 {
			out = page.Join(out, page.Say("for"), page.Code(s.Name))
		}
		if s.Signed.Reviewed != "" {
			out = append(out, page.Span{As: page.Break})
			out = append(out, page.Join(page.Say("reviewed by the report"),
				page.Code(shortDigest(s.Signed.Reviewed)))...)
		}
	}
	if bundles == 0 && len(v.Sources) > 0 {
		return page.Text{{Text: "directories, which are not signed", As: page.Faint}}
	}
	return out
}

// places says where something is, the first few places.
func places(list []meaning.Place) page.Text {
	var out []string
	for _, p := range list {
		out = append(out, at(p.File, p.Row))
	}
	return lines(out)
}

// lines are values, a line each, two at most, or three.
func lines(values []string) page.Text {
	var out page.Text
	for i, v := range values {
		if i == 2 && len(values) > 3 {
			return append(out, page.Span{As: page.Break}, page.Span{Text: fmt.Sprintf("and %d more", len(values)-i)})
		}
		if i > 0 {
			out = append(out, page.Span{As: page.Break})
		}
		out = append(out, page.Code(v)...)
	}
	return out
}

// at is a place as file:row.
func at(file string, row int) string {
	if row == 0 {
		return file
	}
	return fmt.Sprintf("%s:%d", file, row)
}

// shortDigest is the beginning of a digest, enough to tell versions apart; the end of the page has the whole.
func shortDigest(digest string) string {
	if algorithm, hex, ok := strings.Cut(digest, ":"); ok && len(hex) > 20 {
		return algorithm + ":" + hex[:16] + "..."
	}
	return digest
}
