package upstreamtoken_test

import (
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/telemetry"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/upstreamtoken"
)

func TestAllowsAreCountedByHowTheyGotTheirIdentity(t *testing.T) {
	shown := testkit.NewRegistry()
	i, err := upstreamtoken.Open(config(t, ed(t)), upstreamtoken.Deps{Metrics: shown})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for _, claims := range []string{`{"sub":"a"}`, `{"sub":"a"}`, `{"sub":"b"}`, `{"exp":1}`, `{}`} {
		_, _, _ = i.Headers(nil, []byte(claims), 0, now)
	}
	_, _, _ = i.Headers(nil, nil, 0, now)
	_, _, _ = i.Headers([]authz.Header{{Name: "X-Identity-Token", Values: []string{"x"}}}, nil, 0, now)
	s := i.Status()
	for outcome, c := range map[string]struct{ got, want uint64 }{
		"signed": {s.Signed, 3}, "reused": {s.Reused, 1}, "none": {s.None, 1}, "failed": {s.Failed, 2},
	} {
		name := `sidecar_token_identities_total{outcome="` + outcome + `"}`
		if counted := shown.Value(t, name); c.got != c.want || counted != float64(c.want) {
			t.Errorf("%s: the status has %d, the metric %v, want %d", outcome, c.got, counted, c.want)
		}
	}
}

func TestTheStatusSaysWhySinceWhenAndUntilWhenKeysCannotBeUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, shown, log := config(t, ed(t)), testkit.NewRegistry(), &testkit.LogBuffer{}
		good := testkit.ReadFile(t, c.KeyFiles[0])
		i, err := upstreamtoken.Open(c, upstreamtoken.Deps{Metrics: shown,
			Log: telemetry.NewLogger(telemetry.LogConfig{}, log)})
		if err != nil {
			t.Fatal(err)
		}
		kid := i.Status().KeyID
		failing := func(want bool, why string) {
			t.Helper()
			time.Sleep(2 * time.Second)
			value, s := shown.Value(t, "sidecar_token_identity_keys_failing"), i.Status()
			if (value == 1) != want || s.Healthy == want || s.KeyID != kid || len(s.Published) != 1 ||
				want && !strings.Contains(s.Faults[0].Cause, why) {
				t.Errorf("the metric is %v, the status %+v", value, s)
			}
			issue(t, i, `{"sub":"a"}`, 0, time.Now())
		}
		failing(false, "")
		testkit.WriteFile(t, c.KeyFiles[0], "no key")
		failing(true, "upstream_token.key_files[0]: ")
		since := i.Status().Faults[0].Since
		if err := os.Remove(c.KeyFiles[0]); err != nil {
			t.Fatal(err)
		}
		failing(true, "read file")
		if again := i.Status().Faults[0].Since; !again.Equal(since) {
			t.Errorf("failing since %v, before %v", again, since)
		}
		testkit.WriteFile(t, c.KeyFiles[0], good)
		failing(false, "")
		if i = nil; i.Status() != nil {
			t.Error("without keys there is a status")
		}
	})
}
