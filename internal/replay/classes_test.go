package replay_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/decisionlog"
	"github.com/authz-sidecar/sidecar/internal/input"
	"github.com/authz-sidecar/sidecar/internal/replay"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// policyOf is a policy whose decision is a term.
func policyOf(term string) string {
	return "package authz\n\n# METADATA\n# entrypoint: true\ndecision := " + term + "\n"
}

const failing = `{"allow": to_number(input.request.raw_path) == 1}`

func TestEachChangeHasItsClass(t *testing.T) {
	allow, deny := `{"allow": true}`, `{"allow": false, "reasons": [{"code": "no"}]}`
	calls := []call{{method: "GET", path: "/x", token: true, at: begun}}
	for name, is := range map[string]struct {
		was, now string
		want     replay.Class
		differs  string
	}{
		"a wider policy":    {deny, allow, replay.DenyToAllow, "kind status reasons allow"},
		"a narrower policy": {allow, deny, replay.AllowToDeny, "kind status reasons allow"},
		"a builtin error":   {allow, sometimes(failing), replay.ToError, "kind status reasons result"},
		"a repaired policy": {sometimes(failing), deny, replay.FromError, "kind status reasons result"},
		"another reason": {deny, `{"allow": false, "reasons": [{"code": "never"}]}`, replay.AnswerChanged,
			"reasons"},
		"another message": {deny, `{"allow": false, "reasons": [{"code": "no", "message": "not you"}]}`,
			replay.AnswerChanged, "reasons"},
		"another status": {deny, `{"allow": false, "status": 404, "reasons": [{"code": "no"}]}`, replay.AnswerChanged,
			"status"},
		"an obligation more": {allow, `{"allow": true, "obligations": [{"type": "mask"}]}`, replay.AnswerChanged,
			"obligations"},
		"another upstream header": {`{"allow": true, "upstream_headers": {"X-A": "1"}}`,
			`{"allow": true, "upstream_headers": {"X-A": "2"}}`, replay.AnswerChanged, "upstream_headers"},
		"a boolean for an object": {allow, `true`, replay.AnswerChanged, "result"},
		"the same in other words": {deny, `object.union({"allow": false}, {"reasons": {{"code": "no"}}})`,
			replay.Unchanged, ""},
		"the same error": {sometimes(failing), sometimes(failing), replay.Unchanged, ""},
	} {
		log := record(t, small(t, policyOf(is.was)), "authz/decision", calls)
		for mode, baseline := range map[string]replay.Side{"log": {}, "baseline": small(t, policyOf(is.was))} {
			r := replayed(t, log, replay.Options{Candidate: small(t, policyOf(is.now)), Baseline: baseline})
			if r.Changes.Of(is.want) != 1 {
				t.Errorf("%s, against the %s: %+v, examples %+v", name, mode, r.Changes, r.Examples)
				continue
			}
			if is.want == replay.Unchanged {
				continue
			}
			if differs := strings.Join(r.Examples[0].Differs, " "); differs != is.differs {
				t.Errorf("%s, against the %s: differs in %q, want %q", name, mode, differs, is.differs)
			}
		}
	}
}

// sometimes is term for requests, and an allow for those with which policies are tried when they load.
func sometimes(term string) string {
	return "{\"allow\": true} if {\n\tstartswith(input.request.path, \"/orders\")\n} else := {\"allow\": true} if {\n" +
		"\tinput.request.path == \"/\"\n} else := " + term
}

func TestABaselineTellsChangesFromWhatOtherPoliciesDecided(t *testing.T) {
	old, calls := small(t, policyOf(`{"allow": false}`)), workload(100)
	log := record(t, old, "authz/decision", calls)
	present, next := small(t, policyOf(`{"allow": true}`)), small(t, policyOf(`{"allow": true, "context": {"a": 1}}`))
	byLog := replayed(t, log, replay.Options{Candidate: next})
	if byLog.Changes.DenyToAllow != byLog.Totals.Replayed || byLog.Totals.Replayed == 0 {
		t.Errorf("against the log: %+v", byLog.Changes)
	}
	r := replayed(t, log, replay.Options{Candidate: next, Baseline: present})
	if r.Changes.AnswerChanged != r.Totals.Replayed || r.Baseline.Digest != present.Policy.Digest() ||
		len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "otherwise than the log says") {
		t.Errorf("against the baseline: %+v, notes %q", r.Changes, r.Notes)
	}
	if e := r.Examples[0]; e.WasBy == nil || e.NowBy == nil || e.WasBy.File == e.NowBy.File {
		t.Errorf("the rules of both: %+v", e)
	}
}

