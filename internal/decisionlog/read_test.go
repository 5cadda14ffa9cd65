package decisionlog

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/input"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// readAll returns the events of a log, and the lines that are none.
func readAll(t *testing.T, r *Reader) (found []*Event, odd []int) {
	t.Helper()
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return found, odd
		}
		if line, ok := errors.AsType[*LineError](err); ok {
			odd = append(odd, line.Line)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, e)
	}
}

// written returns the bytes of a log with records.
func written(t *testing.T, records ...*Record) []byte {
	t.Helper()
	var out bytes.Buffer
	l := open(t, Config{Stdout: true}, Deps{Stdout: &out})
	for _, r := range records {
		l.Write(r)
	}
	closeLog(t, l)
	return out.Bytes()
}

func document(t *testing.T, url string) *input.Document {
	t.Helper()
	req, err := input.NewRules(input.Config{Headers: []string{"x-tenant"}}).Request(&authz.Request{Method: "GET",
		URL: url, Headers: map[string][]string{"x-tenant": {"acme"}}})
	if err != nil {
		t.Fatal(err)
	}
	claims := &authz.Claims{Active: true, Kind: authz.AccessToken, ClientID: "shop", Scopes: []string{"a", "b"},
		Raw: []byte(`{"active":true,"big":12345678901234567890,"zero":1.0}`), Fetched: time.Unix(1, 0)}
	return input.Build(input.Query{Request: req, Context: []byte(`{"k":[1e2]}`)}, claims,
		input.Presented{Scheme: "bearer"}, time.Unix(2, 0))
}

func TestAnEventIsReadAsItWasRecorded(t *testing.T) {
	doc := document(t, "https://api.example/orders/42?q=%C3%BC")
	r := realistic()
	r.Input, r.Cause = doc, errors.New("evaluate: undefined")
	found, odd := readAll(t, NewReader(bytes.NewReader(written(t, r))))
	if len(found) != 1 || len(odd) != 0 {
		t.Fatalf("%d events, %v", len(found), odd)
	}
	e := found[0]
	if e.DecisionID != r.DecisionID || !e.Time.Equal(r.Time) || e.Path != r.Path || e.Line != 1 ||
		e.Bundles["orders"].Revision != "r1" || string(e.Result) != string(r.Result.(text)) ||
		e.Error.Message != "evaluate: undefined" || e.RequestedBy != r.RequestedBy {
		t.Errorf("got %+v", e)
	}
	if f := e.Facts; f.Kind != "deny" || f.Status != 403 || f.PolicyDigest != r.PolicyDigest ||
		f.Introspection != Hit ||
		!slices.Equal(f.Reasons, []EventReason{{"insufficient_scope", "orders:write is needed"}, {"x", ""}}) {
		t.Errorf("got %+v", f)
	}
	back, err := e.Document()
	if err != nil {
		t.Fatal(err)
	}
	want, _ := doc.AppendJSON(nil)
	if got, err := back.AppendJSON(nil); err != nil || string(got) != string(want) {
		t.Errorf("got  %s (%v)\nwant %s", got, err, want)
	}
}

func TestLinesThatAreNoEventsDoNotEndTheReading(t *testing.T) {
	log := "\ufeff" + string(written(t, numbered(1))) + "time=x level=INFO msg=serving\n\n[]\n{\"level\":\"INFO\"}\n" +
		strings.Repeat("x", 100_000) + "\r\n" + string(written(t, numbered(2))) + `{"decision_id":"3","pa`
	found, odd := readAll(t, NewReader(strings.NewReader(log)))
	if len(found) != 2 || found[1].DecisionID != "2" || found[1].Line != 7 {
		t.Errorf("got %d events", len(found))
	}
	if !slices.Equal(odd, []int{2, 4, 5, 6, 8}) {
		t.Errorf("no events are in lines %v", odd)
	}
}

