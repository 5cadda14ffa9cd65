package decisionlog

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// withoutCredentials takes members that carry credentials out of the value that begins at start, and lists pointers to
// them below root. It is the last defence: what builds the input leaves them out (INT-21). A credential is text, or a
// list of it; a member of such a name that holds an object, as some issuers' claims do, is none.
func withoutCredentials(dst []byte, start int, root string) ([]byte, []string, error) {
	if !suspicious(dst[start:]) {
		return dst, nil, nil
	}
	kept, erased, err := strip(dst[start:], root)
	if err != nil || erased == nil {
		return dst, nil, err
	}
	return append(dst[:start], kept...), erased, nil
}

// suspicious reports whether v may have a member that isCredential. It looks for the ends of names, which begin with
// a rare letter, because it runs over every event.
func suspicious(v []byte) bool {
	return bytes.Contains(v, []byte(`zation"`)) || bytes.Contains(v, []byte(`kie"`)) ||
		bytes.Contains(v, []byte(`dpop"`))
}

func isCredential(name string) bool {
	switch strings.ToLower(name) {
	case "authorization", "proxy-authorization", "cookie", "set-cookie", "dpop":
		return true
	}
	return false
}

// strip copies v without its credentials, in one pass however deep v is.
func strip(v []byte, root string) (kept []byte, erased []string, err error) {
	var out bytes.Buffer
	in, enc := jsontext.NewDecoder(bytes.NewReader(v)), jsontext.NewEncoder(&out)
	for {
		tok, err := in.ReadToken()
		if errors.Is(err, io.EOF) {
			return bytes.TrimSuffix(out.Bytes(), []byte("\n")), erased, nil
		}
		if err != nil {
			return nil, nil, errNotJSON
		}
		if isName(in) && isCredential(tok.String()) {
			tok = jsontext.String(tok.String()) // the token read is only good until the next
			if in.PeekKind() != '{' {
				where := root + string(in.StackPointer())
				value, err := in.ReadValue()
				if err != nil {
					return nil, nil, errNotJSON
				}
				if bytes.IndexByte(value, '"') >= 0 {
					erased = append(erased, where)
					continue
				}
				if err := errors.Join(enc.WriteToken(tok), enc.WriteValue(value)); err != nil {
					return nil, nil, errNotJSON
				}
				continue
			}
		}
		if err := enc.WriteToken(tok); err != nil {
			return nil, nil, errNotJSON
		}
	}
}

// isName reports whether the token just read is the name of a member.
func isName(in *jsontext.Decoder) bool {
	kind, n := in.StackIndex(in.StackDepth())
	return kind == '{' && n%2 == 1
}
