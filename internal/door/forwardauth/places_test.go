package forwardauth

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/door"
)

func TestACheckOfEachProfileIsKnownAtOtherListeners(t *testing.T) {
	for _, p := range []Profile{Nginx, IngressNginx, Traefik, Caddy, HAProxy, Envoy} {
		check := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		for _, name := range p.places().names() {
			check.Header.Set(name, "/")
		}
		if door.GatewayMark(check) == "" {
			t.Errorf("%s: the api listener takes its check for another call", p)
		}
	}
}

func TestTheLogNamesTheProfileThatACheckFits(t *testing.T) {
	for _, c := range []struct{ configured, asks Profile }{
		{Nginx, Caddy}, {Nginx, Traefik}, {Caddy, Nginx}, {Traefik, HAProxy}, {Envoy, Caddy}, {IngressNginx, Nginx},
		{Traefik, IngressNginx},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		for _, name := range c.asks.places().names() {
			r.Header.Set(name, "/")
		}
		_, err := newReader(Config{Profile: c.configured, Prefix: "/check"}).read(r)
		if err == nil || !strings.Contains(err.Error(), "those of profile "+string(c.asks)) &&
			!strings.Contains(err.Error(), "and of "+string(c.asks)) {
			t.Errorf("%s asks a listener for %s: %v", c.asks, c.configured, err)
		}
	}
}

func TestTheLogNamesThePageForACheckOfNoProfile(t *testing.T) {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	_, err := newReader(Config{Profile: Nginx}).read(r)
	if want := "the check has no X-Original-Method, which profile nginx needs once: compare the configuration of the " +
		"gateway with docs/gateways/nginx.md"; err == nil || err.Error() != want {
		t.Errorf("says %v", err)
	}
}

func TestACheckOverGRPCIsToldWhereItBelongs(t *testing.T) {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	_, err = newReader(Config{Profile: Envoy, Prefix: "/check"}).read(r)
	if err == nil || !strings.Contains(err.Error(), "listen.grpc") {
		t.Errorf("says %v", err)
	}
}
