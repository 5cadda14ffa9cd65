package telemetry

import (
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
)

const redacted = "[redacted]"

// NewLogger returns a logger that writes to w. Attributes whose key names a credential are redacted, and so are HTTP
// headers; a secret.Text redacts itself. A level that is not known is taken as info.
func NewLogger(cfg LogConfig, w io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level(cfg.Level), ReplaceAttr: redact}
	if cfg.Format == "json" {
		return slog.New(slog.NewJSONHandler(visible{w}, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

func level(name string) slog.Level {
	switch name {
	case "debug":
		return slog.LevelDebug
	case "warn":
		return slog.LevelWarn
	case "error":
		return slog.LevelError
	}
	return slog.LevelInfo
}

// redact is the last defence. It is called for each attribute, after its LogValue.
func redact(groups []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindBool, slog.KindDuration, slog.KindTime, slog.KindInt64, slog.KindUint64, slog.KindFloat64:
		return a // a count of tokens is no token
	}
	if sensitive(a.Key) {
		return slog.String(a.Key, redacted)
	}
	for _, g := range groups {
		if sensitive(g) {
			return slog.String(a.Key, redacted)
		}
	}
	switch v := a.Value.Any().(type) {
	case http.Header, *http.Request, *http.Response:
		return slog.String(a.Key, redacted)
	case *url.URL:
		return slog.String(a.Key, bare(v))
	}
	return a
}

// bare is a URL without what may hold a credential.
func bare(u *url.URL) string {
	if u == nil {
		return ""
	}
	b := *u
	b.User, b.Fragment, b.RawFragment = nil, "", ""
	if b.RawQuery != "" {
		b.RawQuery = redacted
	}
	return b.String()
}

// sensitive reports whether a key ends in the name of a credential: "access_token" does, "token_kind" does not.
func sensitive(key string) bool {
	key = strings.TrimSuffix(strings.ToLower(key), "s")
	for _, name := range []string{"token", "secret", "authorization", "password", "passwd", "passphrase", "cookie",
		"assertion", "credential", "dpop", "private_key", "privatekey", "api_key", "apikey"} {
		if strings.HasSuffix(key, name) {
			return true
		}
	}
	return false
}
