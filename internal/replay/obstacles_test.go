package replay_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/replay"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// small loads one policy, with more files beside it, by name.
func small(t testing.TB, rego string, more ...string) replay.Side {
	t.Helper()
	root := filepath.Join(t.TempDir(), "policies")
	testkit.WriteFile(t, filepath.Join(root, "policy.rego"), rego)
	for i := 0; i < len(more); i += 2 {
		testkit.WriteFile(t, filepath.Join(root, more[i]), more[i+1])
	}
	return load(t, root, "http.send")
}

const (
	// byScope allows who may read orders.
	byScope = `package authz

# METADATA
# entrypoint: true
default decision := {"allow": false, "reasons": [{"code": "insufficient_scope"}]}

decision := {"allow": true} if "orders:read" in input.token.scopes
`
	bySubject = `package authz

# METADATA
# entrypoint: true
default decision := {"allow": false, "reasons": [{"code": "stranger"}]}

decision := {"allow": true} if input.token.subject.id == "u1"
`
)

// masking takes members out of the log.
func masking(pointers string) string {
	return "package system.log\n\nmask contains pointer if some pointer in " + pointers + "\n"
}

// obstacle replays a log and returns the one class of what could not be replayed.
func obstacle(t *testing.T, r *replay.Report) replay.Obstacle {
	t.Helper()
	if len(r.NotReplayable) != 1 {
		t.Fatalf("not replayable: %+v, totals %+v", r.NotReplayable, r.Totals)
	}
	return r.NotReplayable[0]
}

func TestAMaskedMemberThatThePoliciesReadIsNamed(t *testing.T) {
	by := small(t, bySubject, "mask.rego", masking(`{"/input/token/subject/id", "/input/token/claims"}`))
	log := record(t, by, "authz/decision", workload(50))
	o := obstacle(t, replayed(t, log, replay.Options{Candidate: by}))
	if o.Class != replay.MaskedInput || len(o.Details) != 1 || o.Details[0].Name != "/input/token/subject/id" ||
		o.Details[0].Count != o.Count || o.Count < 20 || o.Example.DecisionID == "" {
		t.Errorf("%+v", o)
	}
}

func TestAMaskedMemberThatThePoliciesCannotReadIsNoObstacle(t *testing.T) {
	by := small(t, byScope, "mask.rego", masking(`{"/input/token/subject/id", "/input/token/claims"}`))
	log := record(t, by, "authz/decision", workload(50))
	r := replayed(t, log, replay.Options{Candidate: by})
	if len(r.NotReplayable) != 0 || r.Changes.Unchanged < 20 || r.Changes.Changed() != 0 {
		t.Errorf("%+v %+v", r.NotReplayable, r.Changes)
	}
	other := replayed(t, log, replay.Options{Candidate: small(t, bySubject)})
	if o := obstacle(t, other); o.Class != replay.MaskedInput || other.Totals.Replayed != 0 {
		t.Errorf("%+v", o)
	}
}

func TestTheSchemeOfATokenIsAlwaysRead(t *testing.T) {
	by := small(t, byScope, "mask.rego", masking(`{"/input/token/scheme"}`))
	log := record(t, by, "authz/decision", workload(20))
	if o := obstacle(t, replayed(t, log, replay.Options{Candidate: by})); o.Class != replay.MaskedInput {
		t.Errorf("a refusal without token is a 401, with one a 403: %+v", o)
	}
}

func TestAMaskedResultIsComparedInItsOtherMembers(t *testing.T) {
	rego := func(code, context string) string {
		return `package authz

# METADATA
# entrypoint: true
decision := {"allow": false, "reasons": [{"code": "` + code + `"}], "context": ` + context + `}
`
	}
	by := small(t, rego("no", `{"secret": 1, "list": [1, 2]}`), "mask.rego",
		masking(`{"/result/context/secret", "/result/context/list/0"}`))
	log := record(t, by, "authz/decision", workload(20))
	for name, is := range map[string]struct {
		rego    string
		changed bool
	}{
		"the same":              {rego("no", `{"secret": 1, "list": [1, 2]}`), false},
		"a masked member":       {rego("no", `{"secret": 2, "list": [3, 2]}`), false},
		"a member beside it":    {rego("no", `{"secret": 1, "list": [1, 4]}`), true},
		"a member more":         {rego("no", `{"secret": 1, "list": [1, 2], "x": 1}`), true},
		"the code of a refusal": {rego("never", `{"secret": 1, "list": [1, 2]}`), true},
	} {
		r := replayed(t, log, replay.Options{Candidate: small(t, is.rego)})
		if r.Totals.Replayed < 10 || (r.Changes.AnswerChanged == r.Totals.Replayed) != is.changed ||
			(r.Changes.Unchanged == r.Totals.Replayed) == is.changed || len(r.Notes) != 1 {
			t.Errorf("%s: %+v, notes %q", name, r.Changes, r.Notes)
		}
	}
}

func TestEventsThatAreNoDecisionByTheDocumentAreNotReplayed(t *testing.T) {
	by := small(t, byScope)
	line := string(record(t, by, "authz/decision", []call{{method: "GET", path: "/", token: true, at: begun}}))
	typed := strings.Replace(line, `"custom":{`, `"custom":{"type":"open-policy-agent/compile",`, 1)
	r := replayed(t, []byte(line+typed), replay.Options{Candidate: by})
	if r.Totals.Replayed != 1 || r.Totals.NotReplayable != 0 || r.Totals.NotDecided != 1 {
		t.Errorf("%+v", r.Totals)
	}
}

