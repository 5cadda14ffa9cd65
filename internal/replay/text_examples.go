package replay

import (
	"fmt"
	"strings"
)

func (t *text) examples() {
	var class Class
	for i := range t.r.Examples {
		e := &t.r.Examples[i]
		if e.Class != class {
			class = e.Class
			t.line("\n%s, for example:", class.Words())
		}
		t.example(e)
	}
}

func (t *text) example(e *Example) {
	what := strings.TrimSpace(shown(e.Method) + " " + shown(e.Path))
	for _, about := range []struct{ name, value string }{
		{"client", e.Client}, {"subject", e.Subject}, {"tenant", e.Tenant},
	} {
		if about.value != "" {
			what += fmt.Sprintf("  %s=%s", about.name, shown(about.value))
		}
	}
	t.line("  %s  %s", shown(e.DecisionID), what)
	t.line("      was  %s%s", e.Was.text(), by(e.WasBy))
	t.line("      now  %s%s", e.Now.text(), by(e.NowBy))
	if e.Class == AnswerChanged {
		t.line("      differs in %s", shown(strings.Join(e.Differs, ", ")))
	}
	if e.Command != "" {
		t.line("      %s", e.Command)
	}
}

func by(r *Rule) string {
	if r == nil {
		return ""
	}
	return ", by " + r.text()
}

func (a *Answer) text() string {
	s := fmt.Sprintf("%d %s", a.Status, shown(a.Kind))
	for i, r := range a.Reasons {
		if i == 3 {
			s += fmt.Sprintf(" and %d more", len(a.Reasons)-i)
			break
		}
		s += " " + shown(r.Code)
	}
	if a.Cause != "" {
		s += ": " + shown(a.Cause)
	}
	return s
}

func (t *text) coverage() {
	c := &t.r.Coverage
	var idle []string
	for _, e := range c.Entrypoints {
		if e.Count == 0 {
			idle = append(idle, shown(e.Name))
		}
	}
	if len(idle) > 0 {
		t.line("\nentrypoints of the candidate that no replayed decision asked: %s", strings.Join(idle, ", "))
	}
	if c.Decisions == 0 || len(c.Unreached) == 0 {
		return
	}
	t.line("\n%d of %d rules of the candidate had no value in the decisions looked at (%d): test these", len(c.Unreached),
		c.Rules, c.Decisions)
	for i := range c.Unreached {
		if i == maxShown {
			t.line("          and %d more", len(c.Unreached)-i)
			break
		}
		t.line("          %s", c.Unreached[i].text())
	}
}
