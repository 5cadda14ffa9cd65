package replay

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// comparison is the decision that others are compared with.
type comparison struct {
	was      *Answer
	result   jsontext.Value
	noResult bool
	// event is that of the log, of which parts may be missing; nil for a decision that was made anew.
	event *event
	// partly is set where the result was not compared, or not in all its members.
	partly bool
}

// differences names what differs: "kind", "status", "reasons", and members of the result, or "result".
func (c *comparison) differences(now *answer) (out []string) {
	if c.was.Kind == "" { // of another program, which logs nothing but the result
		c.was.Kind = kindOfResult(c.result)
		c.was.Status, c.was.Reasons = now.Status, now.Reasons
	}
	if c.was.Kind != now.Kind {
		out = append(out, "kind")
	}
	if c.was.Status != now.Status {
		out = append(out, "status")
	}
	if !slices.Equal(c.was.Reasons, now.Reasons) {
		out = append(out, "reasons")
	}
	if c.noResult || now.noResult {
		c.partly = c.partly || c.noResult
		return out
	}
	if bytes.Equal(c.result, now.result) {
		return out
	}
	for _, name := range c.members(now.result) {
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// members names the members in which the result and another one differ.
func (c *comparison) members(now jsontext.Value) []string {
	was := c.result
	if c.event != nil {
		now, was = c.asLogged(now, was)
	}
	if canonical(was) == canonical(now) {
		return nil
	}
	before, after := membersOf(was), membersOf(now)
	if before == nil || after == nil {
		return []string{"result"}
	}
	var out []string
	for name, value := range before {
		if other, ok := after[name]; !ok || canonical(value) != canonical(other) {
			out = append(out, name)
		}
	}
	for name := range after {
		if _, ok := before[name]; !ok {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// asLogged takes out of both results what a mask took out of, or replaced in, the one that was logged.
func (c *comparison) asLogged(now, was jsontext.Value) (asNow, asWas jsontext.Value) {
	erased, masked := below("/result", c.event.erased), below("/result", c.event.masked)
	if len(erased)+len(masked) == 0 {
		return now, was
	}
	c.partly = true
	return without(now, slices.Concat(erased, masked)), without(was, masked)
}

// below are the pointers that begin with root, without it.
func below(root string, pointers []string) (out []string) {
	for _, p := range pointers {
		if rest, ok := strings.CutPrefix(p, root+"/"); ok {
			out = append(out, "/"+rest)
		}
	}
	return out
}

// without is a value without what pointers lead to.
func without(v jsontext.Value, pointers []string) jsontext.Value {
	if len(pointers) == 0 || v == nil {
		return v
	}
	var out bytes.Buffer
	in, enc := jsontext.NewDecoder(bytes.NewReader(v)), jsontext.NewEncoder(&out)
	for {
		if next := nextElement(in); next != "" && slices.Contains(pointers, next) {
			if in.SkipValue() != nil {
				return v
			}
			continue
		}
		tok, err := in.ReadToken()
		if errors.Is(err, io.EOF) {
			return bytes.TrimSpace(out.Bytes())
		}
		if err != nil {
			return v
		}
		kind, n := in.StackIndex(in.StackDepth())
		if isName := kind == '{' && n%2 == 1; isName && slices.Contains(pointers, string(in.StackPointer())) {
			if in.SkipValue() != nil {
				return v
			}
			continue
		}
		if enc.WriteToken(tok) != nil {
			return v
		}
	}
}

// nextElement is the pointer to the element of an array that is read next; "" elsewhere.
func nextElement(in *jsontext.Decoder) string {
	kind, n := in.StackIndex(in.StackDepth())
	if kind != '[' || in.PeekKind() == ']' {
		return ""
	}
	list := in.StackPointer() // to the array, or to its last element
	if n > 0 {
		list = list.Parent()
	}
	return string(list) + "/" + strconv.FormatInt(n, 10)
}

// canonical is a value whose members are sorted and whose texts are spelt alike; numbers keep their digits. Signatures
// that are random are left out.
func canonical(v jsontext.Value) string {
	c := v.Clone()
	if c.Canonicalize(jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false)) != nil {
		return string(v)
	}
	return compactJWS.ReplaceAllStringFunc(string(c), withoutRandomSignature)
}

// compactJWS matches what may be a JWS in its compact form (RFC 7515 section 7.1).
var compactJWS = regexp.MustCompile(`\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+`)

// withoutRandomSignature is a JWS without its signature, where its algorithm makes another one each time: ES256, PS256
// and their like. So io.jwt.encode_sign answers otherwise at each evaluation.
func withoutRandomSignature(jws string) string {
	head, _, _ := strings.Cut(jws, ".")
	raw, err := base64.RawURLEncoding.DecodeString(head)
	var header struct {
		Alg string `json:"alg"`
	}
	if err != nil || json.Unmarshal(raw, &header) != nil ||
		!strings.HasPrefix(header.Alg, "ES") && !strings.HasPrefix(header.Alg, "PS") {
		return jws
	}
	return jws[:strings.LastIndexByte(jws, '.')+1]
}

// membersOf are the members of an object; nil for another value.
func membersOf(v jsontext.Value) map[string]jsontext.Value {
	if v.Kind() != '{' {
		return nil
	}
	var out map[string]jsontext.Value
	if json.Unmarshal(v, &out) != nil {
		return nil
	}
	return out
}

// kindOfResult is the kind of a decision by its result.
func kindOfResult(v jsontext.Value) string {
	allow := string(bytes.TrimSpace(v))
	if members := membersOf(v); members != nil {
		allow = string(members["allow"])
	}
	if allow == "true" {
		return "allow"
	}
	return "deny"
}
