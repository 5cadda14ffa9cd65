package change

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/engine/meaning"
)

// kinds are all of them, the gravest first.
var kinds = [...]Kind{KindProblem, KindWider, KindReach, KindDeny, KindTest, KindInput, KindSettings, KindData,
	KindNarrower, KindAnswer, KindBuiltin, KindCheck, KindRule, KindLess, KindForm}

// rank is the position of a kind among all.
func (k Kind) rank() int { return slices.Index(kinds[:], k) }

// conclude makes the findings and the outcome from the parts of the report.
func (c *Change) conclude(x comparison) {
	f := &findings{c: c, allowed: x.opts.Allowed}
	f.problems()
	f.decisions()
	f.routes()
	f.recorded()
	f.reach()
	f.rules()
	f.tests(x.opts.MinCoverage)
	f.members()
	f.settings()
	f.data()
	f.checks()
	f.less()
	levels := map[Level]int{Grave: 0, Notable: 1, Plain: 2}
	slices.SortStableFunc(f.list, func(a, b Finding) int {
		plain := func(f Finding) int { return levels[f.Level] / 2 }
		return cmp.Or(cmp.Compare(plain(a), plain(b)), cmp.Compare(a.Kind.rank(), b.Kind.rank()),
			cmp.Compare(levels[a.Level], levels[b.Level]))
	})
	c.Findings = append([]Finding{}, f.list...)
	c.Outcome = c.outcome()
}

// outcome is the summary in one word. Findings that were reviewed do not count among the grave ones.
func (c *Change) outcome() Outcome {
	out := Same
	for _, f := range c.Findings {
		switch {
		case f.Kind == KindProblem:
			return Unloadable
		case f.Level == Grave && f.Kind == KindWider && !f.Allowed:
			out = Wider
		case f.Level == Grave && !f.Allowed && out != Wider:
			out = Failing
		case f.Kind != KindForm && out == Same:
			out = Differs
		}
	}
	return out
}

// Refusing are the findings that a gate refuses: grave ones that were not reviewed.
func (c *Change) Refusing() (out []Finding) {
	for _, f := range c.Findings {
		if f.Level == Grave && !f.Allowed {
			out = append(out, f)
		}
	}
	return out
}

// findings gathers them.
type findings struct {
	c       *Change
	allowed []string
	list    []Finding
}

// add adds a finding. about says what it is about, whatever its words and places are in this report.
func (f *findings) add(kind Kind, level Level, about []string, title string, details ...string) *Finding {
	sum := sha256.Sum256([]byte(strings.Join(append([]string{string(kind)}, about...), "\x00")))
	id := string(kind) + "-" + hex.EncodeToString(sum[:6])
	f.list = append(f.list, Finding{ID: id, Kind: kind, Level: level, Title: title, Details: details,
		Allowed: slices.Contains(f.allowed, id)})
	return &f.list[len(f.list)-1]
}

func (f *findings) problems() {
	for _, p := range f.c.New.Problems {
		f.add(KindProblem, Grave, []string{p.String()}, p.String()).Places =
			[]meaning.Place{{File: p.File, Row: p.Row}}
	}
}

// reach are the network and the machine, with the hosts, and then the other builtins.
func (f *findings) reach() {
	told := map[string]bool{}
	var plain []string
	for _, b := range f.c.Builtins {
		switch {
		case b.How != Added:
		case b.Class == "network":
			title, hosts := b.Name+" is newly called", f.hostsOf(b)
			if len(hosts) > 0 {
				title += ", and reaches " + listed(hostNames(hosts), 4)
			}
			for _, h := range hosts {
				told[h] = true
			}
			f.placed(KindReach, append([]string{b.Name}, hosts...), title, b.Places)
		case b.Class == "machine":
			f.placed(KindReach, []string{b.Name}, b.Name+" is newly called, which tells about the machine", b.Places)
		case b.Class == "other":
			plain = append(plain, b.Name)
		default:
			f.placed(KindBuiltin, []string{b.Name}, b.Name+" is newly called ("+b.Class+")", b.Places)
		}
	}
	for _, h := range f.c.Hosts {
		if h.How == Added && !told[h.Host] {
			f.placed(KindReach, []string{"host", h.Host}, "requests newly reach "+hostNames([]string{h.Host})[0],
				h.Places)
		}
	}
	if len(plain) > 0 {
		f.add(KindBuiltin, Plain, plain, "newly called without reaching anything: "+listed(plain, 8))
	}
}

