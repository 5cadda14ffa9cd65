//go:build real

package realtest

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// replace puts a file in the place of another one, as a whole.
func replace(t *testing.T, file, content string) {
	t.Helper()
	if err := os.Rename(testkit.WriteFile(t, file+".new", content), file); err != nil {
		t.Fatal(err)
	}
}

// sidecarRotation changes the secret of the sidecar while each request asks Keycloak.
func (k *keycloak) sidecarRotation(t *testing.T) {
	r := k.newRealm(t)
	tokens := []string{
		r.userTokens(t, r.app, r.alice, toReadOnAll).access, r.userTokens(t, r.app, r.alice, toReadOnAll).access,
		r.clientToken(t, r.app), // not for orders-api-rotating
	}
	pause := func() { time.Sleep(500 * time.Millisecond) }
	rotate := func(name string, c oauthClient, tokens []string, steps func(file string)) {
		t.Run(name, func(t *testing.T) {
			file := testkit.WriteFile(t, filepath.Join(t.TempDir(), "secret"), c.secret)
			sc := r.sidecar(t, keycloakSidecar{client: fmt.Sprintf("id: %q, secret: {file: %q}", c.id, file)})
			sc.expectOf(t, "before", tokens[0], allowed)
			l := startTraffic(t, sc, tokens...)
			pause()
			steps(file)
			pause()
			testkit.Within(t, 30*time.Second, "see 500 decisions", func() bool {
				l.mu.Lock()
				defer l.mu.Unlock()
				return len(l.samples) >= 500
			})
			failed := 0
			samples := l.stop()
			for _, s := range samples {
				if s.answer != allowed {
					failed++
					t.Errorf("%s", s.answer)
				}
			}
			log := testkit.ReadFile(t, sc.stderr)
			if !strings.Contains(log, "credential rotated") {
				t.Error("the log does not tell of the rotation")
			}
			tell(t, "rotation, "+name, "%d decisions under load, by %d questions, %d failed", len(samples),
				sc.questions(t), failed)
		})
	}
	secretIs := func(c oauthClient, secret string) {
		r.change(t, r.clientPath(t, c.id), map[string]any{"secret": secret})
	}
	rotate("by its policy, the server first, twice", r.rotating, tokens[:2], func(file string) {
		second := r.rotateSecret(t, r.rotating)
		pause() // the secret before is still good
		replace(t, file, second.secret+"\n")
		pause()
		third := r.rotateSecret(t, second) // and now that of the beginning is not
		replace(t, file, third.secret)
		pause()
		r.dropOldSecret(t, third)
	})
	next := oauthClient{r.api.id, k.vault.secret("secret of orders-api, changed")}
	rotate("without a policy, the file first", r.api, tokens, func(file string) {
		replace(t, file, next.secret)
		pause()
		secretIs(r.api, next.secret)
	})
	last := oauthClient{r.api.id, k.vault.secret("secret of orders-api, changed again")}
	rotate("without a policy, the server first", next, tokens, func(file string) {
		secretIs(next, last.secret)
		replace(t, file, last.secret)
	})
}

