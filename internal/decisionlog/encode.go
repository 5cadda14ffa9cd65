package decisionlog

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/jsonquote"
	"github.com/authz-sidecar/sidecar/internal/telemetry"
)

// encoder turns records into lines. It belongs to one goroutine.
type encoder struct {
	head []byte // `{"labels":{...},"decision_id":`
	log  *slog.Logger

	// bundles is the last map seen and bundlesJSON its encoding: all records of a snapshot share one map.
	bundles     map[string]authz.BundleRef
	bundlesJSON []byte

	input, result, scratch []byte // of events that are masked

	secret parameters // masked in every event
}

func newEncoder(labels []byte, log *slog.Logger) *encoder {
	head := append([]byte(`{"labels":`), labels...)
	return &encoder{head: append(head, `,"decision_id":`...), log: log}
}

// labels encodes the labels of every event.
func labels(configured map[string]string, deps Deps) ([]byte, error) {
	all := map[string]string{"id": deps.ID, "version": deps.Version}
	if deps.ID == "" {
		all["id"] = rand.Text()
	}
	for name, value := range configured {
		if _, taken := all[name]; taken {
			return nil, fmt.Errorf("open decision log: label %q is set by the sidecar", name)
		}
		all[name] = value
	}
	dst := []byte{'{'}
	for i, name := range slices.Sorted(maps.Keys(all)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = jsonquote.AppendValid(dst, name)
		dst = append(dst, ':')
		dst = jsonquote.AppendValid(dst, all[name])
	}
	return append(dst, '}'), nil
}

// content is what an event holds besides the facts of its record.
type content struct {
	input, result  Appender
	erased, masked []string
	maskErr        error
}

// outcome is what became of an event.
type outcome struct {
	suppressed bool
	maskErr    error
}

// event appends the line of r to dst, or nothing when it is suppressed.
func (e *encoder) event(dst []byte, r *Record) ([]byte, outcome) {
	if r.Masker != nil {
		return e.masked(dst, r)
	}
	return e.line(dst, r, content{input: r.Input, result: r.Result}), outcome{}
}

// line appends one event and ends the line. What a client sent must not make a terminal show something else.
func (e *encoder) line(dst []byte, r *Record, c content) []byte {
	start := len(dst)
	dst = e.object(dst, r, c)
	if shown := telemetry.Visible(dst[start:]); len(shown) != len(dst)-start {
		dst = append(dst[:start], shown...)
	}
	return append(dst, '\n')
}

// object appends one event as a JSON object: OPA's EventV1, with the sidecar's own facts under "custom".
func (e *encoder) object(dst []byte, r *Record, c content) []byte {
	dst = append(dst, e.head...)
	dst = jsonquote.AppendValid(dst, r.DecisionID)
	dst = appendMember(dst, `,"trace_id":`, r.TraceID)
	dst = appendMember(dst, `,"span_id":`, r.SpanID)
	if len(r.Bundles) > 0 {
		dst = append(dst, `,"bundles":`...)
		dst = append(dst, e.refs(r.Bundles)...)
	}
	dst = append(dst, `,"path":`...)
	dst = jsonquote.AppendValid(dst, r.Path)
	dst, of, inputErr := e.document(dst, "/input", c.input)
	dst, more, resultErr := e.document(dst, "/result", c.result)
	dst = appendStrings(dst, `,"erased":`, slices.Concat(of.erased, more.erased, c.erased))
	dst = appendStrings(dst, `,"masked":`, slices.Concat(of.masked, more.masked, c.masked))
	if r.Cause != nil {
		dst = append(dst, `,"error":{"message":`...)
		dst = jsonquote.AppendValid(dst, r.Cause.Error())
		dst = append(dst, '}')
	}
	dst = appendMember(dst, `,"requested_by":`, r.RequestedBy)
	dst = append(dst, `,"timestamp":"`...)
	dst = r.Time.UTC().AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, `","metrics":{"timer_sidecar_total_ns":`...)
	dst = strconv.AppendInt(dst, int64(r.Total), 10)
	dst = appendTimer(dst, `,"timer_sidecar_introspect_ns":`, r.Introspect)
	dst = appendTimer(dst, `,"timer_rego_query_eval_ns":`, r.Eval)
	dst = append(dst, `},"custom":`...)
	dst = appendCustom(dst, r)
	dst = appendFault(dst, `,"mask_error":`, c.maskErr)
	dst = appendFault(dst, `,"input_error":`, inputErr)
	dst = appendFault(dst, `,"result_error":`, resultErr)
	return append(dst, "}}"...)
}

