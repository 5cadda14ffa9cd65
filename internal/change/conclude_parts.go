package change

import (
	"fmt"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/engine/meaning"
)

// tests are those that fail, are gone, or were rewritten.
func (f *findings) tests(floor float64) {
	t := f.c.Tests
	if t == nil {
		return
	}
	f.listOfTests(t.Broken, Grave, "fails that passed before", "fail that passed before")
	f.listOfTests(t.Failing, Grave, "fails, and did not pass before", "fail, and did not pass before")
	f.listOfTests(t.OldFailing, Notable, "of the old version fails against the new policies",
		"of the old version fail against the new policies")
	f.listOfTests(t.Removed, Notable, "is gone", "are gone")
	f.listOfTests(t.Rewritten, Notable, "was rewritten together with a rule that it tests",
		"were rewritten together with rules that they test")
	for _, r := range []struct {
		run  *Run
		what string
	}{{t.New, "the tests of the new version do not load"}, {t.OldOnNew,
		"the old tests do not load with the new policies"}} {
		if r.run != nil && len(r.run.Problems) > 0 {
			level := Notable
			if r.run == t.New {
				level = Grave
			}
			f.add(KindTest, level, []string{r.what}, r.what+": "+r.run.Problems[0].String())
		}
	}
	f.coverage(t, floor)
}

func (f *findings) coverage(t *Tests, floor float64) {
	if t.New == nil || t.New.Coverage == nil {
		return
	}
	now := *t.New.Coverage
	if now < floor {
		f.add(KindTest, Grave, []string{"coverage"}, fmt.Sprintf("the tests cover %.1f %% of the policies, below the "+
			"floor of %g %%", now, floor))
		return
	}
	if t.Old != nil && t.Old.Coverage != nil && now < *t.Old.Coverage-0.05 {
		f.add(KindTest, Notable, []string{"coverage"}, fmt.Sprintf(
			"the tests cover %.1f %% of the policies, were %.1f %%",
			now, *t.Old.Coverage))
	}
}

// listOfTests adds one finding about some tests.
func (f *findings) listOfTests(tests []Test, level Level, one, many string) {
	if len(tests) == 0 {
		return
	}
	what := many
	if len(tests) == 1 {
		what = one
	}
	var names, about, details []string
	var places []meaning.Place
	for i, t := range tests {
		name := strings.TrimPrefix(t.Group, "data.") + "/" + t.Name
		names, about = append(names, name), append(about, name)
		places = append(places, meaning.Place{File: t.File, Row: t.Row})
		for j, line := range t.Output {
			if i < 3 && j < 3 {
				details = append(details, line)
			}
		}
		if len(t.Rules) > 0 && i < 3 {
			details = append(details, name+": "+listed(t.Rules, 4))
		}
	}
	f.add(KindTest, level, append(about, many), counted(len(tests), "test")+" "+what+": "+listed(names, 3),
		details...).Places = places
}

// maxData is how many values are told one by one.
const maxData = 6

// data are the values that rules read, one by one or by what they are below, and the others together.
func (f *findings) data() {
	var read []Value
	unread := 0
	for _, v := range f.c.Data.Values {
		if len(v.Readers) > 0 {
			read = append(read, v)
		} else {
			unread++
		}
	}
	if len(read) > maxData {
		var lines []string
		for _, v := range read[:maxData] {
			lines = append(lines, valueLine(v))
		}
		f.add(KindData, Notable, lines, fmt.Sprintf("%d values of data differ that rules read",
			len(read)+f.c.Data.Left),
			lines...).Places = []meaning.Place{{File: read[0].File, Row: read[0].Row}}
	} else {
		for _, v := range read {
			f.add(KindData, Notable, []string{v.Path, string(v.New)}, valueLine(v), "read by "+listed(v.Readers, 3)).
				Places = []meaning.Place{{File: v.File, Row: v.Row}}
		}
	}
	if unread > 0 {
		what := "values of data differ"
		if unread == 1 {
			what = "value of data differs"
		}
		f.add(KindData, Plain, []string{"unread"}, fmt.Sprintf("%d %s on which no decision depends", unread, what))
	}
}

// valueLine is one difference of the data.
func valueLine(v Value) string {
	const most = 160
	switch v.How {
	case Added:
		return v.Path + " is new: " + cut(string(v.New), most)
	case Removed:
		return v.Path + " is gone, was " + cut(string(v.Old), most)
	}
	return v.Path + ": " + cut(string(v.New), most) + ", was " + cut(string(v.Old), most)
}

func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
