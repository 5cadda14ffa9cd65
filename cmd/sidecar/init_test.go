package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/authserver"
)

// issuerOfOrders is an authorization server that knows the client orders-api.
func issuerOfOrders(t *testing.T) *devissuer.Server {
	t.Helper()
	return authserver.Start(t, devissuer.Config{Clients: []devissuer.Client{
		{ID: "orders-api", Secret: secret.New("a-secret-of-orders"), Scopes: []string{"read"},
			Audiences: []string{"orders-api"}},
	}})
}

// sidecar runs a command with what it reads from standard input.
func sidecar(t *testing.T, in string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), args, streams{in: strings.NewReader(in), out: &o, err: &e})
	return code, o.String(), e.String()
}

func TestInitWritesWhatServeStartsWith(t *testing.T) {
	s := issuerOfOrders(t)
	dir := t.TempDir()
	code, out, errs := sidecar(t, "a-secret-of-orders\norders-api\n", "init", "--issuer", s.Issuer(), "--client-id",
		"orders-api", "--dir", dir)
	if code != exitOK || !strings.Contains(out, "ok     credentials:") || !strings.Contains(out, "ok     canary:") ||
		!strings.Contains(out, "sidecar serve --config") {
		t.Fatalf("exit %d\n%s%s", code, out, errs)
	}
	if strings.Contains(out+errs, "a-secret-of-orders") {
		t.Error("the secret is printed")
	}
	if info, err := os.Stat(filepath.Join(dir, "client-secret")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the secret is kept with %v, %v", info, err)
	}
	file := filepath.Join(dir, "sidecar.yaml")
	if code, out, errs := sidecar(t, "", "check", "--config", file, "--online"); code != exitOK ||
		!strings.Contains(out, "issuer main:") {
		t.Errorf("check: exit %d\n%s%s", code, out, errs)
	}
	tok, err := s.Issue(devissuer.Grant{ClientID: "orders-api", Audience: []string{"orders-api"},
		Scopes: []string{"read"}})
	if err != nil {
		t.Fatal(err)
	}
	if code, out, errs := sidecar(t, tok, "introspect", "--config", file); code != exitOK ||
		!strings.Contains(out, `"scopes": [`) || strings.Contains(out, tok) {
		t.Errorf("introspect: exit %d\n%s%s", code, out, errs)
	}
	s.Revoke(tok)
	if code, out, _ := sidecar(t, tok, "introspect", "--config", file); code != exitFailed ||
		!strings.Contains(out, "fault  token: it is not active") || !strings.Contains(out, "do: ") {
		t.Errorf("introspect of a revoked token: exit %d\n%s", code, out)
	}
	if code, _, errs := sidecar(t, "", "init", "--issuer", s.Issuer(), "--client-id", "orders-api", "--dir",
		dir); code != exitFailed || !strings.Contains(errs, "the file exists") {
		t.Errorf("a second init: exit %d\n%s", code, errs)
	}
}

func TestAnInitThatFailsLeavesNothingSoThatTheCorrectedOneWorks(t *testing.T) {
	s := issuerOfOrders(t)
	dir := filepath.Join(t.TempDir(), "new")
	right := []string{"init", "--issuer", s.Issuer(), "--client-id", "orders-api", "--audience", "orders-api", "--dir",
		dir}
	notPEM := testkit.TempFile(t, "ca.pem", "no certificate")
	missing := filepath.Join(t.TempDir(), "nofile")
	for _, c := range []struct {
		in   string
		args []string
		exit int
		said []string
	}{
		{"", []string{"--mode", "opaque"}, exitUsage, []string{"--mode: ", "introspect"}},
		{"", []string{"--dialect", "keyclok"}, exitUsage, []string{"--dialect: ", "keycloak"}},
		{"", []string{"--auth", "private_key_jwt"}, exitUsage,
			[]string{"--client-key-file: is missing, and the method private_key_jwt needs it", "PEM or JWK"}},
		{"", []string{"--client-key-file", "nokey.pem"}, exitUsage,
			[]string{"--client-key-file: read secret", "no such file"}},
		{"", []string{"--auth", "secret"}, exitUsage, []string{"--auth: "}},
		{"", []string{"--client-secret-file", missing}, exitUsage, []string{"--client-secret-file: ", "no such file"}},
		{"", []string{"--client-secret-file", t.TempDir()}, exitUsage,
			[]string{"--client-secret-file: ", "directory"}},
		{"", []string{"--ca-file", missing}, exitUsage, []string{"--ca-file: ", "no such file"}},
		{"", []string{"--ca-file", notPEM}, exitUsage, []string{"--ca-file: ", "PEM"}},
		{"", []string{"--auth", "bearer"}, exitUsage, []string{
			"name the file that holds it with --client-secret-file"}},
		{"", []string{"--issuer", "login.acme.example"}, exitUsage, []string{"--issuer: "}},
		{"", nil, exitUsage, []string{"no client secret was given"}},
		{"not-the-secret\n", nil, exitFailed, []string{"nothing is written"}},
	} {
		code, out, errs := sidecar(t, c.in, append(right, c.args...)...)
		for _, want := range c.said {
			if !strings.Contains(errs, want) || code != c.exit {
				t.Errorf("%v: exit %d, want %q\n%s%s", c.args, code, want, out, errs)
			}
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%v: something is written", c.args)
		}
	}
	if code, out, errs := sidecar(t, "a-secret-of-orders\n", right...); code != exitOK {
		t.Errorf("the corrected command: exit %d\n%s%s", code, out, errs)
	}
}

