package native_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door/native"
	"github.com/authz-sidecar/sidecar/internal/listen"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

const question = `{"request":{"method":"GET","url":"/"}}`

const (
	callerKey = "0123456789abcdef-key-of-a-caller"
	otherKey  = "fedcba9876543210-key-of-another"
)

func withKeys(t *testing.T) listen.Config {
	t.Helper()
	cfg := listener()
	cfg.BearerKeysFile = filepath.Join(t.TempDir(), "keys")
	testkit.WriteFile(t, cfg.BearerKeysFile, "# callers\n"+callerKey+"\r\n\n  "+otherKey+"\n")
	return cfg
}

func TestACallWithACallerKeyIsAnswered(t *testing.T) {
	s := serve(t, withKeys(t), native.Deps{})
	for _, authorization := range []string{"Bearer " + callerKey, "bearer " + otherKey} {
		resp, body := s.do(t, "POST", "/v1/decisions", question,
			http.Header{"Content-Type": {"application/json"}, "Authorization": {authorization}})
		if resp.StatusCode != 200 {
			t.Errorf("answered %s %s", resp.Status, body)
		}
	}
}

func TestACallWithoutCallerKeyIsRefused(t *testing.T) {
	s := serve(t, withKeys(t), native.Deps{})
	for name, authorization := range map[string][]string{
		"none": nil, "empty": {""}, "no key": {"Bearer "}, "another": {"Bearer " + rawToken},
		"a part":      {"Bearer " + callerKey[:16]},
		"the comment": {"Bearer # callers"}, "another scheme": {"Basic " + callerKey}, "bare": {callerKey},
		"too late": {"Bearer a", "Bearer " + callerKey},
	} {
		for _, place := range []string{"POST /v1/decisions", "POST /v1/decisions/batch", "GET /v1/status",
			"GET /nowhere", "GET /livez/"} {
			method, path, _ := strings.Cut(place, " ")
			resp, body := s.do(t, method, path, question, http.Header{"Content-Type": {"application/json"},
				"Authorization": authorization})
			expectError(t, resp, body, http.StatusUnauthorized, "unauthorized", "")
			if resp.Header.Get("WWW-Authenticate") != `Bearer realm="sidecar"` {
				t.Errorf("%s at %s: WWW-Authenticate %q", name, place, resp.Header.Get("WWW-Authenticate"))
			}
		}
	}
}

func TestProbesNeedNoKey(t *testing.T) {
	s := serve(t, withKeys(t), native.Deps{})
	for _, path := range []string{"/livez", "/readyz"} {
		for _, method := range []string{"GET", "HEAD"} {
			if resp, _ := s.do(t, method, path, "", nil); resp.StatusCode != 200 {
				t.Errorf("%s %s: %s", method, path, resp.Status)
			}
		}
	}
}

func TestAListenerIsNotOpenedWithoutItsKeys(t *testing.T) {
	cfg := listener()
	cfg.BearerKeysFile = filepath.Join(t.TempDir(), "none")
	if _, err := native.ListenAPI(cfg, native.Deps{}, listen.Deps{Name: "api"}); err == nil {
		t.Error("the api listener is open")
	}
	if _, err := native.ListenAdmin(cfg, native.Deps{}, listen.Deps{Name: "admin"}); err == nil {
		t.Error("the admin listener is open")
	}
}

func TestCallUnderWayIsAnsweredAtTheStop(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	s := serve(t, listener(), native.Deps{Point: point{func(context.Context, authz.Query) authz.Decision {
		close(arrived)
		<-release
		return authz.Decision{ID: "under way", Kind: authz.Deny, Status: 403}
	}}})
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/decisions HTTP/1.1\r\nHost: localhost\r\nContent-Type: "+
		"application/json\r\nContent-Length: %d\r\n\r\n%s", len(question), question)
	<-arrived
	stopped := make(chan error, 1)
	go func() { stopped <- s.Shutdown(context.Background()) }()
	for { // the door is shut
		c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			break
		}
		c.Close()
	}
	close(release)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(resp.Body); err != nil || !strings.Contains(body.String(), "under way") {
		t.Errorf("answered %s: %v", body.String(), err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
