package telemetry

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

func TestALogLineHasTheFormAsked(t *testing.T) {
	var text, js bytes.Buffer
	NewLogger(LogConfig{Format: "text"}, &text).Info("hello", "n", 1)
	NewLogger(LogConfig{Format: "json"}, &js).Info("hello", "n", 1)
	if !strings.Contains(text.String(), "msg=hello n=1") {
		t.Errorf("text: %s", text.String())
	}
	var line struct {
		Msg string
		N   int
	}
	if err := json.Unmarshal(js.Bytes(), &line); err != nil || line.Msg != "hello" || line.N != 1 {
		t.Errorf("json: %s", js.String())
	}
}

func TestALevelHidesWhatIsLessSevere(t *testing.T) {
	for name, want := range map[string]string{"debug": "DIWE", "info": "IWE", "warn": "WE", "error": "E", "": "IWE"} {
		var b bytes.Buffer
		l := NewLogger(LogConfig{Level: name}, &b)
		l.Debug("D")
		l.Info("I")
		l.Warn("W")
		l.Error("E")
		got := ""
		for line := range strings.Lines(b.String()) {
			got += strings.TrimSpace(line[strings.Index(line, "msg=")+4:])
		}
		if got != want {
			t.Errorf("level %q shows %s, want %s", name, got, want)
		}
	}
}

func TestALogNeverShowsACredential(t *testing.T) {
	const hidden = "7Fjfp0ZBr1KtDRbnfVdmIw"
	page, err := url.Parse("https://u:" + hidden + "@as.example/p?access_token=" + hidden + "#" + hidden)
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"text", "json"} {
		var b bytes.Buffer
		l := NewLogger(LogConfig{Format: format}, &b)
		for _, key := range []string{"token", "access_token", "AccessToken", "refresh-token", "client_secret",
			"Authorization", "password",
			"Cookie", "cookies", "set-cookie", "client_assertion", "private_key", "credentials", "dpop"} {
			l.Info("m", key, hidden)
			l.Info("m", key, errors.New(hidden))
			l.With(key, hidden).Info("m")
			l.Info("m", slog.Group("g", key, hidden))
			l.WithGroup(key).Info("m", "value", hidden)
		}
		l.Info("m", "x", secret.New(hidden), "y", struct{ S secret.Text }{secret.New(hidden)})
		l.Info("m", "headers", http.Header{"Authorization": {hidden}}, "request",
			&http.Request{Header: http.Header{"A": {hidden}}})
		l.Info("m", "url", page)
		if strings.Contains(b.String(), hidden) {
			t.Errorf("%s: %s", format, b.String())
		}
		if !strings.Contains(b.String(), "https://as.example/p?") {
			t.Errorf("%s hides the whole URL: %s", format, b.String())
		}
	}
}

func TestALogShowsWhatIsNoCredential(t *testing.T) {
	var b bytes.Buffer
	NewLogger(LogConfig{}, &b).Info("m", "token_kind", "access", "tokens", 5, "token", true, "took", time.Second,
		"secret_file", "/etc/s", "error", errors.New("no route"), "url", (*url.URL)(nil))
	if want :=
		`token_kind=access tokens=5 token=true took=1s secret_file=/etc/s error="no route" url=""`; !strings.Contains(
		b.String(), want) {
		t.Errorf("%s", b.String())
	}
}

func BenchmarkLog(b *testing.B) {
	l := NewLogger(LogConfig{}, io.Discard)
	b.ReportAllocs()
	for b.Loop() {
		l.Info("decision refused", "decision_id", "01JD7Q4W0V5M7Z8S9T0A1B2C3D", "kind", "unavailable")
	}
}
