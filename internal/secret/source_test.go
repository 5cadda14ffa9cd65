package secret_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

func TestASecretComesFromAFileOrAVariable(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	t.Setenv("A_SECRET", "from the environment")
	t.Setenv("AN_EMPTY_SECRET", "")
	for name, c := range map[string]struct {
		source secret.Source
		want   string
	}{
		"file":                  {secret.Source{File: write("a", "from a file")}, "from a file"},
		"one newline is not it": {secret.Source{File: write("b", "line\r\n")}, "line"},
		"the second one is":     {secret.Source{File: write("c", "line\n\n")}, "line\n"},
		"environment":           {secret.Source{Env: "A_SECRET"}, "from the environment"},
		"neither":               {secret.Source{}, ""},
		"both":                  {secret.Source{File: write("d", "x"), Env: "A_SECRET"}, ""},
		"empty file":            {secret.Source{File: write("e", "\n")}, ""},
		"no such file":          {secret.Source{File: filepath.Join(dir, "nosuch")}, ""},
		"no such variable":      {secret.Source{Env: "NO_SUCH_SECRET"}, ""},
		"empty variable":        {secret.Source{Env: "AN_EMPTY_SECRET"}, ""},
		"too large":             {secret.Source{File: write("f", strings.Repeat("x", secret.MaxBytes+1))}, ""},
		"directory":             {secret.Source{File: dir}, ""},
	} {
		got, err := c.source.Read()
		if got.Reveal() != c.want || (err == nil) != (c.want != "") || got.Empty() != (c.want == "") {
			t.Errorf("%s: got %q, %v", name, got.Reveal(), err)
		}
	}
	if !(secret.Source{}).IsZero() || (secret.Source{Env: "X"}).IsZero() {
		t.Error("IsZero is wrong")
	}
}

func TestINT15_FingerprintsTellPartsApartAndDieWithTheirKey(t *testing.T) {
	f := secret.NewFingerprinter()
	a := f.Of(secret.New("tok"), "issuer", "client")
	for name, b := range map[string]secret.Fingerprint{
		"another token":        f.Of(secret.New("tok2"), "issuer", "client"),
		"another scope":        f.Of(secret.New("tok"), "issuer", "client2"),
		"parts moved":          f.Of(secret.New("tok"), "issuerclient", ""),
		"token moved in scope": f.Of(secret.New(""), "issuer", "client", "tok"),
		"another key":          secret.NewFingerprinter().Of(secret.New("tok"), "issuer", "client"),
	} {
		if a == b {
			t.Errorf("%s gives the same fingerprint", name)
		}
	}
	if a != f.Of(secret.New("tok"), "issuer", "client") {
		t.Error("the same gives another fingerprint")
	}
}

// TestAByteOrderMarkIsNoPartOfASecret: editors of Windows put it in front, where it is invisible.
func TestAByteOrderMarkIsNoPartOfASecret(t *testing.T) {
	name := filepath.Join(t.TempDir(), "secret")
	for content, want := range map[string]string{"\ufeffs3cret\r\n": "s3cret", "s3\ufeffcret": "s3\ufeffcret"} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := (secret.Source{File: name}).Read(); err != nil || got.Reveal() != want {
			t.Errorf("%q: %q, %v", content, got.Reveal(), err)
		}
	}
	for _, content := range []string{"\xff\xfes\x00", "\xfe\xff\x00s"} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := (secret.Source{File: name}).Read(); err == nil || !strings.Contains(err.Error(), "UTF-16") {
			t.Errorf("%q: %v", content, err)
		}
	}
	if err := os.WriteFile(name, []byte("\ufeff\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (secret.Source{File: name}).Read(); err == nil {
		t.Error("a file that holds nothing else is a secret")
	}
}
