package recorded_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/decision/recorded"
	"github.com/authz-sidecar/sidecar/internal/decisionlog"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/input"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// anyway returns what a policy cannot know beforehand: the time, random values.
const anyway = `package authz

# METADATA
# entrypoint: true
decision := {"allow": input.request.method == "GET", "reasons": [{"code": "no", "message": input.request.path}],
	"context": {"at": time.now_ns(), "n": rand.intn("n", 1000000000), "id": uuid.rfc4122("u")}}
`

// pointOf is a decision point with one policy that needs no token, and a log of its decisions.
func pointOf(t *testing.T, rego string, masks ...string) (*decision.Point, func() []byte) {
	t.Helper()
	t.Chdir(t.TempDir()) // names of directories are part of the digest
	testkit.WriteFile(t, filepath.Join("policies", "policy.rego"), rego)
	for _, m := range masks {
		testkit.WriteFile(t, filepath.Join("policies", "mask.rego"), m)
	}
	set, err := dir.Load(dir.Config{Paths: []string{"policies"}})
	if err != nil {
		t.Fatal(err)
	}
	cfg := engine.Config{Deadline: time.Minute}
	if strings.Contains(rego, "http.send") {
		cfg.AllowBuiltins = []string{"http.send"}
	}
	policy, err := engine.Compile(t.Context(), set, cfg, "authz/decision")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	log, err := decisionlog.Open(decisionlog.Config{Stdout: true, Queue: 100}, decisionlog.Deps{Stdout: &out})
	if err != nil {
		t.Fatal(err)
	}
	point := decision.New(decision.Config{Entrypoint: "authz/decision", Token: "optional"},
		&decision.Snapshot{Policy: policy}, decision.Deps{Input: input.NewRules(input.Config{}), DecisionLog: log,
			Log: (&testkit.LogBuffer{}).Logger()})
	return point, func() []byte {
		if err := log.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
}

// event decides a request by a policy, and returns what the decision log says.
func event(t *testing.T, method, url, rego string, masks ...string) *decisionlog.Event {
	t.Helper()
	point, log := pointOf(t, rego, masks...)
	point.Decide(t.Context(), authz.Query{Request: authz.Request{Method: method, URL: url}})
	e, err := decisionlog.ParseEvent(log())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func explained(t *testing.T, e *decisionlog.Event, rego string) recorded.Report {
	t.Helper()
	point, _ := pointOf(t, rego)
	r, err := recorded.Explain(t.Context(), point, e)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func says(t *testing.T, r recorded.Report, want ...string) {
	t.Helper()
	text := r.Text("./policies")
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("got\n%swant %s", text, w)
		}
	}
}

func TestTheSamePolicyAnswersTheSameInEveryMember(t *testing.T) {
	for _, method := range []string{"GET", "POST"} {
		r := explained(t, event(t, method, "/a", anyway), anyway)
		if !r.Anew.SamePolicy || !r.Anew.SameResult || len(r.Anew.Explanation.Rules) == 0 {
			t.Errorf("got %+v", r.Anew)
		}
		says(t, r, "by the policies of ./policies, which are the recorded ones: the same answer\n")
	}
}

func TestAnotherPolicyIsComparedWithWhatWasRecorded(t *testing.T) {
	e := event(t, "POST", "/orders", anyway)
	says(t, explained(t, e, strings.ReplaceAll(anyway, `"GET"`, `"POST"`)),
		"recorded  401 no: /orders  POST /orders  "+e.DecisionID+"\n",
		"by the policies of ./policies, which differ from the recorded ones (sha256:",
		"): 200 allow; recorded: 401 no: /orders\n")
	says(t, explained(t, e, anyway+"# a comment\n"), "which differ from the recorded ones (sha256:",
		"): the same answer\n")
	says(t, explained(t, e, strings.ReplaceAll(anyway, "time.now_ns()", "1")),
		"): the same answer, with other members in the result\n")
	says(t, explained(t, e, strings.ReplaceAll(anyway, `"no"`, `"never"`)), "): 401 never: /orders; recorded: 401 no")
	says(t, explained(t, e, "package authz\n\n# METADATA\n# entrypoint: true\ndecision if input.request.path != "+
		"\"/orders\"\n"),
		"): 500 misconfigured: ", "undefined")
}

func TestPoliciesOfAnotherDirectoryAreNotSaidToDiffer(t *testing.T) {
	e := event(t, "POST", "/orders", anyway)
	e.Bundles = map[string]authz.BundleRef{"/etc/policies": {}}
	e.Facts.PolicyDigest = "sha256:0"
	says(t, explained(t, e, anyway), "which have another digest, if only by the names of their directories (sha256:")
}

func TestAPolicyThatFailedIsAskedAgain(t *testing.T) {
	const failing = "package authz\n\n# METADATA\n# entrypoint: true\ndecision if input.request.path != \"/orders\"\n"
	e := event(t, "POST", "/orders", failing)
	says(t, explained(t, e, failing), "recorded  500 misconfigured: ", "the recorded ones: the same answer\n")
}

func TestServersThatAPolicyCallsAreSaidToAnswerAnew(t *testing.T) {
	calling := anyway + "\nunused if http.send({\"method\": \"GET\", \"url\": \"http://127.0.0.1:1\"}).status_code " +
		"== 200\n"
	says(t, explained(t, event(t, "GET", "/orders", calling), calling),
		"builtins  the policies may call other servers")
}

func TestWhatAMaskTookIsNamed(t *testing.T) {
	const mask = "package system.log\n\nmask contains \"/input/request/raw_path\"\n"
	e := event(t, "GET", "/orders", anyway, mask)
	says(t, explained(t, e, anyway), "missing   /input/request/raw_path: the decision log was told to leave it out")
	e = event(t, "GET", "/orders", anyway, "package system.log\n\nmask contains \"/input\"\n")
	point, _ := pointOf(t, anyway)
	r, err := recorded.Explain(t.Context(), point, e)
	if err == nil || !strings.Contains(err.Error(), "a mask erased it") || r.Anew != nil {
		t.Errorf("got %v", err)
	}
	says(t, r, "recorded  200 allow  "+e.DecisionID)
	if text := r.Text("policies"); strings.Contains(text, "no policy was asked") {
		t.Errorf("got %s", text)
	}
}

func TestAnEntrypointThatIsGoneIsNamed(t *testing.T) {
	e := event(t, "GET", "/orders", anyway)
	e.Path = "authz/former"
	point, _ := pointOf(t, anyway)
	if _, err := recorded.Explain(t.Context(), point, e); err == nil ||
		!strings.Contains(err.Error(), `no entrypoint "authz/former"`) {
		t.Errorf("got %v", err)
	}
}

func TestADecisionThatNoPolicyMadeIsExplainedByItsCause(t *testing.T) {
	e := event(t, "GET", "/a//b", anyway)
	if recorded.AskedPolicy(e) {
		t.Fatal("a policy was asked")
	}
	says(t, recorded.Of(e), "recorded  400 malformed: the path is ambiguous: it has an empty segment  "+e.DecisionID)
	because(t, e, "cause        read request: the path is ambiguous: it has an empty segment", "input.ambiguous_paths")
	for kind, want := range map[string]string{
		"unauthenticated": "docs/troubleshooting.md#the-token-is-not-accepted",
		"internal":        "search for the decision id",
		"unavailable":     "docs/troubleshooting.md#unavailable",
		"misconfigured":   "docs/troubleshooting.md#misconfigured",
	} {
		e, err := decisionlog.ParseEvent(fmt.Appendf(nil,
			`{"decision_id":"1","timestamp":"2026-11-28T12:00:00Z","custom":{"kind":%q}}`, kind))
		if err != nil || recorded.AskedPolicy(e) {
			t.Errorf("%s: a policy was asked, %v", kind, err)
		}
		because(t, e, want, "the event does not say why")
	}
}

// because asserts what the explanation of a decision that no policy made says.
func because(t *testing.T, e *decisionlog.Event, want ...string) {
	t.Helper()
	r := recorded.Of(e)
	text := r.Why().Brief("")
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("got\n%swant %s", text, w)
		}
	}
}

