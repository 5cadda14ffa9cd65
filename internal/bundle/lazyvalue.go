package bundle

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// jsonText is the text of a value, from its first character on. It stands for the value where only some levels of
// large data are looked at, and must be well-formed for that.
type jsonText []byte

// jsonTextOf is the value in a file.
func jsonTextOf(raw []byte) jsonText { return bytes.TrimLeft(withoutBOM(raw), " \t\r\n") }

func (t jsonText) isObject() bool { return len(t) > 0 && t[0] == '{' }

// members are those of an object, each with its own text.
func (t jsonText) members() map[string]any {
	out := map[string]any{}
	dec := decoderOf(t, jsontext.AllowDuplicateNames(true)) // of which there are none
	for _, err := dec.ReadToken(); err == nil; {
		var name jsontext.Token
		if name, err = dec.ReadToken(); err != nil || name.Kind() != jsontext.KindString {
			break
		}
		key, begin := name.String(), nextToken(t, dec)
		if err = dec.SkipValue(); err == nil {
			out[key] = t[begin:dec.InputOffset()]
		}
	}
	return out
}

// membersOf are the members of a value in the types of DataFile.Value, of a file, or of a part of one, with values of
// these kinds. It is not an object when ok is false.
func membersOf(value any) (members map[string]any, ok bool) {
	switch v := value.(type) {
	case map[string]any:
		return v, true
	case jsonText:
		if v.isObject() {
			return v.members(), true
		}
	case *dataValue:
		if v.object {
			return membersOf(v.parts())
		}
	}
	return nil, false
}
