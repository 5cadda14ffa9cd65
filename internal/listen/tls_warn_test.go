package listen_test

import (
	"crypto/x509"
	"slices"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/listen"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

func TestACertificateThatCallersRefuseAtPresentIsAWarning(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	day := func(n int) time.Time { return now.Add(time.Duration(n) * 24 * time.Hour) }
	for _, c := range []struct {
		from, to time.Time
		want     []string
	}{
		{day(-2), day(-1), []string{"tls.cert_file: holds a certificate that expired at " +
			day(-1).Format(time.RFC3339)}},
		{day(1), day(2), []string{"tls.cert_file: holds a certificate that is valid from " +
			day(1).Format(time.RFC3339) + " on"}},
		{day(-1), day(1), nil},
	} {
		cert := testkit.SelfSignedAs(t, x509.Certificate{NotBefore: c.from, NotAfter: c.to})
		file, _ := cert.Files(t)
		if got := faultsOf(t, listen.Config{TLS: listen.TLS{CertFile: file}}.Warn); !slices.Equal(got, c.want) {
			t.Errorf("%v to %v: %q, want %q", c.from, c.to, got, c.want)
		}
	}
	for _, file := range []string{"", "/dev/null", testkit.TempFile(t, "c", "no PEM")} {
		if got := faultsOf(t, listen.Config{TLS: listen.TLS{CertFile: file}}.Warn); got != nil {
			t.Errorf("%q: %q", file, got)
		}
	}
}

func TestASocketForAllUsersIsAWarningUnlessCallersShowMore(t *testing.T) {
	for _, c := range []struct {
		query string
		cfg   listen.Config
		warns bool
	}{
		{"?mode=0777", listen.Config{}, true},
		{"?mode=666", listen.Config{}, true},
		{"?mode=0660", listen.Config{}, false},
		{"", listen.Config{}, false},
		{"?mode=0666", listen.Config{BearerKeysFile: "keys"}, false},
		{"?mode=0666", listen.Config{TLS: listen.TLS{ClientCAFile: "ca"}}, false},
	} {
		c.cfg.Address = "unix:///run/sidecar/api.sock" + c.query
		if got := faultsOf(t, c.cfg.Warn); (got != nil) != c.warns {
			t.Errorf("%s: %q", c.query, got)
		}
	}
}