func TestAHostileEventCannotChangeATerminal(t *testing.T) {
	const evil = `a\u001b[2J\nb\u202e`
	e, err :=
		decisionlog.ParseEvent(
			[]byte(strings.ReplaceAll(`{"decision_id":"EVIL","timestamp":"2026-11-28T12:00:00Z","path":"EVIL",
		"requested_by":"EVIL","bundles":{"EVIL":{"revision":"EVIL"}},"erased":["/input/EVIL"],"error":{"message":"EVIL"},
		"custom":{"kind":"unauthenticated","policy_digest":"EVIL","reasons":[{"code":"EVIL","message":"EVIL"}]}}`,
				"EVIL", evil)))
	if err != nil {
		t.Fatal(err)
	}
	r := recorded.Of(e)
	text := r.Text("places") + r.Why().Brief("")
	if strings.ContainsAny(text, "\x1b\u202e") || strings.Count(text, "\n") != 7 {
		t.Errorf("got %q", text)
	}
}

func TestTheJSONFormHasBothDecisions(t *testing.T) {
	e := event(t, "POST", "/orders", anyway)
	r := explained(t, e, strings.ReplaceAll(anyway, `"GET"`, `"POST"`))
	b, err := r.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		DecisionID    string `json:"decision_id"`
		Recorded, Now struct {
			Kind    string
			Reasons []struct{ Code string }
		}
		SamePolicy  bool `json:"same_policy"`
		SameAnswer  bool `json:"same_answer"`
		Explanation struct{ Rules []any }
	}
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if got.DecisionID != e.DecisionID || got.Recorded.Kind != "deny" || got.Recorded.Reasons[0].Code != "no" ||
		got.Now.Kind != "allow" || got.SamePolicy || got.SameAnswer || len(got.Explanation.Rules) == 0 {
		t.Errorf("got %s", b)
	}
	bare := recorded.Of(e)
	if b, err := bare.JSON(); err != nil || strings.Contains(string(b), `"now"`) {
		t.Errorf("got %s, %v", b, err)
	}
}

func TestHostileValuesOfADocumentCannotChangeATerminal(t *testing.T) {
	const picky = "package authz\n\n# METADATA\n# entrypoint: true\ndefault decision := false\n\n" +
		"decision if input.request.path == \"/admin\"\n"
	e := event(t, "GET", "/orders", picky)
	e.Input = bytes.ReplaceAll(e.Input, []byte(`"/orders"`), []byte(`"/\u202e\u001b[2J\u009b\n"`))
	r := explained(t, e, picky)
	text := r.Text("policies") + r.Why().Whole() + r.Why().Brief("")
	if !strings.Contains(text, "input.request.path") || strings.ContainsAny(text, "\x1b\u202e\u009b") {
		t.Errorf("got %q", text)
	}
}

func TestTheEventOfAnotherProgramIsComparedByItsResult(t *testing.T) {
	e := event(t, "GET", "/orders", anyway)
	e.Facts = decisionlog.Facts{}
	says(t, explained(t, e, anyway), `recorded  result {"allow":true,`, "; the event does not say which decided then): the same answer\n")
	e.Result = []byte("false")
	says(t, explained(t, e, anyway), "recorded  result false  GET /orders  "+e.DecisionID,
		"): 200 allow; recorded: result false\n")
}
