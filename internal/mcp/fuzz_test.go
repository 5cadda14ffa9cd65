package mcp_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// FuzzNoMessageHasTwoReadings: encoding/json, which folds case and takes the last of two members, and a reader like
// that of JavaScript, which takes the last, agree with the view of every message that is not refused.
func FuzzNoMessageHasTwoReadings(f *testing.F) {
	for _, r := range lines(f, "bodies.jsonl") {
		f.Add(r.request().Body)
	}
	f.Add(call)
	f.Fuzz(func(t *testing.T, body string) {
		v, err := both.Read(post(body))
		if err != nil {
			refusalOf(t, err)
			return
		}
		var folded plainMessage
		if err := json.Unmarshal([]byte(body), &folded); err == nil || v.Kind == "request" {
			folded.agrees(t, body, v)
		}
		var last map[string]any
		if err := json.Unmarshal([]byte(body), &last); err != nil {
			t.Fatalf("%q is read, and is no JSON object", body)
		}
		params, _ := last["params"].(map[string]any)
		method, _ := last["method"].(string)
		name, _ := params["name"].(string)
		if method != v.Method || v.Tool != "" && v.Tool != name || method == "tools/call" && v.Tool == "" {
			t.Errorf("%q: read as %+v", body, v)
		}
		if strings.HasPrefix(strings.TrimSpace(body), "[") {
			t.Errorf("%q is a batch", body)
		}
	})
}
