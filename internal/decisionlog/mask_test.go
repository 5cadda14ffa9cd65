package decisionlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// maskFunc is a Masker.
type maskFunc func([]byte) (authz.Mask, error)

func (f maskFunc) Mask(event []byte) (authz.Mask, error) { return f(event) }

func masking(ops ...authz.MaskOp) Masker {
	return maskFunc(func([]byte) (authz.Mask, error) { return authz.Mask{Ops: ops}, nil })
}

func remove(path string) authz.MaskOp { return authz.MaskOp{Op: "remove", Path: path} }
func upsert(path, value string) authz.MaskOp {
	return authz.MaskOp{Op: "upsert", Path: path, Value: []byte(value)}
}

func TestAMaskerSeesTheEventAsItWouldBeWritten(t *testing.T) {
	var saw []byte
	r := realistic()
	plain := line(t, r)
	r.Masker = maskFunc(func(event []byte) (authz.Mask, error) {
		saw = bytes.Clone(event)
		return authz.Mask{}, nil
	})
	masked := line(t, r)
	b, _ := json.Marshal(plain)
	same(t, any(masked), string(b))
	var e any
	if err := json.Unmarshal(saw, &e); err != nil {
		t.Fatal(err)
	}
	same(t, e, string(b))
}

func TestMasks(t *testing.T) {
	const input = `{"user":{"name":"ann","ssn":"1"},"list":[{"k":1},{"k":2},{"k":3}],"n":10000000000000001,"a/b":{"c~d":1}}`
	for name, c := range map[string]struct {
		ops                           []authz.MaskOp
		input, result, erased, masked string
	}{
		"remove takes a member away": {ops: []authz.MaskOp{remove("/input/user/ssn")},
			input:  `{"user":{"name":"ann"},"list":[{"k":1},{"k":2},{"k":3}],"n":10000000000000001,"a/b":{"c~d":1}}`,
			result: `{"allow":true}`, erased: `["/input/user/ssn"]`},
		"remove of a whole document leaves the other": {ops: []authz.MaskOp{remove("/input")},
			result: `{"allow":true}`, erased: `["/input"]`},
		"remove of the result": {ops: []authz.MaskOp{remove("/result")}, input: input,
			erased: `["/result"]`},
		"indices name what the masker saw": {ops: []authz.MaskOp{remove("/input/list/0"), remove("/input/list/1"),
			upsert("/input/list/2/k", `"x"`)},
			input:  `{"user":{"name":"ann","ssn":"1"},"list":[{"k":"x"}],"n":10000000000000001,"a/b":{"c~d":1}}`,
			result: `{"allow":true}`, erased: `["/input/list/0","/input/list/1"]`, masked: `["/input/list/2/k"]`},
		"names are escaped as RFC 6901 says": {ops: []authz.MaskOp{{Op: "upsert", Path: "/input/a~1b/c~0d"}},
			input:  `{"user":{"name":"ann","ssn":"1"},"list":[{"k":1},{"k":2},{"k":3}],"n":10000000000000001,"a/b":{"c~d":null}}`,
			result: `{"allow":true}`, masked: `["/input/a~1b/c~0d"]`},
		"what is not there is not listed": {ops: []authz.MaskOp{remove("/input/absent/ssn"),
			remove("/input/user/name/first"), remove("/input/list/3"), remove("/input/list/x"),
			remove("/nd_builtin_cache"), upsert("/nd_builtin_cache/x", "1"), upsert("/input/user/name/first", "1"),
			upsert("/input/list/3", "1")},
			input: input, result: `{"allow":true}`},
		"upsert makes objects on the way": {ops: []authz.MaskOp{upsert("/result/x/y/z", `12345678901234567890`)},
			input: input, result: `{"allow":true,"x":{"y":{"z":12345678901234567890}}}`, masked: `["/result/x/y/z"]`},
		"upsert of a whole document": {ops: []authz.MaskOp{upsert("/input", "{\"a\": \"**\",\n\"b\": 1}")},
			input: `{"a":"**","b":1}`, result: `{"allow":true}`, masked: `["/input"]`},
		"a second remove of one thing is not listed": {ops: []authz.MaskOp{remove("/input/user"),
			remove("/input/user"), remove("/input/user/ssn")},
			input:  `{"list":[{"k":1},{"k":2},{"k":3}],"n":10000000000000001,"a/b":{"c~d":1}}`,
			result: `{"allow":true}`, erased: `["/input/user"]`},
		"an upsert below what was removed begins afresh": {
			ops:    []authz.MaskOp{remove("/input/user"), upsert("/input/user/name", `"**"`)},
			input:  `{"user":{"name":"**"},"list":[{"k":1},{"k":2},{"k":3}],"n":10000000000000001,"a/b":{"c~d":1}}`,
			result: `{"allow":true}`, erased: `["/input/user"]`, masked: `["/input/user/name"]`},
	} {
		t.Run(name, func(t *testing.T) {
			r := numbered(1)
			r.Input, r.Result, r.Masker = text(input), text(`{"allow":true}`), masking(c.ops...)
			var out bytes.Buffer
			l := open(t, Config{Stdout: true}, Deps{Stdout: &out})
			l.Write(r)
			closeLog(t, l)
			var e struct{ Input, Result, Erased, Masked json.RawMessage }
			if err := json.Unmarshal(out.Bytes(), &e); err != nil {
				t.Fatal(err)
			}
			for _, part := range []struct {
				name, got, want string
			}{{"input", string(e.Input), c.input}, {"result", string(e.Result), c.result}, {"erased", string(e.Erased),
				c.erased}, {"masked", string(e.Masked), c.masked}} {
				if part.got != part.want {
					t.Errorf("%s\ngot  %s\nwant %s", part.name, part.got, part.want)
				}
			}
		})
	}
}

