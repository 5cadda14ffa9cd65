package dialect

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

// redacted stands for a credential in an answer. The claims of a token reach policies and the decision log; the token
// itself never does, not even when its own server echoes it.
const redacted = "[redacted]"

// redact returns body with every value that holds tok, every name that does, and every top-level member in names, replaced.
// Members keep their places and everything else its spelling. Of a body that is not JSON, or that is none without the
// token, nothing is left to be read.
func redact(body []byte, tok secret.Text, names []string) []byte {
	var out bytes.Buffer
	body = bytes.TrimPrefix(body, []byte("\ufeff")) // RFC 8259 section 8.1 lets a parser ignore it
	if !utf8.Valid(body) {
		return nil
	}
	// Half a character stays as it is written: two texts that differ must not become one.
	in := jsontext.NewDecoder(bytes.NewReader(body), jsontext.AllowInvalidUTF8(true))
	to := jsontext.NewEncoder(&out, jsontext.AllowInvalidUTF8(true), jsontext.PreserveRawStrings(true))
	hide := hiding(tok)
	for {
		in.PeekKind() // moves on to the value, whose place is looked at
		var err error
		kind, n := in.StackIndex(in.StackDepth())
		top := in.StackDepth() == 1 && kind == '{'
		switch {
		case top && n%2 == 1 && slices.Contains(names, in.StackPointer().LastToken()):
			if err = in.SkipValue(); err == nil {
				err = to.WriteToken(jsontext.String(redacted))
			}
		case top && n%2 == 0:
			err = copyToken(to, in, butActive(hide))
		default:
			err = copyToken(to, in, hide)
		}
		switch {
		case errors.Is(err, io.EOF):
			return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
		case err != nil:
			return nil
		}
	}
}

// butActive leaves the name of the member that says whether a token is active, which a guess such as "act" would hide.
func butActive(hide func(string) string) func(string) string {
	return func(name string) string {
		if name == "active" {
			return name
		}
		return hide(name)
	}
}

// copyToken copies one token of JSON. A number that is the credential becomes a text without it.
func copyToken(to *jsontext.Encoder, in *jsontext.Decoder, hide func(string) string) error {
	t, err := in.ReadToken()
	if err != nil {
		return err
	}
	switch t.Kind() {
	case '"':
		s := t.String()
		if hidden := hide(s); hidden != s {
			t = jsontext.String(hidden)
		}
	case '0':
		if hide(t.String()) == redacted {
			t = jsontext.String(redacted)
		}
	}
	return to.WriteToken(t)
}

// inOtherForms are the characters of tokens (RFC 9110 section 11.2) that look otherwise in a URL, or in JSON within a text.
var inOtherForms = strings.NewReplacer(`\+`, `(?:\+|%2[Bb])`, `/`, `(?:\\*/|%2[Ff])`, `=`, `(?:=|%3[Dd])`, `~`, `(?:~|%7[Ee])`)

// hiding returns what takes tok out of a text.
func hiding(tok secret.Text) func(string) string {
	plain := tok.Reveal()
	if plain == "" {
		return func(s string) string { return s }
	}
	if strings.ContainsAny(plain, "+/=~") {
		if spelt, err := regexp.Compile(inOtherForms.Replace(regexp.QuoteMeta(plain))); err == nil { // as it is for all that is a token
			return func(s string) string { return spelt.ReplaceAllLiteralString(s, redacted) }
		}
	}
	return func(s string) string { return strings.ReplaceAll(s, plain, redacted) }
}
