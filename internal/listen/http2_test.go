package listen_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// overHTTP2 is a client that knows that a server speaks HTTP/2, with or without TLS.
func overHTTP2(t *testing.T) *http.Transport {
	t.Helper()
	p := new(http.Protocols)
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(true)
	client := &http.Transport{Protocols: p}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// spoken answers with the protocol of a call.
var spoken = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto+" "+r.RequestURI) })

func TestHTTP2IsSpokenWithoutTLSBesideHTTP1(t *testing.T) {
	url := "http://" + serve(t, loopback(), spoken, deps()).Addr().String() + "/a//b/%2e%2e"
	for want, client := range map[string]*http.Transport{"HTTP/2.0": overHTTP2(t), "HTTP/1.1": {}} {
		if body, _, err := get(t, client, url); err != nil || body != want+" /a//b/%2e%2e" {
			t.Errorf("%s: answered %q: %v", want, body, err)
		}
	}
}

func TestHTTP2IsNegotiatedOverTLS(t *testing.T) {
	certificate, cfg := testkit.SelfSigned(t), loopback()
	cfg.TLS = inDirectory(t)
	files(t, cfg.TLS, certificate)
	url := "https://" + serve(t, cfg, spoken, deps()).Addr().String()
	second := overHTTP2(t)
	second.TLSClientConfig = trusting(certificate).TLSClientConfig
	for want, client := range map[string]*http.Transport{"HTTP/2.0 /": second, "HTTP/1.1 /": trusting(certificate)} {
		if body, _, err := get(t, client, url); err != nil || body != want {
			t.Errorf("%s: answered %q: %v", want, body, err)
		}
	}
}

// An upgrade would let a client speak past a gateway that does not know it (request smuggling by h2c).
func TestHTTP1IsNotUpgradedToHTTP2(t *testing.T) {
	conn, err := net.Dial("tcp", serve(t, loopback(), spoken, deps()).Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"+
		"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\nGET /y HTTP/1.1\r\nHost: localhost\r\nConnection: "+
		"close\r\n\r\n")
	text, err := io.ReadAll(conn)
	if err != nil || strings.Contains(string(text), "101 ") || !strings.Contains(string(text), "HTTP/1.1 /x") ||
		!strings.Contains(string(text), "HTTP/1.1 /y") {
		t.Errorf("answered %q: %v", text, err)
	}
}

func TestCallsOverHTTP2AreWithinTheLimits(t *testing.T) {
	d := serve(t, loopback(), spoken, deps())
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+d.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		r.Header.Set(fmt.Sprint("X-Long-", i), strings.Repeat("a", 1000))
	}
	// A client that has read the settings before it sends refuses by itself: then another one asks.
	resp, err := overHTTP2(t).RoundTrip(r)
	for i := 0; i < 100 && err != nil && strings.Contains(err.Error(), "peer's advertised limit"); i++ {
		resp, err = overHTTP2(t).RoundTrip(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("headers over the limit: %s", resp.Status)
	}
	const mostStreams, mostHeaders = 3, 6 // identifiers of settings
	settings := settingsOf(t, d.Addr())
	if settings[mostStreams] != 100 || settings[mostHeaders] == 0 || settings[mostHeaders] > 4096+1024 {
		t.Errorf("the settings are %v", settings)
	}
}

// settingsOf is the first frame of a server, which are its settings (RFC 9113 section 6.5).
func settingsOf(t *testing.T, address net.Addr) map[uint16]uint32 {
	t.Helper()
	conn, err := net.Dial("tcp", address.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const empty = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	fmt.Fprint(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+empty)
	head := make([]byte, 9)
	if _, err := io.ReadFull(conn, head); err != nil {
		t.Fatal(err)
	}
	text := make([]byte, int(head[1])<<8|int(head[2]))
	if _, err := io.ReadFull(conn, text); err != nil {
		t.Fatal(err)
	}
	all := map[uint16]uint32{}
	for ; len(text) >= 6; text = text[6:] {
		all[binary.BigEndian.Uint16(text)] = binary.BigEndian.Uint32(text[2:])
	}
	return all
}

// net/http answers OPTIONS * by itself unless it is told not to: 200 is an allow to a gateway.
func TestOPTIONSOfAllOverHTTP2ComesToTheDoor(t *testing.T) {
	d := serve(t, loopback(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }),
		deps())
	r, err := http.NewRequestWithContext(t.Context(), "OPTIONS", "http://"+d.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.URL.Opaque = "*"
	resp, err := overHTTP2(t).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 403 {
		t.Errorf("answered %s", resp.Status)
	}
}

func TestAnIdleConnectionOfHTTP2DoesNotHoldUpTheShutdown(t *testing.T) {
	d := serve(t, loopback(), spoken, deps())
	client := overHTTP2(t)
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+d.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	begun := time.Now()
	if err := d.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took >= 4*time.Second {
		t.Errorf("the shutdown took %s", took)
	}
}