func TestInitSaysWhatTheServerRefuses(t *testing.T) {
	s := issuerOfOrders(t)
	code, out, errs := sidecar(t, "not-the-secret\n", "init", "--issuer", s.Issuer(), "--client-id", "orders-api",
		"--dir", t.TempDir())
	if code != exitFailed || !strings.Contains(out, "fault  credentials:") || !strings.Contains(out, "status 401") ||
		!strings.Contains(out, "--client-secret-file") || strings.Contains(out+errs, "not-the-secret") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
}

func TestInitRefusesADirectoryThatIsAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := sidecar(t, "", "init", "--issuer", "https://x.example", "--client-id", "x", "--dir",
		file); code != exitUsage || !strings.Contains(errs, "is not a directory") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

func TestInitStopsAtAnIssuerThatIsSpelledAnotherWay(t *testing.T) {
	s := issuerOfOrders(t)
	dir := t.TempDir()
	code, _, errs := sidecar(t, "", "init", "--issuer", strings.Replace(s.Issuer(), "127.0.0.1", "localhost", 1),
		"--client-id", "x", "--dir", dir)
	if code != exitFailed || !strings.Contains(errs, "calls itself") {
		t.Errorf("exit %d: %s", code, errs)
	}
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Errorf("written: %v", entries)
	}
}

func TestInitSaysItsHintsInFlags(t *testing.T) {
	as := httptest.NewTLSServer(http.NotFoundHandler())
	defer as.Close()
	if _, _, errs := sidecar(t, "", "init", "--issuer", as.URL, "--client-id", "x", "--dir",
		t.TempDir()); !strings.Contains(errs, "--ca-file") || strings.Contains(errs, "ca_file") {
		t.Error(errs)
	}
	s := issuerOfOrders(t)
	if _, _, errs := sidecar(t, "", "init", "--issuer", s.Issuer()+"/", "--client-id", "x", "--dir",
		t.TempDir()); !strings.Contains(errs, "give --issuer exactly") {
		t.Error(errs)
	}
}

func TestInitPromisesNoCacheWhereNothingIsAsked(t *testing.T) {
	s := issuerOfOrders(t)
	for mode, want := range map[string]bool{"jwt": false, "introspect": true} {
		dir := t.TempDir()
		sidecar(t, "a-secret-of-orders\norders-api\n", "init", "--issuer", s.Issuer(), "--client-id", "orders-api",
			"--mode", mode, "--dir", dir)
		b, err := os.ReadFile(filepath.Join(dir, "sidecar.yaml"))
		if err != nil || strings.Contains(string(b), "ttl: 30s") != want ||
			strings.Contains(string(b), "#canary:") != want {
			t.Errorf("%s: %v\n%s", mode, err, b)
		}
	}
}

