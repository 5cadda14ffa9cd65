package dialect

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// redact takes credentials out of an answer. The claims of a token reach policies and the decision log, but the token
// itself must not, even when its own server echoes it. It returns body with every value that holds tok, every name
// that holds it, and every top-level member in names, replaced. Members keep their places and everything else its
// spelling, without white space. A body that is not JSON, or not JSON any more with the token replaced, is dropped as
// a whole.
//
// Of one JSON object it returns the members too, which are parts of what it returns and such as jose.ReadClaims reads,
// but for its bound on nesting.
func redact(body []byte, tok secret.Text, names []string) (jsontext.Value, jose.Claims) {
	body = bytes.TrimPrefix(body, []byte("\ufeff")) // RFC 8259 section 8.1 lets a parser ignore it
	if !utf8.Valid(body) {
		return nil, nil
	}
	// Half a character stays as it is written: two texts that differ must not become one.
	in := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowInvalidUTF8(true))
	out := bytes.NewBuffer(make([]byte, 0, len(body)+len(body)/2+64)) // an encoder wants a quarter to spare
	to := jsontext.NewEncoder(out, jsontext.AllowInvalidUTF8(true), jsontext.PreserveRawStrings(true))
	hide := secret.NewHider(tok)
	found := places{ends: make([]int, 0, usualMembers)}
	for {
		in.PeekKind() // moves on to the value, whose place is looked at
		var err error
		kind, n := in.StackIndex(in.StackDepth())
		top := in.StackDepth() == 1 && kind == '{'
		switch {
		case top && n%2 == 1 && len(names) > 0 && slices.Contains(names, in.StackPointer().LastToken()):
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
			raw := bytes.TrimSuffix(out.Bytes(), []byte("\n"))
			return raw, found.in(raw)
		case err != nil:
			return nil, nil
		}
		found.wrote(to)
	}
}

// places is where the members of an object are in a text that is being written.
type places struct {
	ends []int // of the brace that opens the object, and then of each name and of each value
	more bool  // the text has more than one value
}

// usualMembers is how many names and values an answer mostly has at the most.
const usualMembers = 48

// wrote is called after each token.
func (p *places) wrote(to *jsontext.Encoder) {
	switch kind, n := to.StackIndex(to.StackDepth()); {
	case to.StackDepth() == 0:
		p.more = n > 1
	case to.StackDepth() == 1 && kind == '{' && int(n) == len(p.ends):
		p.ends = append(p.ends, int(to.OutputOffset()))
	}
}

// in are the members of the object that text is, or nil where it is none.
func (p *places) in(text jsontext.Value) jose.Claims {
	if text.Kind() != '{' || p.more {
		return nil
	}
	const between = 1 // a comma or a colon
	c := make(jose.Claims, len(p.ends)/2)
	for i, end := range p.ends {
		if i == 0 || i%2 == 1 {
			continue
		}
		from, colon := p.ends[i-2], p.ends[i-1]
		if i > 2 {
			from += between
		}
		name, _ := jsontext.AppendUnquote(nil, text[from:colon]) // as it is, but for halves of characters
		c[string(name)] = text[colon+between : end : end]
	}
	return c
}
