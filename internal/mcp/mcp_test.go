package mcp_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/mcp"
)

func refusalOf(t testing.TB, err error) *authz.Error {
	t.Helper()
	e, ok := errors.AsType[*authz.Error](err)
	if !ok || e.Kind != authz.Malformed {
		t.Fatalf("%v is no refusal of a malformed message", err)
	}
	return e
}

// post is a message of the era of sessions, with more headers.
func post(body string, more ...string) *authz.Request {
	req := &authz.Request{Method: "POST", Body: body, HasBody: true,
		Headers: map[string][]string{"content-type": {"application/json"}}}
	for i := 0; i < len(more); i += 2 {
		req.Headers[more[i]] = append(req.Headers[more[i]], more[i+1])
	}
	return req
}

const call = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"pay","arguments":{"to":"a"}}}`

func message(method, params string) string {
	return `{"jsonrpc":"2.0","id":"x","method":"` + method + `","params":` + params + `}`
}

func TestAMessageHasTheMembersThatItsMethodHas(t *testing.T) {
	for body, want := range map[string]string{
		call: `{"kind":"request","method":"tools/call","tool":"pay","arguments":{"to":"a"},"source":"body"}`,
		message("tools/call", `{"name":"pay"}`): `{"kind":"request","method":"tools/call","tool":"pay",` +
			`"arguments":{},"source":"body"}`,
		message("prompts/get", `{"name":"p","arguments":{"n":90071992547409931}}`): `{"kind":"request",` +
			`"method":"prompts/get","arguments":{"n":90071992547409931},"prompt":"p","source":"body"}`,
		message("resources/subscribe", `{"uri":"note://1"}`): `{"kind":"request","method":"resources/subscribe",` +
			`"resource":"note://1","source":"body"}`,
		message("completion/complete",
			`{"ref":{"type":"ref/prompt","name":"p"},"argument":{}}`): `{"kind":"request",` +
			`"method":"completion/complete","reference":{"type":"ref/prompt","name":"p"},"source":"body"}`,
		message("tasks/result", `{"taskId":"t1"}`): `{"kind":"request","method":"tasks/result","task":"t1",` +
			`"source":"body"}`,
		message("tools/call", `{"name":"pay","requestState":"s"}`): `{"kind":"request","method":"tools/call",` +
			`"tool":"pay","arguments":{},"source":"body","retry":true}`,
		message("initialize", `{"clientInfo":{"name":"c","version":"1"}}`): `{"kind":"request",` +
			`"method":"initialize","source":"body","client":{"name":"c","version":"1"}}`,
		`{"jsonrpc":"2.0","id":1,"result":{}}`: `{"kind":"response","source":"body"}`,
		`{"jsonrpc":"2.0","method":"notifications/initialized"}`: `{"kind":"notification",` +
			`"method":"notifications/initialized","source":"body"}`,
	} {
		v, err := both.Read(post(body))
		if err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		if got, _ := json.Marshal(v); string(got) != want {
			t.Errorf("%s:\n got %s\nwant %s", body, got, want)
		}
	}
}

func TestAMessageOfTwoMeaningsIsRefused(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 70) + "1" + strings.Repeat("}", 70)
	for name, body := range map[string]string{
		"batch": "[" + call + "]", "batch after blanks": "\n\t [" + call + "]", "empty": "", "blank": " ",
		"twice": call + call, "mark": "\ufeff" + call, "not UTF-8": strings.Replace(call, "pay", "p\xffy", 1),
		"half a surrogate":  strings.Replace(call, "pay", `p\ud800`, 1),
		"name twice":        message("tools/call", `{"name":"a","name":"b"}`),
		"name in two cases": message("tools/call", `{"name":"a","Name":"b"}`),
		"name in another":   message("tools/call", `{"Name":"b"}`),
		"long s":            message("tools/call", `{"name":"a","argument\u017f":{}}`),
		"dotless i":         message("resources/read", `{"ur\u0131":"a"}`),
		"argument in cases": message("tools/call", `{"name":"a","arguments":{"to":"x","To":"y"}}`),
		"escaped twice":     message("tools/call", `{"name":"a","n\u0061me":"b"}`),
		"prototype":         message("tools/call", `{"name":"a","arguments":{"__proto__":{"to":"y"}}}`),
		"method in case":    `{"jsonrpc":"2.0","id":1,"Method":"tools/call","params":{}}`,
		"old version":       strings.Replace(call, `"2.0"`, `"1.0"`, 1),
		"no string":         strings.Replace(call, `"pay"`, "1", 1),
		"no name":           message("tools/call", `{}`),
		"params a list":     message("tools/call", `["pay"]`),
		"arguments a list":  message("tools/call", `{"name":"a","arguments":[]}`),
		"arguments null":    message("tools/call", `{"name":"a","arguments":null}`),
		"id null":           strings.Replace(call, ":7", ":null", 1),
		"id a fraction":     strings.Replace(call, ":7", ":7.5", 1),
		"call without id":   strings.Replace(call, `"id":7,`, "", 1),
		"method and result": strings.Replace(call, `"id":7`, `"id":7,"result":{}`, 1),
		"notification + id": `{"jsonrpc":"2.0","id":1,"method":"notifications/initialized"}`,
		"nothing":           `{"jsonrpc":"2.0","id":1}`,
		"too deep":          message("tools/call", `{"name":"a","arguments":`+deep+`}`),
		"number too large":  message("tools/call", `{"name":"a","arguments":{"n":1e999999}}`),
		"unknown reference": message("completion/complete", `{"ref":{"type":"x"}}`),
		"another version": message("tools/call",
			`{"name":"a","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}`),
		"no object":          `"text"`,
		"comment":            "/* */" + call,
		"text behind":        call + " x",
		"a NUL behind":       call + "\x00",
		"duplicate far away": message("tools/call", `{"name":"a","arguments":{"l":[{"x":1,"x":2}]}}`),
	} {
		v, err := both.Read(post(body))
		if err == nil {
			t.Errorf("%s is read as %+v", name, v)
			continue
		}
		if e := refusalOf(t, err); e.Status != 400 || !strings.Contains(string(e.Body), `"jsonrpc":"2.0"`) {
			t.Errorf("%s: status %d, %s", name, e.Status, e.Body)
		}
	}
}

