package reports

import (
	"strings"
	"unicode"

	"github.com/authz-sidecar/sidecar/internal/change"
	"github.com/authz-sidecar/sidecar/internal/page"
)

// kind is how a kind of finding is shown.
type kind struct {
	label string
	// to is the section that tells more.
	to string
}

// kinds is in the order of gravity.
func kinds() []change.Kind {
	return []change.Kind{change.KindProblem, change.KindWider, change.KindReach, change.KindDeny, change.KindTest,
		change.KindInput, change.KindSettings, change.KindData, change.KindNarrower, change.KindAnswer,
		change.KindBuiltin, change.KindCheck, change.KindRule, change.KindLess, change.KindForm}
}

func kindOf(k change.Kind) kind {
	known := map[change.Kind]kind{
		change.KindProblem:  {"DOES NOT COMPILE", "limits"},
		change.KindWider:    {"WIDER", "allowed"},
		change.KindReach:    {"REACH", "reach"},
		change.KindDeny:     {"DENY GONE", "rules"},
		change.KindTest:     {"TEST", "tests"},
		change.KindInput:    {"READS", "reads"},
		change.KindSettings: {"SETTINGS", "settings"},
		change.KindData:     {"DATA", "data"},
		change.KindNarrower: {"NARROWER", "denied"},
		change.KindAnswer:   {"ANSWER", "answers"},
		change.KindBuiltin:  {"BUILTIN", "reach"},
		change.KindCheck:    {"CHECK", "settings"},
		change.KindRule:     {"RULE", "rules"},
		change.KindLess:     {"LESS", ""},
		change.KindForm:     {"FORM", "rules"},
	}
	if found, ok := known[k]; ok {
		return found
	}
	return kind{label: strings.ToUpper(string(k))}
}

func toneOfLevel(f change.Finding) page.Tone {
	switch {
	case f.Allowed:
		return page.Neutral
	case f.Level == change.Grave:
		return page.Bad
	case f.Level == change.Notable:
		return page.Warn
	case f.Kind == change.KindNarrower:
		return page.Info
	}
	return page.Neutral
}

// reviewCounts counts findings by kind. Those that matter most are there even at 0.
func reviewCounts(c *change.Change) []page.Count {
	counts, tones := map[change.Kind]int{}, map[change.Kind]page.Tone{}
	for _, f := range c.Findings {
		if counts[f.Kind]++; tones[f.Kind] == "" || tones[f.Kind] == page.Neutral {
			tones[f.Kind] = toneOfLevel(f)
		}
	}
	var out []page.Count
	for _, k := range kinds() {
		shown := k == change.KindWider || k == change.KindReach || k == change.KindDeny || k == change.KindTest
		if n := counts[k]; n > 0 || shown && c.Outcome != change.Unloadable {
			out = append(out, page.Count{N: n, Of: strings.ToLower(kindOf(k).label), Tone: tones[k], To: "findings"})
		}
	}
	return out
}

// findings is the whole change, a row each. Those that want no look are folded.
func findings(c *change.Change) []page.Block {
	if len(c.Findings) == 0 {
		return []page.Block{page.Paragraph(page.Say("Nothing differs in meaning."))}
	}
	grave := page.Table{ID: "findings", Columns: []string{"Kind", "Finding", "Where"}}
	plain := page.Table{Columns: grave.Columns}
	for _, f := range c.Findings {
		if f.Level == change.Plain {
			plain.Rows = append(plain.Rows, findingRow(f, page.Prose))
		} else {
			grave.Rows = append(grave.Rows, findingRow(f, page.Strong))
		}
	}
	var out []page.Block
	if len(grave.Rows) > 0 {
		out = append(out, grave)
	}
	if n := len(plain.Rows); n > 0 {
		out = append(out, page.Folded{Blocks: []page.Block{plain},
			Title: page.Say(plural(n, "finding is a note", "findings are notes"))})
	}
	return out
}

func findingRow(f change.Finding, title page.Role) []page.Text {
	k := kindOf(f.Kind)
	tag := page.Text{{Text: k.label, As: page.Tag, Tone: toneOfLevel(f), To: k.to}}
	if f.Allowed {
		tag = page.Join(tag, page.Tagged("reviewed", page.Neutral))
	}
	where := places(f.Places)
	if len(f.Places) == 0 && len(f.Gone) > 0 {
		where = page.Join(page.Say("was"), places(f.Gone))
	}
	return []page.Text{tag, append(page.Text{{Text: f.Title, As: title}}, details(f)...), where}
}

// details are the lines below a finding: of one that allows more those of its witness, of tests none, since their
// section has what they print, and of others the first two.
func details(f change.Finding) page.Text {
	most := 2
	switch f.Kind {
	case change.KindWider:
		most = 3
	case change.KindTest:
		most = 0
	default:
	}
	var out page.Text
	for _, line := range f.Details {
		if !strings.ContainsFunc(line, unicode.IsLetter) {
			continue // what stands between parts of an output
		}
		if most--; most < 0 {
			break
		}
		out = append(out, page.Span{As: page.Break})
		if sign, condition, ok := strings.Cut(line, " "); ok && (sign == "+" || sign == "-") {
			out = append(out, page.Span{Text: map[string]string{"+": "now: ", "-": "before: "}[sign], As: page.Faint},
				page.Span{Text: condition, As: page.Value})
			continue
		}
		out = append(out, page.Span{Text: line})
	}
	return out
}
