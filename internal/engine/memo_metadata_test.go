package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// withMemo is a policy whose decision has a custom.memo.
func withMemo(memo, rego string) map[string]string {
	return map[string]string{"policies/authz.rego": "package authz\n\n# METADATA\n# entrypoint: true\n# custom:\n#   memo: " +
		memo + "\ndefault decision := false\n\n" + rego}
}

func TestMetadataSwitchTheMemoryOfAnEntrypointOff(t *testing.T) {
	for _, memo := range []string{"off", `"off"`} {
		p, err := compiled(t, remembering(), withMemo(memo, `decision if input.request.method == "GET"`))
		if err != nil {
			t.Fatal(err)
		}
		if rememberedFor(t, p, question("")) {
			t.Errorf("%s: remembered", memo)
		}
	}
}

// TestATimeOfWholeSecondsIsRemembered asks through two seconds, in steps.
func TestATimeOfWholeSecondsIsRemembered(t *testing.T) {
	p, err := compiled(t, remembering(), withMemo("{time: 1s}",
		`decision := {"allow": true, "context": {"now": time.now_ns()}} if input.request.method == "GET"`))
	if err != nil {
		t.Fatal(err)
	}
	for step := range 20 {
		q := question("")
		q.Time = start.Add(time.Duration(step) * 100 * time.Millisecond)
		want := fmt.Sprint(q.Time.Truncate(time.Second).UnixNano())
		if got := resultJSON(t, answered(t, p, q)); !strings.Contains(got, want) {
			t.Errorf("step %d: %s, want %s", step, got, want)
		}
	}
	if n := p.memory.hits.Load(); n != 16 {
		t.Errorf("%d hits, want 8 in each second", n)
	}
	_, why, err := p.Explain(t.Context(), question(""))
	if err != nil || why.Document == nil {
		t.Error(err)
	}
}

func TestOtherBuiltinsVaryBesideATime(t *testing.T) {
	p, err := compiled(t, remembering(), withMemo("{time: 1s}",
		`decision if { time.now_ns() > 0; rand.intn("a", 9) < 10 }`))
	if err != nil {
		t.Fatal(err)
	}
	if rememberedFor(t, p, question("")) {
		t.Error("remembered")
	}
}

func TestMalformedMemoMetadataIsAProblemAtItsPlace(t *testing.T) {
	const at = "policies/authz.rego:3:1: metadata_error: custom.memo of data.authz.decision "
	for memo, want := range map[string]string{
		"on": `is neither "off" nor an object with time`, "false": `is neither "off" nor an object with time`,
		"{}":            `is neither "off" nor an object with time`,
		"{quantum: 1s}": `is neither "off" nor an object with time`,
		"{time: 1}":     `is neither "off" nor an object with time`,
		"{time: 2m}":    "has a time that is not a duration with a unit, from 1ms to 1m",
		"{time: 0s}":    "has a time that is not a duration with a unit, from 1ms to 1m",
		"{time: soon}":  "has a time that is not a duration with a unit, from 1ms to 1m",
	} {
		refused(t, patient, withMemo(memo, ""), at+want)
	}
	refused(t, patient, map[string]string{"policies/authz.rego": "package authz\n\ndefault decision := false\n\n" +
		"# METADATA\n# custom: {memo: off}\nother if input.token.active\n\ndecision if other\n"},
		"policies/authz.rego:5:1: metadata_error: custom.memo of data.authz.other has no effect: write it on an entrypoint")
}
