package replay

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// tally adds outcomes up, in the order of the log, so that the same log gives the same report.
type tally struct {
	o *Options

	logs        []Log
	totals      Totals
	changes     Counts
	first, last time.Time
	obstacles   map[ObstacleClass]*Obstacle
	details     map[ObstacleClass]*names
	kinds       *names
	asked       map[string]int
	recorded    map[string]*RecordedPolicy

	entrypoints, routes, clients, tenants, scopes, reasons *table
	flips, answers                                         *groups

	otherwise, unlogged int
}

func newTally(o *Options) *tally {
	return &tally{
		o: o, obstacles: map[ObstacleClass]*Obstacle{}, details: map[ObstacleClass]*names{}, kinds: &names{},
		asked: map[string]int{}, recorded: map[string]*RecordedPolicy{},
		entrypoints: newTable(), routes: newTable(), clients: newTable(), tenants: newTable(), scopes: newTable(),
		reasons: newTable(),
		flips:   newGroups(max(maxKeptOfGroup, o.Examples), 4*max(o.Explain, o.Examples)),
		answers: newGroups(followedOfGroup, maxFollowed),
	}
}

// add adds one outcome.
func (t *tally) add(o *outcome) {
	if o.skipped {
		return
	}
	log := t.log(o.log)
	log.Lines = max(log.Lines, o.number)
	if o.bad != nil {
		t.totals.BadLines++
		if log.FirstBad == "" {
			log.FirstBad = "line " + itoa(o.number) + ": " + o.bad.Error()
		}
		return
	}
	log.Events++
	t.totals.Events++
	if o.outside {
		t.totals.Outside++
		return
	}
	if t.first.IsZero() || o.time.Before(t.first) {
		t.first = o.time
	}
	if o.time.After(t.last) {
		t.last = o.time
	}
	switch {
	case !o.asked:
		t.totals.NotDecided++
		t.kinds.add(o.was.Kind)
	case o.obstacle != "":
		t.blocked(o)
	default:
		t.replayed(o)
	}
}

// log is what is known of a log.
func (t *tally) log(name string) *Log {
	if n := len(t.logs); n > 0 && t.logs[n-1].Name == name { // one log after another
		return &t.logs[n-1]
	}
	if i := slices.IndexFunc(t.logs, func(l Log) bool { return l.Name == name }); i >= 0 {
		return &t.logs[i]
	}
	t.logs = append(t.logs, Log{Name: name})
	return &t.logs[len(t.logs)-1]
}

func (t *tally) blocked(o *outcome) {
	t.totals.NotReplayable++
	if o.mayAllow {
		t.totals.MayAllow++
	}
	class := t.obstacles[o.obstacle]
	if class == nil {
		class = &Obstacle{Class: o.obstacle, Text: o.obstacle.text(), Example: o.reference()}
		t.obstacles[o.obstacle], t.details[o.obstacle] = class, &names{}
	}
	class.Count++
	for _, d := range o.details {
		t.details[o.obstacle].add(d)
	}
}

func (t *tally) replayed(o *outcome) {
	t.totals.Replayed++
	*t.changes.of(o.class)++
	t.asked[o.entrypoint]++
	t.policy(o)
	for count, is := range map[*int]bool{&t.otherwise: o.otherwise, &t.unlogged: o.unlogged} {
		if is {
			*count++
		}
	}
	t.entrypoints.add(o.entrypoint, o.class)
	t.routes.add(o.route, o.class)
	t.clients.add(o.doc.Token.ClientID, o.class)
	t.tenants.add(o.doc.Token.Tenant, o.class)
	for _, s := range o.doc.Token.Scopes {
		t.scopes.add(s, o.class)
	}
	t.answers.add(o, strings.Join([]string{o.entrypoint, o.route, o.now.Kind, codes(o.now.Reasons)}, "\x00"))
	if o.class == Unchanged {
		return
	}
	for _, code := range codesOnlyIn(o.was.Reasons, o.now.Reasons) {
		t.reasons.add("-"+code, o.class)
	}
	for _, code := range codesOnlyIn(o.now.Reasons, o.was.Reasons) {
		t.reasons.add("+"+code, o.class)
	}
	t.flips.add(o, strings.Join([]string{string(o.class), o.entrypoint, o.route, codes(o.was.Reasons),
		codes(o.now.Reasons), strings.Join(o.differs, " ")}, "\x00"))
}

