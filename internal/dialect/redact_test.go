package dialect

import (
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

func TestATokenThatItsServerEchoesIsNeverAClaim(t *testing.T) {
	const token = "s3cr3t/token+with.all-of~it"
	for name, body := range map[string]string{
		"plain":           `{"active":true,"token":"` + token + `"}`,
		"escaped":         `{"active":true,"token":"s3cr3t\/token\u002bwith.all-of~it"}`,
		"within a string": `{"active":true,"note":"Bearer ` + token + ` is fine"}`,
		"nested":          `{"active":true,"a":[{"b":["` + token + `"]}]}`,
		"as a name":       `{"active":true,"` + token + `":1}`,
		"as jti":          `{"jti":"` + token + `","active":true}`,
	} {
		got := string(redact([]byte(body), secret.New(token), nil))
		if strings.Contains(got, "s3cr3t") || !strings.Contains(got, redacted) || !strings.Contains(got, `"active":true`) || !jsontext.Value(got).IsValid() {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

func TestMembersThatHoldATokenAreRedactedAtTheTopOnly(t *testing.T) {
	got := string(redact([]byte(`{"jwt":{"a":[1]},"active":true,"x":{"jwt":"stays"},"n":1.50}`), secret.New("t0ken"), []string{"jwt"}))
	if want := `{"jwt":"[redacted]","active":true,"x":{"jwt":"stays"},"n":1.50}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestWhatIsNotJSONIsLeftForTheReaderToRefuse(t *testing.T) {
	for _, body := range []string{"", "<html>", `{"a":1,"a":2}`, `{"a":`, "{}{}", "\xff"} {
		got := redact([]byte(body), secret.New("t0ken"), []string{"jwt"})
		if body != "{}{}" && string(got) != body {
			t.Errorf("%q: got %q", body, got)
		}
		if f, err := New(Config{}, "").Read(got, secret.Text{}, time.Unix(2000, 0)); err == nil {
			t.Errorf("%q is read as %v", body, f.Claims)
		}
	}
}
