package telemetry_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/telemetry"
)

// turning are characters that make a terminal show something else than what is written.
const turning = "\u007f\u0080\u009b\u009f\u061c\u200e\u200f\u202a\u202e\u2066\u2069"

func TestNoLogTurnsATerminal(t *testing.T) {
	for _, format := range []string{"json", "text"} {
		var said strings.Builder
		log := telemetry.NewLogger(telemetry.LogConfig{Format: format}, &said)
		log.Info("a "+turning, slog.String("agent", "b "+turning+" é 日本語 \U0001f600"), slog.Any("error", io.EOF))
		if strings.ContainsAny(said.String(), turning) || !strings.Contains(said.String(), "日本語") && format == "json" {
			t.Errorf("%s: %q", format, said.String())
		}
	}
}

func TestVisibleJSONIsTheSameJSON(t *testing.T) {
	for _, s := range []string{"", "plain", "é 日本語 \U0001f600", turning, "a" + turning + "é",
		"\u00a0\u2028\u2065\u206a"} {
		in, err := json.Marshal(map[string]string{s: s})
		if err != nil {
			t.Fatal(err)
		}
		var out map[string]string
		got := telemetry.Visible(in)
		if err := json.Unmarshal(got, &out); err != nil || out[s] != s || strings.ContainsAny(string(got), turning) {
			t.Errorf("%q becomes %s: %v", s, got, err)
		}
	}
	if got := telemetry.Visible([]byte("\xff\x80\xe2\x80")); string(got) != "\xff\x80\xe2\x80" {
		t.Errorf("what is not UTF-8 becomes %q", got)
	}
}
