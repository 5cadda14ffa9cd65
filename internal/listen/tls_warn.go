package listen

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"time"
)

// Warn reports a certificate that callers refuse at present. It is no fault: the file is read again when it changes.
func (c Config) Warn(warn func(key, cause, hint string)) {
	info, err := os.Stat(c.TLS.CertFile)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxCertificateBytes {
		return // Check says so
	}
	chain, err := os.ReadFile(c.TLS.CertFile)
	block, _ := pem.Decode(chain)
	if err != nil || block == nil {
		return
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return
	}
	const renew = "renew it: the file is read again when it changes, without a restart"
	switch now := time.Now(); {
	case now.After(leaf.NotAfter):
		warn("tls.cert_file", "holds a certificate that expired at "+leaf.NotAfter.UTC().Format(time.RFC3339), renew)
	case now.Before(leaf.NotBefore):
		warn("tls.cert_file", "holds a certificate that is valid from "+leaf.NotBefore.UTC().Format(time.RFC3339)+
			" on", "wait until then, or look at the clock of this machine")
	}
}
