package listen

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/keyfile"
	"github.com/authz-sidecar/sidecar/internal/metrics"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// TLS names the files of a server certificate, and of the authority of client certificates when those are required.
type TLS struct {
	CertFile     string   `yaml:"cert_file" doc:"PEM certificate chain. Read again when it changes."`
	KeyFile      string   `yaml:"key_file" doc:"PEM private key. Read again when it changes."`
	ClientCAFile string   `yaml:"client_ca_file" doc:"PEM certificate authorities; when set, callers must present a certificate that one of them issued."`
	ClientNames  []string `yaml:"client_names" doc:"Names of callers, each a URI such as spiffe://example.org/gateway or a DNS name: a client certificate must carry one of them as a subject alternative name. Empty accepts every certificate of client_ca_file."`
}

// empty reports whether no key is set.
func (t TLS) empty() bool {
	return t.CertFile == "" && t.KeyFile == "" && t.ClientCAFile == "" && len(t.ClientNames) == 0
}

// Check reports a certificate without its key, a key without its certificate, and authorities of client certificates
// without a server certificate.
func (t TLS) Check(fault func(key, cause, hint string)) {
	if t.CertFile != "" && t.KeyFile == "" {
		fault("key_file", "is empty, and cert_file is set", "name the private key of the certificate")
	}
	if t.KeyFile != "" && t.CertFile == "" {
		fault("cert_file", "is empty, and key_file is set", "name the certificate of the private key")
	}
	if t.ClientCAFile != "" && t.CertFile == "" {
		fault("client_ca_file", "asks for client certificates, and there is no cert_file",
			"set cert_file and key_file too")
	}
	t.checkClientNames(fault)
}

// Limits of files.
const (
	maxCertificateBytes = 256 << 10
	maxKeyBytes         = 64 << 10
	maxCABytes          = 4 << 20
)

// security is the TLS of a listener, made of its files as they are at each handshake; nil is plain TCP.
type security struct {
	*reloaded[*tls.Config]
	protocols []string
}

func newSecurity(cfg TLS, deps Deps) (*security, error) {
	if cfg.CertFile == "" {
		return nil, nil
	}
	parts := []keyfile.Part{
		keyfile.File("cert_file", cfg.CertFile, maxCertificateBytes),
		keyfile.File("key_file", cfg.KeyFile, maxKeyBytes),
	}
	if cfg.ClientCAFile != "" {
		parts = append(parts, keyfile.File("client_ca_file", cfg.ClientCAFile, maxCABytes))
	}
	parse := func(texts []secret.Text) (*tls.Config, error) {
		out, err := parseTLS(texts)
		if err == nil && len(cfg.ClientNames) > 0 {
			out.VerifyConnection = callersNamed(cfg.ClientNames)
		}
		return out, err
	}
	r, err := reload("tls", deps, parse, parts...)
	if err != nil {
		return nil, fmt.Errorf("%s: load certificate: %w", deps.Key("tls"), err)
	}
	s := &security{r, deps.Protocols}
	deps.Files.addCertificate(s.expires)
	metrics.NewGaugeFunc(metrics.With(deps.Metrics, "listener", deps.Name),
		"sidecar_listen_certificate_expiry_timestamp_seconds",
		"Time when the certificate of the listener expires, in seconds since the epoch.",
		func() float64 { return metrics.Seconds(s.expires()) })
	return s, nil
}

// expires is when the certificate in use does.
func (s *security) expires() time.Time { return s.current().Certificates[0].Leaf.NotAfter }

// over returns ln with TLS.
func (s *security) over(ln net.Listener) net.Listener {
	if s == nil {
		return ln
	}
	return tls.NewListener(ln, &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return s.negotiating(), nil },
	})
}

// negotiating is the current configuration with the protocols of the listener.
func (s *security) negotiating() *tls.Config {
	if s.protocols == nil {
		return s.current()
	}
	own := s.current().Clone() // handshakes under way share the original
	own.NextProtos = s.protocols
	return own
}

// parseTLS reads a certificate chain, its key, and the authorities of client certificates if there are any.
func parseTLS(texts []secret.Text) (*tls.Config, error) {
	chain := texts[0].Reveal()
	pair, err := tls.X509KeyPair([]byte(chain), []byte(texts[1].Reveal()))
	if err != nil {
		return nil, pairError(chain, texts[1].Reveal(), err)
	}
	if !keyfile.CompletePEM(chain) {
		return nil, errors.New("cert_file: the last certificate is cut off")
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	if len(texts) < 3 {
		return out, nil
	}
	authorities := texts[2].Reveal()
	out.ClientCAs = x509.NewCertPool()
	if !out.ClientCAs.AppendCertsFromPEM([]byte(authorities)) || !keyfile.CompletePEM(authorities) {
		return nil, errors.New("client_ca_file: no certificate in it, or the last one is cut off: name a file of certificates in PEM " +
			"form")
	}
	out.ClientAuth = tls.RequireAndVerifyClientCert
	// crypto/tls shares the keys of session tickets between the configurations that GetConfigForClient returns: a
	// session that a removed authority vouched for could be resumed.
	out.SessionTicketsDisabled = true
	return out, nil
}

// pairError says which of two files is at fault, and what belongs into it. err is of crypto/tls.
func pairError(chain, key string, err error) error {
	const certificate, private = "-----BEGIN CERTIFICATE-----", "PRIVATE KEY-----"
	switch {
	case !strings.Contains(chain, certificate) && strings.Contains(chain, private):
		return errors.New("cert_file: it holds a private key: name the file of the certificate")
	case !strings.Contains(chain, certificate):
		return errors.New("cert_file: no certificate in PEM form in it: convert it, or name another file")
	case strings.Contains(key, "ENCRYPTED"):
		return errors.New("key_file: the private key is encrypted: store it without a passphrase, readable for the " +
			"sidecar alone")
	case !strings.Contains(key, private) && strings.Contains(key, certificate):
		return errors.New("key_file: it holds a certificate: name the file of its private key")
	case !strings.Contains(key, private):
		return errors.New("key_file: no private key in PEM form in it: convert it, or name another file")
	case strings.Contains(err.Error(), "does not match"):
		return errors.New("key_file: the private key is of another certificate than the first one in cert_file: name " +
			"the key that belongs to it, or put that certificate first")
	}
	return err
}
