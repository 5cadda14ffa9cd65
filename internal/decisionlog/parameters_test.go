package decisionlog

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// asked is the event of a request for url, in a log with these secret parameters.
func asked(t *testing.T, url string, secret []string, m Masker) (event map[string]any, line string) {
	t.Helper()
	req, err := input.NewRules(input.Config{}).Request(&authz.Request{Method: "GET", URL: url})
	if err != nil {
		t.Fatal(err)
	}
	r := realistic()
	r.Input, r.Masker = input.Anonymous(input.Query{Request: req}), m
	var out bytes.Buffer
	l := open(t, Config{Stdout: true, SecretParameters: secret}, Deps{Stdout: &out})
	l.Write(r)
	closeLog(t, l)
	return events(t, out.Bytes())[0], out.String()
}

func TestSecretParametersAreMaskedAndListed(t *testing.T) {
	for _, name := range []string{"api_key", "API-Key", "apiKey", "Api.Key", "api_key[]", "apikey"} {
		e, line := asked(t, "/a?x=1&"+name+"=s3cret", []string{"code", "api_key"}, nil)
		if masked, _ := json.Marshal(e["masked"]); strings.Contains(line, "s3cret") ||
			string(masked) != `["/input/request/query/`+name+`"]` {
			t.Errorf("%s: masked %s: %s", name, masked, line)
		}
	}
	if _, line := asked(t, "/a?api_keys=s3cret&key=s3cret", []string{"api_key"}, nil); strings.Count(line,
		"s3cret") != 2 {
		t.Errorf("other parameters are masked: %s", line)
	}
	if _, line := asked(t, "/a?api_key=s3cret", nil, nil); !strings.Contains(line, "s3cret") {
		t.Errorf("no parameter is secret, and one is masked: %s", line)
	}
}

func TestAMaskSeesNoSecretParameter(t *testing.T) {
	var saw []byte
	e, line := asked(t, "/a?code=s3cret&x=1", []string{"code"}, maskFunc(func(event []byte) (authz.Mask, error) {
		saw = bytes.Clone(event)
		return authz.Mask{Ops: []authz.MaskOp{upsert("/input/request/query/x", `"y"`),
			remove("/input/request/path")}}, nil
	}))
	masked, _ := json.Marshal(e["masked"])
	erased, _ := json.Marshal(e["erased"])
	if bytes.Contains(saw, []byte("s3cret")) || strings.Contains(line, "s3cret") ||
		string(masked) != `["/input/request/query/code","/input/request/query/x"]` ||
		string(erased) != `["/input/request/path"]` {
		t.Errorf("the mask saw %s, masked %s, erased %s: %s", saw, masked, erased, line)
	}
}

func TestALineTurnsNoTerminal(t *testing.T) {
	e, line := asked(t, "/a?x=%C2%9B31m%E2%80%AE%E6%97%A5", nil, nil)
	got := e["input"].(map[string]any)["request"].(map[string]any)["query"].(map[string]any)["x"].([]any)[0]
	if strings.ContainsAny(line, "\u009b\u202e") || !strings.Contains(line, "日") || got != "\u009b31m\u202e日" {
		t.Errorf("%q is written as %s", got, line)
	}
}
