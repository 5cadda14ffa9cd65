package mcp

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
)

const (
	methodHeader    = "mcp-method"
	nameHeader      = "mcp-name"
	parameterPrefix = "mcp-param-"
)

// checkMirrors compares the headers that repeat parts of the body (MCP 2026-07-28, Standard Request Headers). Requests
// of older versions need none; what they have must agree.
func (v *View) checkMirrors(m *message, headers map[string][]string, modern bool) error {
	if err := checkRepeats(headers, m.id); err != nil {
		return err
	}
	methods, names := headers[methodHeader], headers[nameHeader]
	if modern && m.kind == request && len(methods) == 0 {
		return mismatch(m.id, "Mcp-Method is missing")
	}
	if len(methods) > 0 && methods[0] != m.method {
		return mismatch(m.id, "Mcp-Method differs from the method")
	}
	name, named := v.name()
	switch {
	case len(names) == 0 && named && modern:
		return mismatch(m.id, "Mcp-Name is missing")
	case len(names) == 0:
		return nil
	case !named:
		return mismatch(m.id, "Mcp-Name stands with a method that has no name")
	}
	if said, ok := decode(names[0]); !ok || said != name {
		return mismatch(m.id, "Mcp-Name differs from the name in params")
	}
	return nil
}

// name is what Mcp-Name repeats, where the method has it.
func (v *View) name() (string, bool) {
	switch v.Method {
	case "tools/call":
		return v.Tool, true
	case "prompts/get":
		return v.Prompt, true
	case "resources/read":
		return v.Resource, true
	}
	return "", false
}

// checkRepeats refuses mirrored headers that stand twice.
func checkRepeats(headers map[string][]string, id []byte) error {
	for name, values := range headers {
		mirrored := name == methodHeader || name == nameHeader || strings.HasPrefix(name, parameterPrefix)
		if mirrored && len(values) != 1 {
			return mismatch(id, "a header that repeats a part of the message stands twice")
		}
	}
	return nil
}

// readHeaders fills in the view of a request of the stateless era whose body is not known.
func (v *View) readHeaders(headers map[string][]string) error {
	v.Source, v.Kind = "headers", request
	if err := checkRepeats(headers, nil); err != nil {
		return err
	}
	if len(headers[methodHeader]) == 0 || !isVisible(headers[methodHeader][0]) {
		return mismatch(nil, "Mcp-Method is missing, or not visible ASCII")
	}
	v.Method = headers[methodHeader][0]
	if strings.HasPrefix(v.Method, "notifications/") {
		v.Kind = notification
	}
	name := ""
	if values := headers[nameHeader]; len(values) > 0 {
		var ok bool
		if name, ok = decode(values[0]); !ok || name == "" {
			return mismatch(nil, "Mcp-Name cannot be decoded")
		}
	}
	into := map[string]*string{"tools/call": &v.Tool, "prompts/get": &v.Prompt, "resources/read": &v.Resource}
	if target := into[v.Method]; target != nil {
		*target = name
	}
	if _, named := v.name(); named != (name != "") {
		return mismatch(nil, "Mcp-Name is missing, or stands with a method that has no name")
	}
	return v.readParameters(headers)
}

func (v *View) readParameters(headers map[string][]string) (err error) {
	all := map[string]string{}
	for header, values := range headers {
		name, ok := strings.CutPrefix(header, parameterPrefix)
		if !ok {
			continue
		}
		if all[name], ok = decode(values[0]); !ok {
			return mismatch(nil, "an Mcp-Param header cannot be decoded")
		}
	}
	v.Parameters, err = json.Marshal(all, json.Deterministic(true))
	return err
}

// decode returns the value of a mirrored header (MCP 2026-07-28, Value Encoding): visible ASCII and blanks, or text in
// UTF-8 as base64 between markers.
func decode(value string) (string, bool) {
	if coded, ok := strings.CutPrefix(value, "=?base64?"); ok {
		if coded, ok = strings.CutSuffix(coded, "?="); ok {
			plain, err := base64.StdEncoding.Strict().DecodeString(coded)
			return string(plain), err == nil && !strings.ContainsAny(coded, "\r\n") && utf8.Valid(plain)
		}
	}
	for i := range len(value) {
		if (value[i] < 0x20 || value[i] > 0x7e) && value[i] != '\t' {
			return "", false
		}
	}
	return value, true
}
