// Package jsonbound bounds the JSON of callers and servers: how deep it nests and how large its numbers are. A value
// within the bounds can be evaluated, compared, logged and masked by every part of the sidecar.
package jsonbound

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxDepth is how deep a value may nest, so that a policy that walks it ends soon (AZ-14).
const MaxDepth = 64

// maxNumber is how many characters a number may have, and how large its exponent may be, either way: far more than a
// double needs (RFC 7493 section 2.2), and less than what arithmetic would be slow on.
const maxNumber = 10_000

// The causes of a Fault, for people.
const (
	TooDeep  = "is nested deeper than 64"
	TooLarge = "is a number with an exponent, or a count of digits, over 10000"
)

// Fault is a part of a value that is out of bounds.
type Fault struct {
	// At points to the part, from the root of the value.
	At jsontext.Pointer
	// Cause is TooDeep or TooLarge.
	Cause string
}

// Check returns the first fault in a JSON value, or nil. It returns nil for text that is not JSON, which the reader of
// the value refuses.
func Check(v []byte) *Fault {
	nested, numbers := brackets(v) > MaxDepth, suspect(v)
	if !nested && !numbers {
		return nil
	}
	dec := decoder(v)
	for {
		tok, err := dec.ReadToken()
		switch {
		case err != nil:
			return nil
		case dec.StackDepth() > MaxDepth:
			return &Fault{dec.StackPointer(), TooDeep}
		case numbers && tok.Kind() == '0' && !Number(tok.String()):
			return &Fault{dec.StackPointer(), TooLarge}
		}
	}
}

// Deep reports whether a JSON value is nested deeper than MaxDepth.
func Deep(v []byte) bool {
	if brackets(v) <= MaxDepth {
		return false
	}
	for dec := decoder(v); ; {
		if _, err := dec.ReadToken(); err != nil {
			return false
		}
		if dec.StackDepth() > MaxDepth {
			return true
		}
	}
}

func decoder(v []byte) *jsontext.Decoder {
	return jsontext.NewDecoder(bytes.NewReader(v), jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
}

// brackets counts the opening brackets in v, those in strings included: v is not nested deeper.
func brackets(v []byte) int { return bytes.Count(v, []byte("{")) + bytes.Count(v, []byte("[")) }

// suspect reports whether v may hold a number that is too large: an exponent of five digits makes one, or thousands of
// digits.
func suspect(v []byte) bool {
	digits, exponent := 0, false
	for _, c := range v {
		switch {
		case c >= '0' && c <= '9' || c == '.':
			if digits++; digits > maxNumber/2 || exponent && digits > 4 {
				return true
			}
		case digits > 0 && (c == 'e' || c == 'E'):
			digits, exponent = 0, true
		case exponent && digits == 0 && (c == '+' || c == '-'):
		default:
			digits, exponent = 0, false
		}
	}
	return false
}

// Number reports whether every part of the sidecar can read and compare a JSON number (RFC 8259 section 6).
func Number(text string) bool {
	if len(text) > maxNumber {
		return false
	}
	at := strings.IndexAny(text, "eE")
	if at < 0 {
		return true
	}
	exp, err := strconv.Atoi(text[at+1:])
	return err == nil && exp <= maxNumber && exp >= -maxNumber
}
