// Package strictjson reads JSON that must have one meaning: names are compared as they are written, no member occurs
// twice, and text is UTF-8. Package encoding/json takes the last of two members and ignores the case of names.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// maxDepth is how deep values may nest.
const maxDepth = 1000

// ErrTwice is a member that occurs twice.
var ErrTwice = errors.New("occurs twice")

// Check reports what is wrong with b as one JSON value. Its error quotes nothing of b but names of members.
func Check(b []byte) error {
	if !utf8.Valid(b) {
		return errors.New("not UTF-8")
	}
	if !json.Valid(b) { // the decoder below may see less
		return errors.New("not well-formed JSON")
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	return value(dec, 0)
}

func value(dec *json.Decoder, depth int) error {
	tok, err := dec.Token()
	if err != nil {
		return errors.New("not well-formed JSON")
	}
	if depth > maxDepth {
		return errors.New("nested too deep")
	}
	switch tok {
	case json.Delim('{'):
		return object(dec, depth)
	case json.Delim('['):
		for dec.More() {
			if err := value(dec, depth+1); err != nil {
				return err
			}
		}
		return end(dec)
	}
	return nil
}

func object(dec *json.Decoder, depth int) error {
	seen := map[string]bool{}
	for dec.More() {
		tok, err := dec.Token()
		name, ok := tok.(string)
		if err != nil || !ok {
			return errors.New("not well-formed JSON")
		}
		if seen[name] {
			return fmt.Errorf("member %q %w", name, ErrTwice)
		}
		seen[name] = true
		if err := value(dec, depth+1); err != nil {
			return err
		}
	}
	return end(dec)
}

func end(dec *json.Decoder) error {
	if _, err := dec.Token(); err != nil {
		return errors.New("not well-formed JSON")
	}
	return nil
}

// Object returns the members of b, which Check has passed, by their exact names. It is an error when b is no object.
func Object(b []byte) (map[string]json.RawMessage, error) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(b, &m); err != nil || m == nil {
		return nil, errors.New("not an object")
	}
	return m, nil
}
