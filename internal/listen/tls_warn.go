package listen

import (
	"crypto/x509"
	"encoding/pem"
	"net/url"
	"os"
	"strconv"
	"time"
)

// Warn reports a socket that every user of the machine may ask, and a certificate that callers refuse at present. It
// is no fault: the file is read again when it changes.
func (c Config) Warn(warn func(key, cause, hint string)) {
	c.warnOfSocket(warn)
	c.TLS.warn(warn)
}

// warnOfSocket reports a socket that is open to all users, where nothing else is asked of callers.
func (c Config) warnOfSocket(warn func(key, cause, hint string)) {
	const writableByOthers = 0o002
	u, err := url.Parse(c.Address)
	if err != nil || !isSocket(c.Address) || c.BearerKeysFile != "" || c.TLS.ClientCAFile != "" {
		return
	}
	if mode, err := strconv.ParseUint(u.Query().Get("mode"), 8, 32); err == nil && mode&writableByOthers != 0 {
		warn("address", "every user of this machine may call the socket",
			"take mode=0660 and a group of the callers, or set bearer_keys_file")
	}
}

func (t TLS) warn(warn func(key, cause, hint string)) {
	info, err := os.Stat(t.CertFile)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxCertificateBytes {
		return // Check says so
	}
	chain, err := os.ReadFile(t.CertFile)
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
