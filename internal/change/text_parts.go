package change

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/authz-sidecar/sidecar/internal/access"
)

// visible is text for a terminal, with its blanks: what does not print is escaped.
func visible(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\t':
			b.WriteString("    ")
		case !unicode.IsPrint(r):
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// parts writes the parts that have something to tell.
func (t *text) parts(c *Change) {
	t.details(c.Findings)
	t.rules(c.Rules)
	t.values(c.Data)
	t.rows(c.Access)
	t.tests(c.Tests)
	t.compared(c)
}

// details writes those of the findings that have more than the list shows.
func (t *text) details(list []Finding) {
	begun := false
	for _, f := range list {
		shown := 0
		if f.Kind == KindWider {
			shown = 1
		}
		if len(f.Details) <= shown || f.Kind == KindRule || f.Kind == KindDeny {
			continue
		}
		if !begun {
			t.heading("Details")
			begun = true
		}
		t.wrapped("", f.Kind.Word()+" "+f.Title+" ["+f.ID+"]", 0)
		for _, d := range f.Details {
			t.wrapped("    ", d, 0)
		}
	}
}

func (t *text) rules(rules []Rule) {
	if len(rules) == 0 {
		return
	}
	t.heading("Rules")
	for _, r := range rules {
		old, now := "", ""
		var places []string
		if r.Old != nil {
			old = r.Old.Rego
			places = append(places, "old "+fmt.Sprintf("%s:%d", r.Old.File, r.Old.Row))
		}
		if r.New != nil {
			now = r.New.Rego
			places = append(places, "new "+fmt.Sprintf("%s:%d", r.New.File, r.New.Row))
		}
		what := string(r.How)
		if len(r.Parts) > 0 {
			what += " (" + strings.Join(r.Parts, ", ") + ")"
		}
		t.wrapped("", r.Path+" "+what+": "+strings.Join(places, ", "), 0)
		if r.How == Moved || r.How == Restyled {
			continue
		}
		t.diff(old, now)
	}
}

// diff writes the lines of two texts that differ, with those around them.
func (t *text) diff(old, now string) {
	lines := strings.Split(string(diff.Diff("old", ended(old), "new", ended(now))), "\n")
	for _, line := range lines[min(3, len(lines)):] {
		if line != "" && !strings.HasPrefix(line, "@@") && !strings.HasPrefix(line, `\`) {
			t.line("    %s", visible(line))
		}
	}
}

func ended(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(strings.TrimRight(s, "\n") + "\n")
}

func (t *text) values(d Data) {
	if len(d.Values) == 0 {
		return
	}
	t.heading("Data")
	for _, v := range d.Values {
		by := "read by " + listed(v.Readers, 3)
		if len(v.Readers) == 0 {
			by = "no decision depends on it"
		}
		t.wrapped("", valueLine(v)+"; "+by, 3)
	}
	if d.Left > 0 {
		t.line("and %d more", d.Left)
	}
}

func (t *text) rows(a *Access) {
	if a == nil || len(a.Rows) == 0 {
		return
	}
	t.heading("Access matrix: what differs")
	for _, r := range a.Rows {
		name := strings.TrimSpace(r.Method + " " + r.Path)
		if r.Route != "" {
			name += " (" + r.Route + ")"
		}
		t.wrapped("", name+": "+string(r.How)+", "+string(r.Direction), 0)
		for _, side := range []struct {
			word string
			row  *access.Row
		}{{"old", r.Old}, {"new", r.New}} {
			if side.row != nil {
				t.wrapped("    "+side.word+"  ", needsOf(side.row), 3)
			}
		}
		for _, tokens := range []struct {
			word string
			list []string
		}{{"gained", r.Gained}, {"lost", r.Lost}} {
			if len(tokens.list) > 0 {
				t.wrapped("    "+tokens.word+" ", strings.Join(tokens.list, ", "), 3)
			}
		}
	}
}

// needsOf is what a row of the matrix asks for, in one line.
func needsOf(r *access.Row) string {
	var ways []string
	for _, n := range r.Needs {
		var asks []string
		for _, column := range [][2]string{{"scopes", n.Scopes}, {"audience", n.Audience}, {"tenant", n.Tenant},
			{"roles", n.Roles}, {"login", n.Login}, {"", n.Also}} {
			if column[1] != "" {
				asks = append(asks, strings.TrimSpace(column[0]+" "+column[1]))
			}
		}
		ways = append(ways, cmp.Or(strings.Join(asks, "; "), "every usable token"))
	}
	if r.Anonymous == "yes" {
		ways = append(ways, "no token")
	}
	slices.Sort(ways)
	return cmp.Or(strings.Join(slices.Compact(ways), " or "), "no token is enough")
}

func (t *text) tests(tests *Tests) {
	if tests == nil {
		return
	}
	t.heading("Tests")
	for _, r := range []struct {
		word string
		run  *Run
	}{{"old", tests.Old}, {"new", tests.New}, {"old tests on the new policies", tests.OldOnNew}} {
		if r.run == nil {
			continue
		}
		line := fmt.Sprintf("%s: %d passed, %d failed, %d skipped", r.word, r.run.Passed, r.run.Failed, r.run.Skipped)
		if r.run.Coverage != nil {
			line += fmt.Sprintf(", coverage %.1f %%", *r.run.Coverage)
		}
		t.wrapped("", line, 0)
		for i, p := range r.run.Problems {
			if i < 5 {
				t.wrapped("    ", p.String(), 3)
			}
		}
	}
}

// compared says how far decisions were compared.
func (t *text) compared(c *Change) {
	if c.Decisions != nil && len(c.Decisions.Entrypoints) > 0 {
		t.heading("Decisions compared")
		for _, e := range c.Decisions.Entrypoints {
			t.wrapped("", fmt.Sprintf("%s: %s of requests: %d proved alike, %d differ, %d open, %d not looked at; %d "+
				"documents were decided by both", e.Path, counted(e.Shapes, "shape"), e.Proved, e.Differing, e.Open,
				e.Left,
				e.Candidates), 0)
		}
	}
	if c.Replay != nil {
		t.heading("Recorded decisions")
		n := c.Replay.Changes
		t.wrapped("", fmt.Sprintf("%d replayed: %d deny to allow, %d allow to deny, %d to error, %d from error, %d "+
			"answered "+
			"otherwise, %d unchanged; %d could not be replayed", c.Replay.Totals.Replayed, n.DenyToAllow,
			n.AllowToDeny,
			n.ToError, n.FromError, n.AnswerChanged, n.Unchanged, c.Replay.Totals.NotReplayable), 0)
	}
}
