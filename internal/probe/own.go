package probe

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/httpclient"
	"github.com/authz-sidecar/sidecar/internal/listen"
)

// Own is the probe at path of the first of these listeners that asks callers for no certificate, else of the first of
// all. The listeners are those of a sidecar on this machine: one with TLS must have the very certificate that its
// configuration names, whatever its authority, its names and its dates are.
func Own(path string, listeners ...listen.Config) (Target, error) {
	chosen := listeners[0]
	for _, l := range listeners {
		if !l.Off() && l.TLS.ClientCAFile == "" {
			chosen = l
			break
		}
	}
	t := Target{URL: chosen.Address, Path: path, own: chosen.TLS.CertFile}
	if strings.HasPrefix(chosen.Address, unixScheme) {
		return t, nil
	}
	host, port, err := net.SplitHostPort(chosen.Address)
	switch {
	case err != nil:
		return t, fmt.Errorf("%q is no address", chosen.Address)
	case port == "0":
		return t, errors.New("port 0 of the configuration stands for any port: name the listener by its URL")
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() { // every address of this machine
		host = "localhost"
		t.addresses = []string{net.JoinHostPort("127.0.0.1", port), net.JoinHostPort("::1", port)}
	}
	scheme := "http://"
	if t.own != "" {
		scheme = "https://"
	}
	t.URL = scheme + net.JoinHostPort(host, port)
	return t, nil
}

// errOther is a listener whose certificate is not the one in its file.
var errOther = errors.New("the listener has another certificate than the configuration names: the sidecar cannot " +
	"use the changed file, or another program listens there")

// client is what asks, with the certificates that it trusts and shows.
func (t Target) client() (*httpclient.Client, error) {
	cfg := httpclient.Config{Dial: t.dial, ServerName: t.ServerName, HTTP1: true,
		Proxy: func(*http.Request) (*url.URL, error) { return nil, nil }}
	if t.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("load client certificate: %w", err)
		}
		cfg.Certificate = &pair
	}
	switch {
	case t.own != "" && t.CAFile == "":
		leaf, err := firstCertificate(t.own)
		if err != nil {
			return nil, err
		}
		cfg.Accept = func(c *x509.Certificate) error {
			if !bytes.Equal(c.Raw, leaf) {
				return errOther
			}
			return nil
		}
	case t.CAFile != "":
		text, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read certificate authorities: %w", err)
		}
		if cfg.Roots = x509.NewCertPool(); !cfg.Roots.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("read certificate authorities: %s has no certificate", t.CAFile)
		}
	}
	return httpclient.New(cfg), nil
}

// firstCertificate is the first certificate of a PEM file, which is that of the listener, in DER.
func firstCertificate(file string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the certificate of the listener: %w", err)
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			return block.Bytes, nil
		}
	}
	return nil, fmt.Errorf("read the certificate of the listener: %s has none", file)
}