func TestEventsThatCannotBeReplayedSayWhy(t *testing.T) {
	by := small(t, byScope)
	line :=
		strings.TrimSpace(string(record(t, by, "authz/decision",
			[]call{{method: "GET", path: "/", token: true, at: begun}})))
	for name, is := range map[string]struct {
		old, new string
		want     replay.ObstacleClass
		detail   string
	}{
		"another version": {`"input":{"version":1,`, `"input":{"version":2,`, replay.OtherInput, "it has version 2"},
		"an unknown member": {`"input":{"version":1,`, `"input":{"version":1,"mood":"good",`, replay.OtherInput,
			"mood"},
		"no input": {`"input":{"version":1,`,
			`"custom":{"kind":"deny","status":403,"mask_error":"no"},"x":{"version":1,`,
			replay.NoInput, "no"},
		"a deadline then": {`"custom":{`, `"error":{"message":"evaluate data.authz.decision: not done after 500ms, ` +
			`the deadline of one evaluation"},"custom":{`, replay.Deadline, "then"},
		"an entrypoint that is gone": {`"path":"authz/decision"`, `"path":"authz/older"`, replay.EntrypointGone,
			"authz/older"},
	} {
		if !strings.Contains(line, is.old) {
			t.Fatalf("%s: %s", name, line)
		}
		log := strings.Replace(line, is.old, is.new, 1)
		if name == "no input" {
			log = log[:strings.LastIndex(log, `,"custom":`)] + "}"
		}
		o := obstacle(t, replayed(t, []byte(log), replay.Options{Candidate: by}))
		if o.Class != is.want || len(o.Details) != 1 || !strings.Contains(o.Details[0].Name, is.detail) ||
			o.Text == "" {
			t.Errorf("%s: %+v", name, o)
		}
	}
}

func TestAReplayNeverAsksTheNetwork(t *testing.T) {
	var calls atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		_, _ = w.Write([]byte(`{"ok": true}`))
	}))
	t.Cleanup(server.Close)
	by := small(t, `package authz

# METADATA
# entrypoint: true
default decision := {"allow": false}

decision := {"allow": true} if input.request.method == "DELETE"

decision := {"allow": true} if {
	input.request.method == "GET"
	http.send({"method": "GET", "url": "`+server.URL+`", "raise_error": false}).body.ok
}
`)
	log := record(t, by, "authz/decision", workload(50))
	before := calls.Load()
	r := replayed(t, log, replay.Options{Candidate: by, Baseline: by})
	o := obstacle(t, r)
	if o.Class != replay.Network || o.Details[0].Name != "http.send" || r.Changes.Unchanged < 10 ||
		r.Changes.Changed() > 0 {
		t.Errorf("%+v %+v", o, r.Changes)
	}
	if before == 0 || calls.Load() != before {
		t.Errorf("%d calls before, %d now", before, calls.Load())
	}
}

// TestACandidateThatAsksTheNetworkMayAllow: it must not escape the limit on wider decisions.
func TestACandidateThatAsksTheNetworkMayAllow(t *testing.T) {
	const denies = "package authz\n\n# METADATA\n# entrypoint: true\ndecision := {\"allow\": false}"
	by := small(t, denies+"\n")
	asks := small(t, denies+" if {\n\tnot http.send({\"method\": \"GET\", \"url\": \"http://127.0.0.1:1\"}).ok\n} else := "+
		"{\"allow\": true}\n")
	log := record(t, by, "authz/decision", workload(50))
	limits := replay.Limits{DenyToAllow: &replay.Limit{}, Empty: replay.EmptyPasses}
	r := replayed(t, log, replay.Options{Candidate: asks, Baseline: by, Limits: limits})
	if r.Passed || r.Totals.MayAllow != r.Totals.NotReplayable || r.Compared() != r.Totals.NotReplayable ||
		r.Totals.MayAllow == 0 {
		t.Errorf("passed %v, %+v", r.Passed, r.Totals)
	}
	if r := replayed(t, log, replay.Options{Candidate: asks, Baseline: asks, Limits: limits}); !r.Passed {
		t.Errorf("what asked the network before is refused: %+v", r.Checks)
	}
}

func TestWhatReadsTheClockOfTheMachineIsNotReplayed(t *testing.T) {
	by := small(t, `package authz

# METADATA
# entrypoint: true
decision := {"allow": false} if {
	crypto.x509.parse_and_verify_certificates("x")[0]
} else := {"allow": true}
`)
	log := record(t, by, "authz/decision", workload(10))
	if o := obstacle(t, replayed(t, log, replay.Options{Candidate: by})); o.Class != replay.Machine {
		t.Errorf("%+v", o)
	}
}

func TestAnInterruptedReplayReportsWhatItDid(t *testing.T) {
	by := small(t, byScope)
	ctx, cancel := context.WithCancel(t.Context())
	log := record(t, by, "authz/decision", workload(3000))
	events, err := replay.Open([]string{"-"}, strings.NewReader(string(log)))
	if err != nil {
		t.Fatal(err)
	}
	r, err := replay.Run(ctx, events, replay.Options{Candidate: by, Workers: 1, Progress: func(p replay.Progress) {
		if p.Decisions >= 512 {
			cancel()
		}
	}})
	if err != nil || r.Partial != "interrupted" || r.Totals.Events >= 3000 {
		t.Errorf("%v, partial %q after %+v", err, r.Partial, r.Totals)
	}
}