func TestALineThatIsTooLongIsPassedOver(t *testing.T) {
	log := io.MultiReader(strings.NewReader(`{"decision_id":"1","path":"`), io.LimitReader(endless{}, MaxEventBytes),
		strings.NewReader("\"}\n"), bytes.NewReader(written(t, numbered(2))))
	r := NewReader(log)
	found, odd := readAll(t, r)
	if len(found) != 1 || found[0].DecisionID != "2" || !slices.Equal(odd, []int{1}) || cap(r.buf) > 2*MaxEventBytes {
		t.Errorf("%d events, %v, buffer of %d", len(found), odd, cap(r.buf))
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestARotatedFileMayBeCompressed(t *testing.T) {
	var packed bytes.Buffer
	for i := range 2 { // files that were compressed one by one may be joined
		packed.Write(testkit.Gzip(t, written(t, numbered(i))))
	}
	if found, odd := readAll(t, NewReader(bytes.NewReader(packed.Bytes()))); len(found) != 2 || len(odd) != 0 {
		t.Errorf("%d events, %v", len(found), odd)
	}
	for _, cut := range []int{5, packed.Len() - 3} {
		r := NewReader(bytes.NewReader(packed.Bytes()[:cut]))
		for err := error(nil); !errors.Is(err, io.ErrUnexpectedEOF); _, err = r.Next() {
			if errors.Is(err, io.EOF) {
				t.Errorf("cut at %d: the end of half a file is taken for the end of the log", cut)
				break
			}
		}
	}
}

func TestLinesWithoutATextAreNotRead(t *testing.T) {
	log := append([]byte("no event\n"), written(t, numbered(1), numbered(2))...)
	found, odd := readAll(t, NewReader(bytes.NewReader(log)).Containing(`"2"`))
	if len(found) != 1 || found[0].DecisionID != "2" || found[0].Line != 3 || len(odd) != 0 {
		t.Errorf("%d events, %v", len(found), odd)
	}
}

func TestWhatWasTakenOutOfADocumentIsNamed(t *testing.T) {
	r := realistic()
	r.Input = document(t, "/orders?token=hunter2")
	r.Masker = masking(remove("/input/request/source_ip"), remove("/input/token/client_id"), remove("/result"))
	var out bytes.Buffer
	l := open(t, Config{Stdout: true, SecretParameters: []string{"token"}}, Deps{Stdout: &out})
	l.Write(r)
	closeLog(t, l)
	e, err := NewReader(&out).Next()
	if err != nil {
		t.Fatal(err)
	}
	if got := e.Missing(); !slices.Equal(got, []string{"/input/request/query/token", "/input/token/client_id"}) {
		t.Errorf("got %v", got)
	}
	if doc, err := e.Document(); err != nil || doc.Token.ClientID != "" || doc.Request.Path != "/orders" {
		t.Errorf("got %+v, %v", doc, err)
	}
}

func TestADocumentThatIsNotThereOrCannotBeReadSaysWhy(t *testing.T) {
	for event, want := range map[string]string{
		`}`: "it has no input",
		`,"custom":{"mask_error":"mask event: x"}}`:       "it has no input: mask event: x",
		`,"custom":{"input_error":"not JSON"}}`:           "it has no input: not JSON",
		`,"erased":["/input"]}`:                           "it has no input: a mask erased it",
		`,"input":{"version":2,"token":{}}}`:              "version 2, this sidecar reads 1",
		`,"input":{"version":1,"tokens":{}}}`:             "tokens",
		`,"input":{"method":"GET"}}`:                      "method",
		`,"input":{"version":1,"token":7}}`:               "/token",
		`,"masked":["/input/token"],"input":{"token":7}}`: "was told to leave out /input/token",
	} {
		e, err := ParseEvent([]byte(`{"decision_id":"1","timestamp":"2026-11-28T12:00:00Z"` + event))
		if err != nil {
			t.Errorf("%s: %v", event, err)
			continue
		}
		if _, err := e.Document(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", event, err, want)
		}
	}
}

func TestWhatIsNoEventIsRefused(t *testing.T) {
	for _, text := range []string{"", "null", "[]", `"x"`, "{", `{}`, `{"decision_id":""}`, `{"decision_id":7}`,
		`{"decision_id":"1","timestamp":"yesterday"}`, `{"decision_id":"1","timestamp":"2026-11-28T12:00:00Z"} {}`,
		`{"decision_id":"1","msg":"decision refused"}`} {
		if e, err := ParseEvent([]byte(text)); err == nil {
			t.Errorf("%s: got %+v", text, e)
		}
	}
}

func TestAFileThatCannotBeReadIsAnError(t *testing.T) {
	f, err := os.Open(t.TempDir()) // a directory
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := NewReader(f).Next(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
}
