package change

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// words are the kinds of findings as the terminal has them.
var words = map[Kind]string{KindProblem: "PROBLEM", KindWider: "WIDER", KindReach: "REACHES", KindDeny: "DENY GONE",
	KindTest: "TEST", KindInput: "READS", KindSettings: "SETTING", KindData: "DATA", KindNarrower: "NARROWER",
	KindAnswer: "ANSWER", KindBuiltin: "CALLS", KindCheck: "CHECK", KindRule: "RULE", KindLess: "LESS",
	KindForm: "FORM"}

// Word is the kind as the terminal has it.
func (k Kind) Word() string { return words[k] }

// WriteText writes the report for a terminal of a width: the findings, so that what matters most is on the first
// screen, and below them the parts.
func (c *Change) WriteText(w io.Writer, width int) error {
	t := &text{width: max(width, 60)}
	t.line("%s", c.headline())
	t.version("old", &c.Old)
	t.version("new", &c.New)
	t.line("")
	t.findings(c.Findings)
	t.parts(c)
	t.ending(c)
	_, err := io.WriteString(w, t.b.String())
	return err
}

// headline is the outcome in a sentence.
func (c *Change) headline() string {
	out := map[Outcome]string{
		Unloadable: "UNLOADABLE: the new version does not load",
		Wider:      "WIDER: requests that were denied are allowed",
		Failing:    "FAILING: tests of the new version fail, or a floor is not kept",
		Differs:    "DIFFERS: the versions differ in meaning",
		Same:       "SAME: the versions differ in format, comments and places at most",
	}[c.Outcome]
	if c.Outcome == Differs && c.Decisions != nil {
		out += ", and no request was found that was denied and is allowed"
		if len(c.Open) > 0 {
			out += "; but not all are decided (see open)"
		}
	}
	if n := len(c.Refusing()); n > 0 {
		out += "; refused until " + counted(n, "finding") + " " + are(n) + " reviewed"
	}
	return out
}

// text is a page for a terminal.
type text struct {
	b     strings.Builder
	width int
}

// line writes one line. What comes from outside is made visible by the caller.
func (t *text) line(format string, args ...any) {
	t.b.WriteString(strings.TrimRight(fmt.Sprintf(format, args...), " ") + "\n")
}

// wrapped writes a text after a head, broken at blanks, on so many lines at most; 0 is as many as it takes.
func (t *text) wrapped(head, body string, most int) {
	indent := strings.Repeat(" ", utf8.RuneCountInString(head))
	room := max(t.width-len(indent), 20)
	line, lines := "", 0
	flush := func() {
		t.line("%s%s", head, line)
		head, line = indent, ""
		lines++
	}
	fields := strings.Fields(visible(body))
	for i, word := range fields {
		if line != "" && utf8.RuneCountInString(line+" "+word) > room {
			if lines+1 == most {
				line = cutTo(line+" "+strings.Join(fields[i:], " "), room)
				break
			}
			flush()
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	if most > 0 {
		line = cutTo(line, room)
	}
	flush()
}

// cutTo is a text of at most so many characters.
func cutTo(s string, most int) string {
	runes := []rune(s)
	if len(runes) <= most {
		return s
	}
	return string(runes[:most-3]) + "..."
}

func (t *text) version(which string, v *Version) {
	parts := []string{visible(v.named())}
	for _, s := range v.Sources {
		if s.Revision != "" {
			parts = append(parts, "revision "+visible(s.Revision))
		}
	}
	if v.Digest != "" {
		parts = append(parts, cutDigest(v.Digest))
	}
	for _, s := range v.Sources {
		for _, signer := range s.Signed.Signers {
			name := "signed by " + visible(signer.KeyID)
			if signer.Role != "" {
				name += " (" + visible(signer.Role) + ")"
			}
			parts = append(parts, name)
		}
	}
	t.wrapped(which+"  ", strings.Join(parts, ", "), 2)
}

// cutDigest is the beginning of a digest; the end of the page has all of it.
func cutDigest(digest string) string {
	kind, hex, _ := strings.Cut(digest, ":")
	return kind + ":" + hex[:min(len(hex), 12)]
}

// mostOfKind is how many findings of one kind are on the first screen.
const mostOfKind = 4

// findings writes a line or two for each. Of many of a kind the others follow below.
func (t *text) findings(list []Finding) {
	seen := map[Kind]int{}
	var later []Finding
	for _, f := range list {
		if seen[f.Kind]++; seen[f.Kind] > mostOfKind {
			later = append(later, f)
			continue
		}
		t.finding(f)
	}
	if len(list) == 0 {
		t.line("nothing differs")
	}
	if len(later) > 0 {
		t.heading("Further findings")
		for _, f := range later {
			t.finding(f)
		}
	}
}

func (t *text) finding(f Finding) {
	title := f.Title
	if f.Allowed {
		title += " [reviewed]"
	}
	if len(f.Places) > 0 && f.Kind != KindTest {
		if place := at(f.Places[0]); place != "" && !strings.Contains(title, place) {
			title += " (" + place + ")"
		}
	} else if len(f.Gone) > 0 && f.Kind != KindTest {
		if place := at(f.Gone[0]); place != "" && !strings.Contains(title, place) {
			title += " (was " + place + ")"
		}
	}
	t.wrapped(fmt.Sprintf("%-10s", f.Kind.Word()), title, 2)
	if f.Kind == KindWider && len(f.Details) > 0 {
		t.wrapped(strings.Repeat(" ", 12), f.Details[0], 2)
	}
}

func (t *text) heading(title string) { t.line("\n%s\n%s", title, strings.Repeat("-", len(title))) }

func (t *text) ending(c *Change) {
	t.line("")
	for _, line := range c.Open {
		t.wrapped("open  ", line, 0)
	}
	t.line("compared in %.1f s by sidecar %s, as of %s", c.Seconds, visible(c.Tool),
		c.Now.Format("2006-01-02T15:04:05Z"))
	covers := "all files of " + c.New.named()
	if c.New.Covers == "bundle" {
		covers = "the content of the bundle " + c.New.named()
	}
	t.line("report     %s", c.Digest)
	t.line("describes  %s", cmp.Or(c.New.Digest, "nothing that loads"))
	t.wrapped("           ", covers, 0)
	for _, s := range c.New.Sources {
		if s.Digest != "" && s.Digest != c.New.Digest {
			t.line("           %s", s.Digest)
			t.wrapped("           ", "the content of the bundle "+s.Name, 0)
		}
	}
}