func TestARefusalNamesTheMessage(t *testing.T) {
	_, err := both.Read(post(message("tools/call", `{}`)))
	want := `{"jsonrpc":"2.0","id":"x","error":{"code":-32600,"message":"name is missing, empty or no string"}}`
	if got := string(refusalOf(t, err).Body); got != want {
		t.Errorf("got %s", got)
	}
}

func TestARequestOfAnotherMediaOrMethodIsRefused(t *testing.T) {
	partial, long := post(call), post(message("tools/call", `{"name":"`+strings.Repeat("a", 5<<20)+`"}`))
	partial.BodyPartial = true
	two := post(call, "content-type", "text/plain")
	coded := post(call, "content-encoding", "gzip")
	text := post(call)
	text.Headers["content-type"] = []string{"text/plain"}
	for name, c := range map[string]struct {
		req  *authz.Request
		want int
	}{
		"partial": {partial, 413}, "long": {long, 413}, "two types": {two, 415}, "coded": {coded, 415},
		"text": {text, 415}, "PUT": {&authz.Request{Method: "PUT"}, 405},
		"GET now": {&authz.Request{Method: "GET", Headers: post("", "mcp-protocol-version", "2026-07-28").Headers},
			405},
		"no body":    {&authz.Request{Method: "POST", Headers: post("").Headers}, 400},
		"version":    {post(call, "mcp-protocol-version", "latest"), 400},
		"versions":   {post(call, "mcp-protocol-version", "2025-11-25", "mcp-protocol-version", "2025-11-25"), 400},
		"sessions":   {post(call, "mcp-session-id", "a", "mcp-session-id", "b"), 400},
		"late reply": {post(`{"jsonrpc":"2.0","id":1,"result":{}}`, "mcp-protocol-version", "2026-07-28"), 400},
	} {
		_, err := both.Read(c.req)
		if err == nil || refusalOf(t, err).Status != c.want {
			t.Errorf("%s: %v, want %d", name, err, c.want)
		}
	}
	old := mcp.Config{Eras: []string{"sessions"}, BodyBytes: 1 << 20}
	_, err := old.Read(post(call, "mcp-protocol-version", "2026-07-28"))
	if e := refusalOf(t, err); e.Status != 400 || !strings.Contains(string(e.Body), "-32022") {
		t.Errorf("an era that is not spoken: %d %s", e.Status, e.Body)
	}
	if v, err := both.Read(&authz.Request{Method: "OPTIONS"}); v != nil || err != nil {
		t.Errorf("a preflight is %v, %v", v, err)
	}
}