func TestInitWritesIntoADirectoryThatIsNotThereYet(t *testing.T) {
	s := issuerOfOrders(t)
	dir := filepath.Join(t.TempDir(), "new")
	if code, out, errs := sidecar(t, "a-secret-of-orders\norders-api\n", "init", "--issuer", s.Issuer(), "--client-id",
		"orders-api", "--dir", dir); code != exitOK {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
}

func TestInitLeavesASecretThatIsThereAlone(t *testing.T) {
	s := issuerOfOrders(t)
	dir := t.TempDir()
	kept := filepath.Join(dir, "client-secret")
	if err := os.WriteFile(kept, []byte("a-secret-of-orders\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	code, out, errs := sidecar(t, "orders-api\nanother-secret\n", "init", "--issuer", s.Issuer(), "--client-id",
		"orders-api", "--dir", dir)
	if code != exitOK || strings.Contains(errs, "Client secret of") ||
		!strings.Contains(errs, kept+" exists, and is used as the client secret") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	if b, err := os.ReadFile(kept); err != nil || string(b) != "a-secret-of-orders\n" {
		t.Errorf("it holds %q now, %v", b, err)
	}
}

func TestInitForAServerThatIsNotAskedNeedsNoSecret(t *testing.T) {
	s := issuerOfOrders(t)
	dir := t.TempDir()
	if code, out, errs := sidecar(t, "orders-api\n", "init", "--issuer", s.Issuer(), "--client-id", "orders-api",
		"--mode", "jwt", "--dir", dir); code != exitOK {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
}

func TestWhatInitWroteCanBeUsedFromAnywhereAndMoved(t *testing.T) {
	s := issuerOfOrders(t)
	t.Chdir(t.TempDir())
	if code, out, errs := sidecar(t, "a-secret-of-orders\norders-api\n", "init", "--issuer", s.Issuer(), "--client-id",
		"orders-api", "--dir", "a"); code != exitOK {
		t.Fatalf("exit %d\n%s%s", code, out, errs)
	}
	if code, out, errs := sidecar(t, "", "check", "--config", "a/sidecar.yaml", "--online"); code != exitOK {
		t.Errorf("from where it was written: exit %d\n%s%s", code, out, errs)
	}
	if err := os.Rename("a", "b"); err != nil {
		t.Fatal(err)
	}
	t.Chdir("b")
	if code, out, errs := sidecar(t, "", "check", "--online"); code != exitOK {
		t.Errorf("moved: exit %d\n%s%s", code, out, errs)
	}
}

func TestInitTakesNoServerForAnotherByAPath(t *testing.T) {
	for _, c := range []struct {
		members, said string
	}{
		{`"jwks_uri":"ISSUER/.well-known/jwks"`, "looks like openiddict"},
		{`"jwks_uri":"ISSUER/.well-known/openid-configuration/jwks"`, "looks like duende"},
		{`"jwks_uri":"ISSUER/keys"`, "this may be duende or openiddict, and the metadata does not tell which"},
	} {
		var as *httptest.Server
		as = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w,
				strings.ReplaceAll(`{"issuer":"ISSUER","introspection_endpoint":"ISSUER/connect/introspect",`+
					c.members+`}`, "ISSUER", as.URL))
		}))
		_, _, errs := sidecar(t, "", "init", "--issuer", as.URL, "--client-id", "x", "--audience", "y", "--dir",
			t.TempDir())
		as.Close()
		if !strings.Contains(errs, c.said) {
			t.Errorf("%s: %s", c.members, errs)
		}
	}
}

func TestStrictMakesDoubtsFail(t *testing.T) {
	s := issuerOfOrders(t)
	dir := t.TempDir()
	if code, out, errs := sidecar(t, "a-secret-of-orders\n", "init", "--issuer", s.Issuer(), "--client-id",
		"orders-api", "--dir", dir); code != exitOK ||
		!strings.Contains(out, "\nno faults, no doubts\n") {
		t.Fatalf("exit %d\n%s%s", code, out, errs)
	}
	file := filepath.Join(dir, "sidecar.yaml")
	tok, err := s.Issue(devissuer.Grant{ClientID: "orders-api", Audience: []string{"orders-api"},
		Scopes: []string{"read"}})
	if err != nil {
		t.Fatal(err)
	}
	if code, out, _ := sidecar(t, tok, "introspect", "--config", file); code != exitOK ||
		lastLine(out) != "no faults, 1 doubt" {
		t.Errorf("exit %d\n%s", code, out)
	}
	if code, out, errs := sidecar(t, tok, "introspect", "--config", file, "--strict"); code != exitFailed ||
		!strings.Contains(errs, "--strict") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	if code, out, _ := sidecar(t, "", "check", "--config", file, "--online", "--strict"); code != exitOK ||
		lastLine(out) != "no faults, no doubts" {
		t.Errorf("check: exit %d\n%s", code, out)
	}
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}

func TestInitTakesBackWhatDoesNotLoadWithTheFilesThatAreThere(t *testing.T) {
	s := issuerOfOrders(t)
	dir := t.TempDir()
	own := testkit.WriteFile(t, filepath.Join(dir, "policies", "authz", "decision.rego"),
		"package authz\n\nallow := true\n")
	code, out, errs := sidecar(t, "a-secret-of-orders\n", "init", "--issuer", s.Issuer(), "--client-id", "orders-api",
		"--dir", dir)
	if code != exitNotCompile || !strings.Contains(errs, "data.authz.decision") ||
		!strings.Contains(out, "kept   "+own) {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	var left []string
	_ = filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			left = append(left, name)
		}
		return err
	})
	if len(left) != 1 || left[0] != own {
		t.Errorf("left: %v", left)
	}
}

func TestAPrivateKeyIsKeptByTheNameOfItsFile(t *testing.T) {
	t.Chdir(t.TempDir())
	testkit.WriteFile(t, "key.pem", testkit.KeyPEM(t, testkit.NewKey(t)))
	s := start{Issuer: "https://id.example", ClientID: "api", Dialect: "rfc7662", Mode: "introspect",
		Auth: "private_key_jwt", Audience: "api", KeyFile: "key.pem", KeyID: "k1", dir: "."}
	cfg, err := s.trialConfig()
	if err != nil {
		t.Fatal(err)
	}
	if c := cfg.Issuers[0].Endpoint.Client; c.Key.File != "key.pem" || c.KeyID != "k1" || c.Auth != "private_key_jwt" {
		t.Errorf("the client is %+v", c)
	}
}
