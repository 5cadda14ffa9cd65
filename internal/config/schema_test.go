package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestSchemaIsTheSameEachTime(t *testing.T) {
	if !bytes.Equal(Schema(), Schema()) {
		t.Error("two calls differ")
	}
}

func TestSchemaKeepsTheOrderOfTheDocumentation(t *testing.T) {
	s, at := string(Schema()), 0
	for _, key := range []string{"listen", "api", "address", "insecure", "tls", "admin", "issuers", "policies",
		"paths", "decision_log", "shutdown_timeout"} {
		i := strings.Index(s[at:], `"`+key+`": {`)
		if i < 0 {
			t.Fatalf("%s is not after the keys before it", key)
		}
		at += i
	}
}

func TestSchemaSaysWhatTheTagsSay(t *testing.T) {
	s := string(Schema())
	for _, part := range []string{
		`"$schema": "https://json-schema.org/draft/2020-12/schema"`,
		`"description": "Decisions and probes, for applications and gateways."`,
		`"default": "127.0.0.1:8181"`,
		`"default": "127.0.0.1:8282"`,
		"\"enum\": [\n            \"required\",\n            \"optional\"\n          ]",
		`"maximum": 1048576`,
		`"minimum": 4096`,
		`"default": "30s"`,
		"Time without further changes before a change is read. From 1ms to 10s.",
		"//, dot segments, ;parameters",
	} {
		if !strings.Contains(s, part) {
			t.Errorf("schema lacks %s", part)
		}
	}
}

// The editor that shows red must agree with the sidecar that refuses, as far as JSON Schema can say.
func TestSchemaAcceptsWhatParseAccepts(t *testing.T) {
	src, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	oneSource := regexp.MustCompile(`(?m)^ +env: [A-Z]`).ReplaceAllString(uncommented(string(src)), "        #env: X")
	for name, text := range map[string]string{
		"defaults": printed(t, Default()), "example": string(src), "whole example": oneSource,
		"no time": oneIssuer + "    cache: {ttl: 0}", "labels": "decision_log: {labels: {region: eu}}",
		"mixed duration": "shutdown_timeout: 1m1.5s",
	} {
		if broken := validate(schemaOf(t), yamlOf(t, text), "$"); len(broken) > 0 {
			t.Errorf("%s: %s", name, strings.Join(broken, "; "))
		}
	}
}

func TestSchemaRefusesWhatParseRefuses(t *testing.T) {
	for _, text := range []string{
		"listne: {}", "listen: {api: {adress: x}}", "decision: {token: sometimes}", "decision: {realm: 5}",
		"shutdown_timeout: 5", "shutdown_timeout: '5'",
		"policies: {poll: 0}", "policies: {paths: policies}", "policies: {paths: ['']}",
		"issuers: [{client: {secret: hunter2}}]", "issuers: [{client: {secret: {file: a, env: b}}}]",
		"issuers: [{cache: {ttl: 5}}]", "issuers: [{cache: {ttl: -5s}}]", "input: {body_bytes: -1}",
		"input: {body_bytes: 1048577}", "decision_log: {queue: 0}", "decision_log: {queue: 1.5}",
		"decision_log: {stdout: 'true'}", "decision_log: {labels: {a: 1}}", "telemetry: {traces: {ratio: half}}",
	} {
		if len(validate(schemaOf(t), yamlOf(t, text), "$")) == 0 {
			t.Errorf("schema accepts %s", text)
		}
		r := newReader("f")
		c, ok := r.decode([]byte(text), nil)
		if ok {
			for _, i := range c.Issuers {
				r.faults = append(r.faults, bothNamed(i.Endpoint.Client.Secret.File, i.Endpoint.Client.Secret.Env)...)
			}
		}
		if len(r.faults) == 0 {
			t.Errorf("the reader accepts %s", text)
		}
	}
}

// bothNamed stands in for the rule of Parse that looks at files.
func bothNamed(file, env string) Faults {
	if file != "" && env != "" {
		return Faults{{}}
	}
	return nil
}

func schemaOf(t *testing.T) map[string]any {
	t.Helper()
	var s map[string]any
	if err := json.Unmarshal(Schema(), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// yamlOf reads text as the types of JSON.
func yamlOf(t *testing.T, text string) any {
	t.Helper()
	var y, v any
	if err := yaml.Unmarshal([]byte(text), &y); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(y)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// validate applies the words of JSON Schema that Schema uses, and complains of any other.
func validate(s map[string]any, v any, at string) (broken []string) {
	complain := func(format string, args ...any) { broken = append(broken, at+": "+fmt.Sprintf(format, args...)) }
	number, isNumber := v.(float64)
	text, isText := v.(string)
	object, _ := v.(map[string]any)
	array, _ := v.([]any)
	for word, arg := range s {
		n, _ := arg.(float64)
		switch word {
		case "$schema", "$id", "title", "description", "default", "errorMessage":
		case "type":
			types, ok := arg.([]any)
			if !ok {
				types = []any{arg}
			}
			if !slices.ContainsFunc(types, func(t any) bool { return isA(v, t.(string)) }) {
				complain("%v is no %v", v, arg)
			}
		case "const":
			if v != arg {
				complain("%v is not %v", v, arg)
			}
		case "anyOf":
			if !slices.ContainsFunc(arg.([]any), func(one any) bool {
				return len(validate(one.(map[string]any), v, at)) == 0
			}) {
				complain("%v is none of %v", v, arg)
			}
		case "enum":
			if !slices.Contains(arg.([]any), v) {
				complain("%v is not in %v", v, arg)
			}
		case "pattern":
			if isText && !regexp.MustCompile(arg.(string)).MatchString(text) {
				complain("%q does not match", text)
			}
		case "minLength":
			if isText && float64(len(text)) < n {
				complain("too short")
			}
		case "minimum":
			if isNumber && number < n {
				complain("%v is below %v", number, n)
			}
		case "maximum":
			if isNumber && number > n {
				complain("%v is above %v", number, n)
			}
		case "maxProperties":
			if float64(len(object)) > n {
				complain("too many properties")
			}
		case "properties":
			for k, sub := range arg.(map[string]any) {
				if child, ok := object[k]; ok {
					broken = append(broken, validate(sub.(map[string]any), child, at+"."+k)...)
				}
			}
		case "additionalProperties":
			known, _ := s["properties"].(map[string]any)
			for k, child := range object {
				sub, allowed := arg.(map[string]any)
				if known[k] == nil && !allowed {
					complain("%s is unknown", k)
				} else if known[k] == nil {
					broken = append(broken, validate(sub, child, at+"."+k)...)
				}
			}
		case "items":
			for i, child := range array {
				broken = append(broken, validate(arg.(map[string]any), child, fmt.Sprintf("%s[%d]", at, i))...)
			}
		default:
			complain("the schema uses %q", word)
		}
	}
	return broken
}

func isA(v any, name string) bool {
	switch v := v.(type) {
	case nil:
		return name == "null"
	case map[string]any:
		return name == "object"
	case []any:
		return name == "array"
	case string:
		return name == "string"
	case bool:
		return name == "boolean"
	case float64:
		return name == "number" || name == "integer" && v == float64(int64(v))
	}
	return false
}