func TestOpsOnADocumentThatIsAbsentDoNothing(t *testing.T) {
	r := numbered(1)
	r.Masker = masking(remove("/input/a"), upsert("/result", "1"))
	e := line(t, r)
	if e["input"] != nil || e["result"] != nil || e["erased"] != nil || e["masked"] != nil ||
		at(e, "custom", "mask_error") != nil {
		t.Errorf("event %v", e)
	}
}

func TestAMaskThatFailsCostsTheInputAndTheResultButNotTheEvent(t *testing.T) {
	for name, c := range map[string]struct {
		m    Masker
		want string
	}{
		"the policy fails": {maskFunc(func([]byte) (authz.Mask, error) {
			return authz.Mask{},
				errors.New("rule x conflicts")
		}), "rule x conflicts"},
		"the policy panics":            {panics{}, "panicked"},
		"a pointer without a slash":    {masking(remove("/input/user"), remove("input/user")), "does not begin"},
		"a pointer that is empty":      {masking(remove("")), "does not begin"},
		"a pointer with a stray tilde": {masking(remove("/input/~2")), "stray"},
		"a pointer to another place":   {masking(remove("/decision_id")), "not below"},
		"an operation that is not known": {masking(authz.MaskOp{Op: "replace", Path: "/input"}),
			"neither remove nor upsert"},
		"a value that is not JSON":        {masking(upsert("/input/user", "{")), "is not JSON"},
		"a value that is empty":           {masking(upsert("/input/user", "")), "is not JSON"},
		"a document that is broken below": {masking(remove("/input/user/name")), "not a JSON value"},
	} {
		t.Run(name, func(t *testing.T) {
			r := realistic()
			r.Input, r.Result, r.Masker = text(`{"user":{"name" "hidden"}}`), text(`{"allow":"hidden"}`), c.m
			if !strings.Contains(name, "broken") {
				r.Input = text(`{"user":{"name":"hidden"}}`)
			}
			seen := newTally()
			e := lineOf(t, r, seen, nil)
			b, _ := json.Marshal(e)
			told, _ := at(e, "custom", "mask_error").(string)
			if !strings.Contains(told, c.want) || bytes.Contains(b, []byte("hidden")) ||
				e["decision_id"] != r.DecisionID || e["erased"] != nil {
				t.Errorf("event %s", b)
			}
			seen.is(t, 1, 0, 0, 1)
		})
	}
}

func TestAValueThatCannotBeWrittenCannotBeMasked(t *testing.T) {
	for name, set := range map[string]func(*Record){
		"input":  func(r *Record) { r.Input = broken{} },
		"result": func(r *Record) { r.Result = broken{} },
	} {
		t.Run(name, func(t *testing.T) {
			r := realistic()
			r.Masker = masking()
			set(r)
			e := line(t, r)
			told, _ := at(e, "custom", "mask_error").(string)
			if e["input"] != nil || e["result"] != nil || !strings.Contains(told, name) {
				t.Errorf("event %v", e)
			}
		})
	}
}

func TestAMaskThatKeepsFailingIsReportedOnce(t *testing.T) {
	var told bytes.Buffer
	l := open(t, Config{Stdout: true}, Deps{Stdout: &bytes.Buffer{}, Log: slog.New(slog.NewTextHandler(&told, nil))})
	for i := range 3 {
		r := numbered(i)
		r.Masker = panics{}
		l.Write(r)
	}
	closeLog(t, l)
	if n := strings.Count(told.String(), "cannot be masked"); n != 1 {
		t.Errorf("reported %d times", n)
	}
}

func TestADroppedEventIsNotWrittenAndCountedApart(t *testing.T) {
	seen := newTally()
	r := realistic()
	r.Masker = maskFunc(func([]byte) (authz.Mask, error) { return authz.Mask{Drop: true}, nil })
	if e := lineOf(t, r, seen, nil); e != nil {
		t.Errorf("event %v", e)
	}
	seen.is(t, 0, 0, 1, 0)
}

func TestAMaskedEventIsStillGuarded(t *testing.T) {
	r := numbered(1)
	r.Input, r.Masker = text(`{"context":{"authorization":"Bearer tok-1"},"a":1}`), masking(remove("/input/a"))
	e := line(t, r)
	same(t, e["input"], `{"context":{}}`)
	same(t, e["erased"], `["/input/context/authorization","/input/a"]`)
}
