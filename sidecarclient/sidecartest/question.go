package sidecartest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/sidecarclient"
	"github.com/authz-sidecar/sidecar/sidecarclient/internal/strictjson"
)

// callFault is what is wrong with a call: the call errors of docs/api.md.
type callFault struct {
	status                 int
	code, pointer, message string
}

func (f *callFault) Error() string {
	return strings.TrimSpace(fmt.Sprintf("the sidecar would refuse this call: %s %s: %s", f.code, f.pointer,
		f.message))
}

func bad(code, pointer, format string, args ...any) *callFault {
	return &callFault{http.StatusBadRequest, code, pointer, fmt.Sprintf(format, args...)}
}

// checkCall looks at all of a call but its body.
func checkCall(r *http.Request) *callFault {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case r.URL.Path != "/v1/decisions" && !strings.HasPrefix(r.URL.Path, "/v1/decisions/"):
		return &callFault{http.StatusNotFound, "not_found", "", "there is nothing at " + r.URL.Path}
	case r.Method != http.MethodPost:
		return &callFault{http.StatusMethodNotAllowed, "method_not_allowed", "", "want POST"}
	case err != nil || media != "application/json" || r.Header.Get("Content-Encoding") != "":
		return &callFault{http.StatusUnsupportedMediaType, "unsupported_media_type", "",
			"want Content-Type: application/json, without Content-Encoding"}
	}
	return nil
}

// readQuestion reads the body of POST /v1/decisions.
func readQuestion(body []byte) (sidecarclient.Request, *callFault) {
	members, fault := members(body)
	if fault != nil {
		return sidecarclient.Request{}, fault
	}
	return question(members, "")
}

// readBatch reads the body of POST /v1/decisions/batch: members beside items are defaults of the items.
func readBatch(body []byte) ([]sidecarclient.Request, *callFault) {
	defaults, fault := members(body)
	if fault != nil {
		return nil, fault
	}
	var items []json.RawMessage
	if fault := read(defaults, "items", "", &items, "an array of objects"); fault != nil {
		return nil, fault
	}
	if len(items) == 0 {
		return nil, bad("missing_member", "/items", "items is missing or empty")
	}
	delete(defaults, "items")
	out := make([]sidecarclient.Request, len(items))
	for i, item := range items {
		at := fmt.Sprintf("/items/%d", i)
		own, err := strictjson.Object(item)
		if err != nil {
			return nil, bad("wrong_type", at, "want an object")
		}
		for name, value := range defaults {
			if given, there := own[name]; !there || isNull(given) {
				own[name] = value
			}
		}
		if out[i], fault = question(own, at); fault != nil {
			return nil, fault
		}
	}
	return out, nil
}

func members(body []byte) (map[string]json.RawMessage, *callFault) {
	if err := strictjson.Check(body); err != nil {
		code := "bad_json"
		if errors.Is(err, strictjson.ErrTwice) {
			code = "duplicate_member"
		}
		return nil, bad(code, "", "%v", err)
	}
	m, err := strictjson.Object(body)
	if err != nil {
		return nil, bad("wrong_type", "", "want an object")
	}
	return m, nil
}

// question reads the members of one question. at is the JSON pointer of what they are members of.
func question(of map[string]json.RawMessage, at string) (sidecarclient.Request, *callFault) {
	var r sidecarclient.Request
	var context map[string]json.RawMessage
	if fault := only(of, at, "request", "token", "context"); fault != nil {
		return r, fault
	}
	if isNull(of["request"]) {
		return r, bad("missing_member", at+"/request", "the member is missing or empty")
	}
	request, err := strictjson.Object(of["request"])
	if err != nil {
		return r, bad("wrong_type", at+"/request", "want an object")
	}
	if fault := first(
		requestMembers(request, at+"/request", &r),
		read(of, "token", at, &r.Token, "a string"),
		read(of, "context", at, &context, "an object"),
	); fault != nil {
		return r, fault
	}
	if t, there := of["token"]; there && !isNull(t) && r.Token == "" {
		return r, bad("missing_member", at+"/token", "the member is missing or empty")
	}
	if context != nil {
		r.Context = of["context"]
	}
	return r, nil
}

func requestMembers(of map[string]json.RawMessage, at string, r *sidecarclient.Request) *callFault {
	var body *string
	var headers map[string][]string
	if fault := first(
		only(of, at, "method", "url", "headers", "source_ip", "client_certificate", "body"),
		read(of, "method", at, &r.Method, "a string"),
		read(of, "url", at, &r.URL, "a string"),
		read(of, "headers", at, &headers, `an object of arrays of strings, such as {"accept": ["..."]}`),
		read(of, "source_ip", at, &r.SourceIP, "a string"),
		read(of, "client_certificate", at, &r.ClientCertificate, "a string"),
		read(of, "body", at, &body, "a string"),
	); fault != nil {
		return fault
	}
	if body != nil {
		r.Body = []byte(*body)
	}
	r.Headers = make(http.Header, len(headers))
	for name, values := range headers {
		r.Headers[http.CanonicalHeaderKey(name)] = append(r.Headers[http.CanonicalHeaderKey(name)], values...)
	}
	switch {
	case r.Method == "":
		return bad("missing_member", at+"/method", "the member is missing or empty")
	case r.URL == "":
		return bad("missing_member", at+"/url", "the member is missing or empty")
	}
	return nil
}

func first(faults ...*callFault) *callFault {
	i := slices.IndexFunc(faults, func(f *callFault) bool { return f != nil })
	if i < 0 {
		return nil
	}
	return faults[i]
}

// only refuses members that are not known.
func only(of map[string]json.RawMessage, at string, known ...string) *callFault {
	for name := range of {
		if !slices.Contains(known, name) {
			return bad("unknown_member", at+"/"+name, "there is no such member: there are %s",
				strings.Join(known, ", "))
		}
	}
	return nil
}

// read reads a member, which may be absent or null.
func read(of map[string]json.RawMessage, name, at string, into any, want string) *callFault {
	value := of[name]
	if isNull(value) {
		return nil
	}
	if err := json.Unmarshal(value, into); err != nil {
		return bad("wrong_type", at+"/"+name, "want %s", want)
	}
	return nil
}

func isNull(v json.RawMessage) bool { return len(v) == 0 || string(bytes.TrimSpace(v)) == "null" }