// placed adds a finding that wants a look, with its places.
func (f *findings) placed(kind Kind, about []string, title string, places []meaning.Place) {
	f.add(kind, Notable, about, title, by(places)...).Places = places
}

// hostsOf are the hosts that are newly reached where a builtin is called.
func (f *findings) hostsOf(b Builtin) (out []string) {
	for _, h := range f.c.Hosts {
		if h.How == Added && slices.ContainsFunc(h.Places,
			func(p meaning.Place) bool { return slices.Contains(b.Places, p) }) {
			out = append(out, h.Host)
		}
	}
	return out
}

// hostNames are hosts in words.
func hostNames(hosts []string) []string {
	out := slices.Clone(hosts)
	for i, h := range out {
		if h == meaning.Any {
			out[i] = "any host (the URL is computed)"
		}
	}
	return out
}

// members are those of the input and of data that are newly read.
func (f *findings) members() {
	for _, m := range slices.Concat(f.c.Input, f.c.Reads) {
		if m.How != Added {
			continue
		}
		title := m.Path + " is newly read"
		if len(m.Places) > 0 && m.Places[0].Rule != "" {
			title += ", by " + m.Places[0].Rule
		}
		f.placed(KindInput, []string{m.Path}, title, m.Places)
	}
}

func (f *findings) settings() {
	for _, e := range f.c.Entrypoints {
		title := "the entrypoint " + e.Path
		switch e.How {
		case Added:
			title += " is new"
		case Removed:
			title += " is gone: callers that ask it are refused"
		default:
			title += " asks for other facts about the token: " + e.New + ", was " + e.Old
		}
		f.add(KindSettings, Notable, []string{e.Path, string(e.How), e.New}, title)
	}
	for _, s := range f.c.Settings {
		f.add(KindSettings, Notable, []string{s.Key, s.New}, "the configuration has "+s.Key+" "+quoted(s.New)+
			", was "+quoted(s.Old))
	}
	if f.c.Old.EmbeddedLibrary != f.c.New.EmbeddedLibrary {
		f.add(KindSettings, Notable, []string{"library", f.c.New.EmbeddedLibrary}, "the library of the binary is "+
			cmp.Or(f.c.New.EmbeddedLibrary, "not used")+", was "+cmp.Or(f.c.Old.EmbeddedLibrary, "not used"))
	}
}

func quoted(s string) string {
	if s == "" {
		return `""`
	}
	return s
}

// checks are the new findings of check: errors and warnings each, notes together.
func (f *findings) checks() {
	notes := map[string]int{}
	for _, check := range f.c.Checks {
		switch {
		case check.How != Added:
		case check.Level == "note":
			notes[check.Code]++
		default:
			f.add(KindCheck, Notable, []string{check.Code, check.Message},
				"check finds "+check.Code+": "+check.Message).
				Places = []meaning.Place{{File: check.File, Row: check.Row}}
		}
	}
	for _, code := range sortedKeys(notes) {
		f.add(KindCheck, Plain, []string{code}, "check has "+counted(notes[code], "new note")+" of "+code)
	}
}

// less are what is no longer there.
func (f *findings) less() {
	gone := map[string][]string{}
	for _, b := range f.c.Builtins {
		if b.How == Removed {
			gone["called"] = append(gone["called"], b.Name)
		}
	}
	for _, h := range f.c.Hosts {
		if h.How == Removed {
			gone["reached"] = append(gone["reached"], hostNames([]string{h.Host})...)
		}
	}
	for _, m := range slices.Concat(f.c.Input, f.c.Reads) {
		if m.How == Removed {
			gone["read"] = append(gone["read"], m.Path)
		}
	}
	for _, verb := range sortedKeys(gone) {
		f.add(KindLess, Plain, gone[verb], "no longer "+verb+": "+listed(gone[verb], 8))
	}
	n := 0
	for _, check := range f.c.Checks {
		if check.How == Removed {
			n++
		}
	}
	if n > 0 {
		f.add(KindLess, Plain, []string{"checks"}, counted(n, "finding")+" of check "+are(n)+" gone")
	}
}