func TestDecisionsInMemoryAreReplayedAsThoseOfALog(t *testing.T) {
	by := side(t, same)
	kept := &keeper{}
	now := begun
	calls := workload(300)
	point := decision.New(decision.Config{Entrypoint: "shop/decision", Token: "required"},
		&decision.Snapshot{Policy: by.Policy, Introspector: answers(calls)},
		decision.Deps{Input: input.NewRules(input.Config{Headers: []string{"x-tenant", "x-agent"}}), Observer: kept,
			Log: (&testkit.LogBuffer{}).Logger(), Now: func() time.Time { return now }})
	for i, c := range calls {
		now = c.at
		point.Decide(t.Context(), c.query(i))
	}
	r, err := replay.Run(t.Context(), replay.Records(kept.records), replay.Options{Candidate: by})
	if err != nil {
		t.Fatal(err)
	}
	if r.Totals.Events != 300 || r.Changes.Unchanged < 200 || r.Changes.Changed() > 0 || r.Totals.NotReplayable > 0 {
		t.Errorf("%+v %+v", r.Totals, r.Changes)
	}
	wider := side(t, func(_, text string) string { return strings.ReplaceAll(text, "[orders:read]", "[]") })
	o := replay.Options{Candidate: wider, Explain: -1}
	if r, err = replay.Run(t.Context(), replay.Records(kept.records), o); err != nil {
		t.Fatal(err)
	}
	want := replayed(t, record(t, by, "shop/decision", calls), o)
	if r.Changes != want.Changes || r.Changes.DenyToAllow == 0 {
		t.Errorf("%+v, by the log %+v", r.Changes, want.Changes)
	}
}

// keeper keeps the records of decisions.
type keeper struct{ records []*decisionlog.Record }

func (k *keeper) Observe(o decision.Observed) { k.records = append(k.records, o.Record) }

func TestEventsOfOtherProgramsAreComparedByTheirResult(t *testing.T) {
	by := small(t, byScope)
	log := string(record(t, by, "authz/decision", workload(40)))
	var foreign []string
	for line := range strings.Lines(log) {
		if strings.Contains(line, `"input":`) {
			foreign = append(foreign, line[:strings.LastIndex(line, `,"custom":`)]+"}")
		}
	}
	r := replayed(t, []byte(strings.Join(foreign, "\n")), replay.Options{Candidate: by})
	if r.Changes.Unchanged != len(foreign) || len(foreign) < 20 {
		t.Errorf("%+v of %d", r.Changes, len(foreign))
	}
	r = replayed(t, []byte(strings.Join(foreign, "\n")),
		replay.Options{Candidate: small(t, policyOf(`{"allow": true}`))})
	if r.Changes.DenyToAllow < 5 || r.Changes.DenyToAllow+r.Changes.Unchanged != len(foreign) {
		t.Errorf("%+v of %d", r.Changes, len(foreign))
	}
}

func TestChangesAreCountedByWhatTheyAreAbout(t *testing.T) {
	wider := side(t, func(_, text string) string { return strings.ReplaceAll(text, "[orders:read]", "[]") })
	log := record(t, side(t, same), "authz/decision", workload(500))
	r := replayed(t, log, replay.Options{Candidate: wider, Explain: 20})
	names := func(of replay.Table) (out []string) {
		for _, row := range of.Rows {
			out = append(out, row.Name)
		}
		slices.Sort(out)
		return out
	}
	for name, is := range map[string]struct {
		of   replay.Table
		want []string
	}{
		"routes":      {r.By.Routes, []string{"list_orders", "read_order"}},
		"clients":     {r.By.Clients, []string{"batch", "mobile", "web"}},
		"tenants":     {r.By.Tenants, []string{"acme", "globex"}},
		"scopes":      {r.By.Scopes, []string{"orders:write", "profile"}},
		"reasons":     {r.By.Reasons, []string{"-insufficient_scope"}},
		"entrypoints": {r.By.Entrypoints, []string{"authz/decision"}},
	} {
		if got := names(is.of); !slices.Equal(got, is.want) {
			t.Errorf("%s: %q, want %q", name, got, is.want)
		}
	}
	if rows := r.By.Routes.Rows; rows[0].Counts.DenyToAllow < rows[1].Counts.DenyToAllow ||
		rows[0].Decisions <= rows[0].Counts.Changed() {
		t.Errorf("the gravest row is not first, or has no decisions that stay: %+v", rows)
	}
	rules := r.By.Rules
	if rules.Explained == 0 || rules.Changed != r.Changes.Changed() ||
		!strings.HasSuffix(rules.Rows[0].File, "authz/decision.rego") ||
		rules.Rows[0].Rule.Rule != "data.authz.decision" {
		t.Errorf("rules: %+v", rules)
	}
	if e := r.Examples[0]; e.Class != replay.DenyToAllow || e.NowBy == nil || e.Why == "" || e.Client == "" {
		t.Errorf("example: %+v", e)
	}
}