// modern are the headers of a stateless request.
func modern(more ...string) []string {
	return append([]string{"mcp-protocol-version", "2026-07-28"}, more...)
}

func TestHeadersMustRepeatTheBody(t *testing.T) {
	for name, c := range map[string]struct {
		body    string
		headers []string
		refused bool
	}{
		"same":         {call, modern("mcp-method", "tools/call", "mcp-name", "pay"), false},
		"coded":        {call, modern("mcp-method", "tools/call", "mcp-name", "=?base64?cGF5?="), false},
		"badly coded":  {call, modern("mcp-method", "tools/call", "mcp-name", "=?base64?cGF?="), true},
		"other name":   {call, modern("mcp-method", "tools/call", "mcp-name", "list"), true},
		"other case":   {call, modern("mcp-method", "tools/call", "mcp-name", "Pay"), true},
		"other method": {call, modern("mcp-method", "tools/list", "mcp-name", "pay"), true},
		"name twice":   {call, modern("mcp-method", "tools/call", "mcp-name", "pay", "mcp-name", "pay"), true},
		"no name":      {call, modern("mcp-method", "tools/call"), true},
		"no method":    {call, modern("mcp-name", "pay"), true},
		"orphan":       {message("tools/list", "{}"), modern("mcp-method", "tools/list", "mcp-name", "pay"), true},
		"parameter twice": {call, modern("mcp-method", "tools/call", "mcp-name", "pay", "mcp-param-a", "1",
			"mcp-param-a", "2"), true},
		"old and other": {call, []string{"mcp-name", "list"}, true},
		"old without":   {call, nil, false},
	} {
		_, err := both.Read(post(c.body, c.headers...))
		if (err != nil) != c.refused {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && !strings.Contains(string(refusalOf(t, err).Body), "-32020") {
			t.Errorf("%s: %s", name, refusalOf(t, err).Body)
		}
	}
}

func TestHeadersAloneDecideOnlyWhereTheyMust(t *testing.T) {
	byHeaders := both
	byHeaders.DecideByHeaders = true
	read := func(c mcp.Config, headers ...string) (*mcp.View, error) {
		req := post("", headers...)
		req.HasBody = false
		return c.Read(req)
	}
	v, err := read(byHeaders, modern("mcp-method", "tools/call", "mcp-name", "pay", "mcp-param-tenant", "acme")...)
	if err != nil || v.Tool != "pay" || v.Source != "headers" || v.Arguments != nil ||
		string(v.Parameters) != `{"tenant":"acme"}` {
		t.Errorf("got %+v, %v", v, err)
	}
	for name, refused := range map[string]func() (*mcp.View, error){
		"not configured": func() (*mcp.View, error) {
			return read(both,
				modern("mcp-method", "tools/call", "mcp-name", "pay")...)
		},
		"older": func() (*mcp.View, error) {
			return read(byHeaders, "mcp-protocol-version", "2025-11-25", "mcp-method", "tools/call", "mcp-name", "pay")
		},
		"no version": func() (*mcp.View, error) {
			return read(byHeaders, "mcp-method", "tools/call", "mcp-name",
				"pay")
		},
		"no method": func() (*mcp.View, error) { return read(byHeaders, modern("mcp-name", "pay")...) },
		"no name":   func() (*mcp.View, error) { return read(byHeaders, modern("mcp-method", "tools/call")...) },
		"orphan": func() (*mcp.View, error) {
			return read(byHeaders, modern("mcp-method", "tools/list", "mcp-name", "pay")...)
		},
	} {
		if v, err := refused(); err == nil {
			t.Errorf("%s: read as %+v", name, v)
		}
	}
}