// appendCustom appends what only the sidecar knows, without the closing brace.
func appendCustom(dst []byte, r *Record) []byte {
	dst = append(dst, `{"kind":"`...)
	dst = append(dst, r.Kind.String()...)
	dst = append(dst, `","status":`...)
	dst = strconv.AppendInt(dst, int64(r.Status), 10)
	if len(r.Reasons) > 0 {
		dst = append(dst, `,"reasons":[`...)
		for i := range r.Reasons {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendReason(dst, &r.Reasons[i])
		}
		dst = append(dst, ']')
	}
	dst = appendMember(dst, `,"type":`, r.Type)
	dst = appendMember(dst, `,"unauthenticated":`, r.Unauthenticated)
	dst = appendMember(dst, `,"policy_digest":`, r.PolicyDigest)
	dst = appendMember(dst, `,"upstream_token_id":`, r.UpstreamTokenID)
	return appendMember(dst, `,"introspection":`, string(r.Introspection))
}

func appendReason(dst []byte, r *authz.Reason) []byte {
	if r.Object != nil {
		start := len(dst)
		if whole, err := oneLine(append(dst, r.Object...), start); err == nil {
			return whole
		}
		dst = dst[:start]
	}
	dst = append(dst, `{"code":`...)
	dst = jsonquote.AppendValid(dst, r.Code)
	dst = appendMember(dst, `,"message":`, r.Message)
	return append(dst, '}')
}

// changes are pointers to what of a document was left out or replaced.
type changes struct{ erased, masked []string }

// document appends the member at root whose value is v, without credentials and secret parameters, or nothing when
// there is no value. An error says why the value is left out.
func (e *encoder) document(dst []byte, root string, v Appender) ([]byte, changes, error) {
	if v == nil {
		return dst, changes{}, nil
	}
	before := len(dst)
	dst = append(dst, `,"`...)
	dst = append(dst, root[1:]...)
	dst = append(dst, `":`...)
	with, masked, err := e.value(dst, root, v)
	if err != nil {
		return dst[:before], changes{}, err
	}
	with, erased, err := withoutCredentials(with, len(dst), root)
	if err != nil {
		return dst[:before], changes{}, err
	}
	return with, changes{erased, masked}, nil
}

// value appends v on one line. A bug in v is an error of this one value, not the end of the process.
func (e *encoder) value(dst []byte, root string, v Appender) (with []byte, masked []string, err error) {
	defer func() {
		if p := recover(); p != nil {
			e.log.Error("decision log: encoding panicked", "stack", string(debug.Stack()))
			with, masked, err = nil, nil, errors.New("encoding panicked")
		}
	}()
	with, masked, err = e.secret.append(dst, root, v)
	if err != nil {
		return nil, nil, err
	}
	with, err = oneLine(with, len(dst))
	return with, masked, err
}

// oneLine makes the value that begins at start one line, because a line is an event.
func oneLine(dst []byte, start int) ([]byte, error) {
	if bytes.IndexByte(dst[start:], '\n') < 0 && bytes.IndexByte(dst[start:], '\r') < 0 {
		return dst, nil
	}
	v := jsontext.Value(dst[start:])
	if err := v.Compact(); err != nil {
		return dst, errNotJSON
	}
	return append(dst[:start], v...), nil
}

// refs encodes m, or remembers that it did: m is told by identity, which holds because the last one is kept.
func (e *encoder) refs(m map[string]authz.BundleRef) []byte {
	if reflect.ValueOf(m).Pointer() != reflect.ValueOf(e.bundles).Pointer() {
		encoded, err := json.Marshal(m, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
		if err != nil { // of names that are one where they are no UTF-8
			e.log.Error("decision log: the bundles cannot be encoded", "error", err)
			encoded = []byte("{}")
		}
		e.bundles, e.bundlesJSON = m, encoded
	}
	return e.bundlesJSON
}

func appendMember(dst []byte, name, s string) []byte {
	if s == "" {
		return dst
	}
	return jsonquote.AppendValid(append(dst, name...), s)
}

func appendFault(dst []byte, name string, err error) []byte {
	if err == nil {
		return dst
	}
	return jsonquote.AppendValid(append(dst, name...), err.Error())
}

func appendTimer(dst []byte, name string, d time.Duration) []byte {
	if d == 0 {
		return dst
	}
	return strconv.AppendInt(append(dst, name...), int64(d), 10)
}

func appendStrings(dst []byte, name string, list []string) []byte {
	if len(list) == 0 {
		return dst
	}
	dst = append(append(dst, name...), '[')
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = jsonquote.AppendValid(dst, s)
	}
	return append(dst, ']')
}