// maxPolicies bounds the policies that are told apart.
const maxPolicies = 1000

func (t *tally) policy(o *outcome) {
	p := t.recorded[o.digest]
	if p == nil {
		if len(t.recorded) >= maxPolicies {
			return
		}
		p = &RecordedPolicy{Digest: o.digest, Revisions: o.revisions,
			Candidate: o.digest != "" && o.digest == t.o.Candidate.Policy.Digest()}
		t.recorded[o.digest] = p
	}
	p.Decisions++
}

// codesOnlyIn are the codes of reasons that others do not have, each once.
func codesOnlyIn(reasons, others []Reason) (out []string) {
	for _, r := range reasons {
		if !slices.ContainsFunc(others, func(o Reason) bool { return o.Code == r.Code }) &&
			!slices.Contains(out, r.Code) {
			out = append(out, r.Code)
		}
	}
	return out
}

// names counts names, so many at most.
type names struct {
	counts map[string]int
}

const (
	maxNames = 10000
	// further is the name of those that are over.
	further = "(further)"
)

func (n *names) add(name string) {
	name = clipped(name)
	if n.counts == nil {
		n.counts = map[string]int{}
	}
	if _, known := n.counts[name]; !known && len(n.counts) >= maxNames {
		name = further
	}
	n.counts[name]++
}

// clipped bounds a name: clients choose theirs.
func clipped(name string) string {
	const most = 300
	if len(name) > most {
		return strings.ToValidUTF8(name[:most], "") + "..."
	}
	return name
}

// sorted are the counts, the most frequent first, so many at most.
func (n *names) sorted(most int) []Count {
	out := []Count{}
	for name, count := range n.counts {
		out = append(out, Count{name, count})
	}
	slices.SortFunc(out, func(a, b Count) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Name, b.Name))
	})
	return out[:min(len(out), most)]
}

// table counts decisions by a name and their class.
type table struct{ rows map[string]*Row }

func newTable() *table { return &table{map[string]*Row{}} }

func (t *table) add(name string, class Class) {
	name = clipped(name)
	row := t.rows[name]
	if row == nil {
		if len(t.rows) >= maxNames {
			name = further
		}
		if row = t.rows[name]; row == nil {
			row = &Row{Name: name}
			t.rows[name] = row
		}
	}
	row.Decisions++
	*row.Counts.of(class)++
}

// maxRows bounds the rows of a Table.
const maxRows = 200

// sorted are the rows with changes, the gravest first.
func (t *table) sorted() Table {
	out := Table{Rows: []Row{}}
	for _, row := range t.rows {
		if row.Counts.Changed() > 0 {
			out.Rows = append(out.Rows, *row)
		}
	}
	slices.SortFunc(out.Rows, func(a, b Row) int {
		return cmp.Or(a.Counts.compare(&b.Counts), strings.Compare(a.Name, b.Name))
	})
	if len(out.Rows) > maxRows {
		for _, row := range out.Rows[maxRows:] {
			out.Left += row.Counts.Changed()
		}
		out.LeftRows = len(out.Rows) - maxRows
		out.Rows = out.Rows[:maxRows]
	}
	return out
}

// compare orders counts: more decisions of a graver class come first.
func (c *Counts) compare(other *Counts) int {
	for _, class := range Classes[:len(Classes)-1] {
		if n := cmp.Compare(other.Of(class), c.Of(class)); n != 0 {
			return n
		}
	}
	return 0
}
