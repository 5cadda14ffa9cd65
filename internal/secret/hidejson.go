package secret

import (
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// JSON returns v, a JSON value, with every string and name that holds the secret, and every number that is it,
// replaced. Everything else keeps its place and its spelling. Nil is returned of what is not JSON, or has no form
// without the secret since two names would become one.
func (h *Hider) JSON(v []byte) []byte {
	var out bytes.Buffer
	in := jsontext.NewDecoder(bytes.NewReader(v))
	to := jsontext.NewEncoder(&out, jsontext.PreserveRawStrings(true))
	for {
		switch err := h.CopyToken(to, in, ""); {
		case errors.Is(err, io.EOF):
			return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
		case err != nil:
			return nil
		}
	}
}

// InJSON reports whether v may hold the secret, so that JSON would replace something.
func (h *Hider) InJSON(v []byte) bool {
	if h == nil || len(v) == 0 {
		return false
	}
	if len(h.plain) < shortest {
		return true // only a whole text counts, and its ends are not seen from outside
	}
	return len(v) >= len(h.plain) && h.In(string(v))
}

// CopyToken copies one token of JSON without the secret. A number that is the secret becomes a text. A string equal to
// stays is copied.
func (h *Hider) CopyToken(to *jsontext.Encoder, in *jsontext.Decoder, stays string) error {
	t, err := in.ReadToken()
	if err != nil {
		return err
	}
	switch {
	case h == nil:
	case t.Kind() == '"':
		s := t.String()
		if hidden := h.Hide(s); hidden != s && s != stays {
			t = jsontext.String(hidden)
		}
	case t.Kind() == '0' && t.String() == h.plain:
		t = jsontext.String(Redacted)
	}
	return to.WriteToken(t)
}
