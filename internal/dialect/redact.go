package dialect

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

// redact takes credentials out of an answer. The claims of a token reach policies and the decision log, but the token
// itself must not, even when its own server echoes it. It returns body with every value that holds tok, every name
// that holds it, and every top-level member in names, replaced. Members keep their places and everything else its
// spelling. A body that is not JSON, or not JSON any more with the token replaced, is dropped as a whole.
func redact(body []byte, tok secret.Text, names []string) []byte {
	body = bytes.TrimPrefix(body, []byte("\ufeff")) // RFC 8259 section 8.1 lets a parser ignore it
	if !utf8.Valid(body) {
		return nil
	}
	// Half a character stays as it is written: two texts that differ must not become one.
	in := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowInvalidUTF8(true))
	out := bytes.NewBuffer(make([]byte, 0, len(body)+len(body)/2+64)) // an encoder wants a quarter to spare
	to := jsontext.NewEncoder(out, jsontext.AllowInvalidUTF8(true), jsontext.PreserveRawStrings(true))
	hide := secret.NewHider(tok)
	for {
		in.PeekKind() // moves on to the value, whose place is looked at
		var err error
		kind, n := in.StackIndex(in.StackDepth())
		top := in.StackDepth() == 1 && kind == '{'
		switch {
		case top && n%2 == 1 && slices.Contains(names, in.StackPointer().LastToken()):
			if err = in.SkipValue(); err == nil {
				err = to.WriteToken(jsontext.String(secret.Redacted))
			}
		case top && n%2 == 0:
			err = hide.CopyToken(to, in, "active") // a guess at a token such as "active" does not hide the answer
		default:
			err = hide.CopyToken(to, in, "")
		}
		switch {
		case errors.Is(err, io.EOF):
			return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
		case err != nil:
			return nil
		}
	}
}
