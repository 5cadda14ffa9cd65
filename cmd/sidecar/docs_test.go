package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/dialect"
)

// secretsHere puts the files that a documented configuration names below the working directory, and says so to it.
func secretsHere(t *testing.T, src string) string {
	t.Helper()
	for _, dir := range []string{"/run/secrets/", "/etc/sidecar/"} {
		here := filepath.Join(t.TempDir(), "files")
		if err := os.MkdirAll(here, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(regexp.QuoteMeta(dir)+`([\w.-]+)`).FindAllStringSubmatch(src, -1) {
			content := []byte(strings.Repeat("s", 64) + "\n")
			if strings.HasSuffix(m[1], ".pem") {
				content = privateKey(t)
			}
			if err := os.WriteFile(filepath.Join(here, m[1]), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		src = strings.ReplaceAll(src, dir, here+"/")
	}
	return src
}

func privateKey(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// TestEveryConfigurationOfIssuersPassesCheck: what docs/issuers.md shows is what people paste.
func TestEveryConfigurationOfIssuersPassesCheck(t *testing.T) {
	doc, err := os.ReadFile("../../docs/issuers.md")
	if err != nil {
		t.Fatal(err)
	}
	policy, err := templates.ReadFile("template/decision.rego")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	if err := os.Mkdir("policies", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("policies/decision.rego", policy, 0o600); err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for _, block := range regexp.MustCompile("(?ms)^```yaml\n(.*?)^```").FindAllStringSubmatch(string(doc), -1) {
		src := block[1]
		for _, m := range regexp.MustCompile(`(?m)^ +dialect: (\S+)`).FindAllStringSubmatch(src, -1) {
			shown[m[1]] = true
		}
		if err := os.WriteFile("sidecar.yaml", []byte(secretsHere(t, src)), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, out, errs := sidecar(t, "", "check", "--config", "sidecar.yaml"); code != exitOK {
			t.Errorf("exit %d\n%s%s\n%s", code, out, errs, src)
		}
	}
	field, _ := reflect.TypeFor[dialect.Config]().FieldByName("Dialect")
	for name := range strings.SplitSeq(field.Tag.Get("enum"), "|") {
		if !shown[name] {
			t.Errorf("no configuration has dialect %s", name)
		}
	}
}
