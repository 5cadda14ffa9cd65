package gate

import (
	"slices"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/replay"
)

func TestWhatNoGateCouldDoIsAFault(t *testing.T) {
	cfg := conf.Default[Config]()
	cfg.Tests.Paths = []string{t.TempDir(), "nowhere"}
	cfg.Replay.MaxAllowToDeny, cfg.Replay.MaxErrors = "120%", "few"
	cfg.Replay.Last = 10
	var keys []string
	conf.Check(cfg, func(key, _, _ string) { keys = append(keys, key) })
	slices.Sort(keys)
	want := []string{"replay.max_allow_to_deny", "replay.max_errors", "replay.min_decisions", "tests.paths[1]"}
	if !slices.Equal(keys, want) {
		t.Errorf("faults at %q", keys)
	}
}

func TestLimitsAreThoseOfTheConfiguration(t *testing.T) {
	got, err := Replay{MaxDenyToAllow: "0", MaxAllowToDeny: "0.5%", MaxErrors: "3", MaxNotReplayable: "none"}.Limits()
	half := replay.Limit{Percent: true, Value: 0.5}
	if err != nil || *got.DenyToAllow != (replay.Limit{}) || *got.AllowToDeny != half || got.Errors.Value != 3 ||
		got.NotReplayable != nil {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestSettingsOfAGateThatIsOffAreDoubted(t *testing.T) {
	var keys []string
	c := Config{
		Capabilities: Capabilities{Mode: Off, Allow: []string{"api.example.com"}},
		Tests:        Tests{Mode: Off, Paths: []string{"policy_test"}, MinCoverage: 90},
	}
	doubt := func(key, _, _ string) { keys = append(keys, key) }
	c.Doubts(doubt)
	c.Capabilities.Mode, c.Tests.Mode = Refuse, Warn
	c.Doubts(doubt)
	if want := "capabilities.allow tests.paths tests.min_coverage"; strings.Join(keys, " ") != want {
		t.Errorf("doubted %v, want %s", keys, want)
	}
}
