package dialect

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

// redacted stands for a credential in an answer. The claims of a token reach policies and the decision log; the token
// itself never does, not even when its own server echoes it.
const redacted = "[redacted]"

// redact returns body with every string that holds tok, and every top-level member in names, replaced. Members keep their
// places and everything else its spelling. A body that is not JSON is returned as it is: nothing will be read from it.
func redact(body []byte, tok secret.Text, names []string) []byte {
	var out bytes.Buffer
	in := jsontext.NewDecoder(bytes.NewReader(body))
	to := jsontext.NewEncoder(&out)
	for {
		kind := in.PeekKind()
		if top, n := in.StackIndex(in.StackDepth()); in.StackDepth() == 1 && top == '{' && n%2 == 1 && slices.Contains(names, in.StackPointer().LastToken()) {
			if in.SkipValue() != nil || to.WriteToken(jsontext.String(redacted)) != nil {
				return body
			}
			continue
		}
		var err error
		if kind == '"' {
			var t jsontext.Token
			if t, err = in.ReadToken(); err == nil {
				s := t.String()
				if !tok.Empty() {
					s = strings.ReplaceAll(s, tok.Reveal(), redacted)
				}
				err = to.WriteToken(jsontext.String(s))
			}
		} else {
			var t jsontext.Token
			if t, err = in.ReadToken(); err == nil {
				err = to.WriteToken(t)
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
		case err != nil:
			return body
		}
	}
}