// questions reads from the metrics how many questions were answered with active.
func (sc *sidecar) questions(t *testing.T) int {
	t.Helper()
	metrics, err := fetch(sc.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(
		`(?m)^sidecar_introspect_call_duration_seconds_count\{.*outcome="active".*\} (\d+)$`).FindSubmatch(metrics)
	if m == nil {
		t.Fatal("the metrics count no questions")
	}
	n, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// own lets orders-api get tokens for itself; they do not name it.
func (r *keycloakRealm) own(t *testing.T) {
	t.Helper()
	r.change(t, r.clientPath(t, r.api.id), map[string]any{"serviceAccountsEnabled": true})
}

// sidecarCanary looks at the readiness of a sidecar that asks about a token of its own.
func (k *keycloak) sidecarCanary(t *testing.T) {
	r := k.newRealm(t)
	r.own(t)
	sc, cmd := r.sidecarCommand(t, keycloakSidecar{issuer: "    canary: {every: 1s}"})
	sc.process = start(t, "sidecar", cmd)
	sc.await(t, 30*time.Second, sc.findAddresses)
	t.Cleanup(func() { sc.finish(t, k.vault) })
	ready := func(want int, what string) {
		t.Helper()
		begun := time.Now()
		testkit.Within(t, 15*time.Second, what, func() bool {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, sc.api+"/readyz", nil)
			if err != nil {
				t.Fatal(err)
			}
			return send(t, nil, req).status == want
		})
		tell(t, "canary", "%s: readiness %d, after %d ms", what, want, time.Since(begun).Milliseconds())
	}
	ready(http.StatusServiceUnavailable, "without its audience mapper")
	if body, err := fetch(sc.admin + "/v1/status"); err != nil ||
		!strings.Contains(string(body), "issued to the sidecar") {
		t.Errorf("the status does not say why: %s", body)
	}
	sc.expectOf(t, "decisions go on", r.userTokens(t, r.app, r.alice, toRead).access, allowed)
	r.giveScope(t, r.api.id, "default", "orders-api-audience")
	ready(http.StatusOK, "with its audience mapper")
	r.admin(t, http.MethodDelete, r.scopePath(t, r.api.id, "default", "orders-api-audience"), nil,
		http.StatusNoContent)
	ready(http.StatusServiceUnavailable, "when the mapper is taken away")
}

// sidecarInit begins with nothing but the URL of the realm, and a client.
func (k *keycloak) sidecarInit(t *testing.T) {
	r := k.newRealm(t)
	r.own(t)
	r.admin(t, http.MethodPost, "/client-scopes", map[string]any{
		"name": "read", "protocol": "openid-connect",
		"attributes": map[string]string{"include.in.token.scope": "true"},
	}, http.StatusCreated)
	r.giveScope(t, r.app.id, "optional", "read")
	dir := t.TempDir()
	file := filepath.Join(dir, "sidecar.yaml")
	says := func(what string, wantCode, code int, said string, wants ...string) {
		t.Helper()
		if code != wantCode {
			t.Errorf("%s ends with %d, want %d", what, code, wantCode)
		}
		for _, w := range wants {
			if !strings.Contains(said, w) {
				t.Errorf("%s does not say %q", what, w)
			}
		}
		t.Logf("%s:\n%s", what, said)
	}
	run := []string{"init", "--issuer", r.issuer, "--client-id", r.api.id, "--dir", dir}
	code, said := r.command(t, "", run...)
	says("init without the authority", 1, code, said, "ca")
	run = append(run, "--ca-file", k.caFile)
	code, said = r.command(t, r.api.secret+"\norders-api\n", run...)
	says("init", 0, code, said, "dialect", "keycloak", "ok     metadata:", "ok     credentials:", "ok     clock:",
		"names no audience", "audience mapper", "sidecar serve --config")
	r.giveScope(t, r.api.id, "default", "orders-api-audience")
	code, said = r.command(t, "", "check", "--config", file, "--online")
	says("check", 0, code, said, "ok     metadata:", "ok     credentials:", "ok     canary:")
	secretFile := filepath.Join(dir, "client-secret")
	replace(t, secretFile, k.vault.secret("wrong secret"))
	code, said = r.command(t, "", "check", "--config", file, "--online")
	says("check with a wrong secret", 1, code, said, "fault  credentials:", "client.secret")
	replace(t, secretFile, r.api.secret)
	routes := filepath.Join(dir, "policies", "routes", "data.yaml")
	written, err := os.ReadFile(routes)
	if err != nil {
		t.Fatal(err)
	}
	testkit.WriteFile(t, routes, string(written)+
		"\n/orders:\n  /*:\n    GET: {id: read_order, scopes: [read], audience: [orders-api], tenant: none}\n")

	cmd := exec.Command(binary, "serve", "--config", file)
	cmd.Env = []string{"SIDECAR_LISTEN_API_ADDRESS=127.0.0.1:0", "SIDECAR_LISTEN_ADMIN_ADDRESS=127.0.0.1:0",
		"SIDECAR_TELEMETRY_LOG_FORMAT=json"}
	sc := &sidecar{}
	sc.run(t, k.vault, cmd)
	sc.expectOf(t, "a token with the scope read", r.userTokens(t, r.app, r.alice, "openid read").access, allowed)
	sc.expectOf(t, "a token without it", r.userTokens(t, r.app, r.alice, toRead).access, "deny 403 insufficient_scope")
	sc.expectOf(t, "a token without audience", r.userTokens(t, r.other, r.alice, toRead).access, refused)
	tell(t, "init and check --online", "the files are written, the server takes them, serve answers with them")
}
