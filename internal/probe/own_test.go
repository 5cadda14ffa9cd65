package probe_test

import (
	"context"
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/probe"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// TestOnlyTheCertificateOfTheConfigurationIsTrusted: another program that took the port is not taken for the sidecar,
// whatever authority vouches for it.
func TestOnlyTheCertificateOfTheConfigurationIsTrusted(t *testing.T) {
	authority := testkit.NewAuthority(t)
	cfg := serve(t, secured(t, at("127.0.0.1:0"), authority.Server(t)))
	other := secured(t, cfg, authority.Server(t))
	wants(t, askBriefly(t, own(t, probe.Live, other)), otherCertificate)
	cfg.TLS.CertFile = testkit.TempFile(t, "tls.crt", "x")
	wants(t, ask(t, own(t, probe.Live, cfg)), "has none")
}

const otherCertificate = "the listener has another certificate than the configuration names"

// askBriefly asks a listener that has another certificate, which takes all the time that there is.
func askBriefly(t *testing.T, target probe.Target) (err error) {
	t.Helper()
	for within := time.Second; within < time.Minute; within *= 4 { // the first may be too short
		ctx, cancel := context.WithTimeout(t.Context(), within)
		err = target.Ask(ctx)
		cancel()
		if err == nil || !strings.Contains(err.Error(), "no answer in time") {
			break
		}
	}
	return err
}

// TestAnotherCertificateIsToldWhenTheTimeIsOver: the last attempt begins with whatever time is left.
func TestAnotherCertificateIsToldWhenTheTimeIsOver(t *testing.T) {
	authority := testkit.NewAuthority(t)
	ln := testkit.Listen(t)
	other := &tls.Config{Certificates: []tls.Certificate{authority.Server(t).Certificate}}
	go func() {
		for first := true; ; first = false {
			conn, err := ln.Accept()
			if err != nil {
				return // the end of the test
			}
			defer conn.Close()
			if first {
				_ = tls.Server(conn, other).Handshake()
			}
		}
	}()
	cfg := secured(t, at(ln.Addr().String()), authority.Server(t))
	wants(t, askBriefly(t, own(t, probe.Live, cfg)), otherCertificate)
}

// TestARenewedCertificateIsWaitedFor: the listener reads its files again within a second, the probe at once.
func TestARenewedCertificateIsWaitedFor(t *testing.T) {
	cfg := serve(t, secured(t, at("127.0.0.1:0"), testkit.SelfSigned(t)))
	if err := ask(t, own(t, probe.Live, cfg)); err != nil {
		t.Fatal(err)
	}
	renewed := testkit.SelfSigned(t)
	testkit.WriteFile(t, cfg.TLS.KeyFile, renewed.KeyPEM(t))
	testkit.WriteFile(t, cfg.TLS.CertFile, renewed.PEM())
	if err := ask(t, own(t, probe.Live, cfg)); err != nil {
		t.Error(err)
	}
}

func TestAListenerThatAsksForCertificatesIsPassedOver(t *testing.T) {
	certificate, clients := testkit.SelfSigned(t), testkit.NewAuthority(t)
	closed := secured(t, at("127.0.0.1:0"), certificate)
	closed.TLS.ClientCAFile = testkit.TempFile(t, "clients.pem", clients.PEM())
	closed = serve(t, closed)
	if err := ask(t, own(t, probe.Live, closed, at(""), serve(t, at("127.0.0.1:0")))); err != nil {
		t.Errorf("the other listener: %v", err)
	}
	target := own(t, probe.Live, closed)
	wants(t, ask(t, target), "certificate required: name a client certificate")
	target.CertFile, target.KeyFile = clients.Client(t, "kubelet").Files(t)
	if err := ask(t, target); err != nil {
		t.Errorf("with a certificate: %v", err)
	}
}

func TestAPortThatTheSystemChoosesCannotBeKnown(t *testing.T) {
	_, err := probe.Own(probe.Live, at("127.0.0.1:0"))
	wants(t, err, "name the listener by its URL")
}
