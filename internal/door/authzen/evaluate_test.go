package authzen_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

func TestTheVectorsOfTheToDoScenario(t *testing.T) {
	var vectors struct {
		Evaluation []struct {
			Request  json.RawMessage
			Expected bool
		}
		Evaluations []struct {
			Request  json.RawMessage
			Expected []map[string]bool
		}
	}
	readJSON(t, "todo.json", &vectors)
	if len(vectors.Evaluation) != 40 || len(vectors.Evaluations) != 3 {
		t.Fatalf("%d and %d vectors", len(vectors.Evaluation), len(vectors.Evaluations))
	}
	a := open(t, config())
	for _, v := range vectors.Evaluation {
		want := `{"decision":false}`
		if v.Expected {
			want = `{"decision":true}`
		}
		a.says(t, "evaluate", string(v.Request), 200, want)
	}
	for _, v := range vectors.Evaluations {
		want, err := json.Marshal(map[string]any{"evaluations": v.Expected})
		if err != nil {
			t.Fatal(err)
		}
		a.says(t, "evaluateAll", string(v.Request), 200, string(want))
	}
}

func TestAZ1_ADenialIsAnAnswer(t *testing.T) {
	a := open(t, config())
	a.says(t, "evaluate", asked(asMorty, "can_read_todos", item1), 200, `{"decision":true}`)
	a.says(t, "evaluate", asked(`{"type":"user","id":"x"}`, "can_read_todos", item1), 200, `{"decision":false}`)
}

func TestAZ2_UnknownMembersAreIgnored(t *testing.T) {
	a := open(t, config())
	a.says(t, "evaluate", `{"more":1,"subject":{"type":"user","id":"`+morty+`","more":{}},`+
		`"action":{"name":"can_read_todos","more":[]},"resource":{"type":"todo","id":"1","properties":null},`+
		`"context":null}`, 200, `{"decision":true}`)
}

func TestAZ3_AnItemReplacesAWholeDefault(t *testing.T) {
	a := open(t, config())
	body := `{"subject":` + asMorty + `,"action":{"name":"can_update_todo"},` +
		`"resource":{"type":"todo","id":"1","properties":{"ownerID":"morty@the-citadel.com"}},` +
		`"evaluations":[{},{"resource":{"type":"todo","id":"1"}},{"resource":null}]}`
	a.says(t, "evaluateAll", body, 200, `{"evaluations":[{"decision":true},{"decision":false},{"decision":true}]}`)
}

func TestAZ4_TheSemanticsEndWhereTheySay(t *testing.T) {
	a := open(t, config())
	body := func(semantic string) string {
		return `{"subject":` + asMorty + `,"resource":` + item1 + `,"options":{"evaluations_semantic":"` + semantic +
			`"},"evaluations":[{"action":{"name":"can_read_todos"}},{"action":{"name":"no"}},` +
			`{"action":{"name":"can_read_user"}}]}`
	}
	a.says(t, "evaluateAll", body("execute_all"), 200,
		`{"evaluations":[{"decision":true},{"decision":false},{"decision":true}]}`)
	a.says(t, "evaluateAll", body("deny_on_first_deny"), 200, `{"evaluations":[{"decision":true},{"decision":false}]}`)
	a.says(t, "evaluateAll", body("permit_on_first_permit"), 200, `{"evaluations":[{"decision":true}]}`)
	if resp, _ := a.ask(t, "evaluateAll", body("all")); resp.StatusCode != 400 {
		t.Errorf("an unknown semantic: %s", resp.Status)
	}
}

func TestAZ5_WithoutItemsItIsAnEvaluation(t *testing.T) {
	a := open(t, config())
	one := strings.TrimSuffix(asked(asMorty, "can_read_todos", item1), "}")
	for _, end := range []string{`}`, `,"evaluations":[]}`, `,"evaluations":null}`} {
		a.says(t, "evaluateAll", one+end, 200, `{"decision":true}`)
	}
}

func TestAZ6_OneWrongItemSpoilsNoOther(t *testing.T) {
	a := open(t, config())
	good := asked(asMorty, "can_read_todos", item1)
	down := asked(`{"type":"access_token","id":"`+downToken+`"}`, "can_read_todos", item1)
	_, got := a.ask(t, "evaluateAll", `{"evaluations":[`+good+`,{"subject":5},`+down+`,"x",`+good+`]}`)
	var answer struct {
		Evaluations []struct {
			Decision bool
			Context  struct{ Error struct{ Status int } }
		}
	}
	if err := json.Unmarshal([]byte(got), &answer); err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{0, 400, 503, 400, 0} {
		if e := answer.Evaluations[i]; e.Context.Error.Status != want || e.Decision != (want == 0) {
			t.Errorf("item %d is %+v, want %d: %s", i, e, want, got)
		}
	}
}

func TestAZ6_AnItemThatIsNoObjectIsNotAnsweredByTheDefaults(t *testing.T) {
	a := open(t, config())
	defaults := strings.TrimSuffix(asked(asMorty, "can_read_todos", item1), "}")
	a.says(t, "evaluateAll", defaults+`,"evaluations":[null,{}]}`, 200,
		`{"evaluations":[{"decision":false,"context":{"error":{"status":400,"message":"want an object, not null"}}},`+
			`{"decision":true}]}`)
}

func TestAZ15_MessagesNameTheTypeThatIsWanted(t *testing.T) {
	a := open(t, config())
	good := strings.TrimSuffix(asked(asMorty, "can_read_todos", item1), "}")
	for _, c := range []struct{ operation, more, want string }{
		{"evaluateAll", `,"evaluations":{}}`,
			`"/evaluations: want an array of objects, not an object: write [{...}]"`},
		{"searchResource", `,"page":{"limit":"a"}}`, `"/page/limit: want a whole number, not a string: write 10"`},
		{"searchResource", `,"page":{"limit":1.5}}`, `"/page/limit: want a whole number: write 10"`},
	} {
		if _, got := a.ask(t, c.operation, good+c.more); strings.TrimSpace(got) != c.want {
			t.Errorf("%s is answered %s, want %s", c.more, got, c.want)
		}
	}
}

func TestAZ7_AnEmptyDefaultIsTolerated(t *testing.T) {
	a := open(t, config())
	a.says(t, "evaluateAll", `{"resource":{},"subject":{},"evaluations":[`+asked(asMorty, "can_read_todos", item1)+
		`]}`,
		200, `{"evaluations":[{"decision":true}]}`)
}

func TestAZ13_TheRequestIDIsRepeated(t *testing.T) {
	a := open(t, config())
	for body, status := range map[string]int{asked(asMorty, "can_read_todos", item1): 200, `{`: 400} {
		resp, _ := a.ask(t, "evaluate", body, func(r *http.Request) { r.Header.Set("X-Request-ID", "r-1 2") })
		if resp.StatusCode != status || resp.Header.Get("X-Request-ID") != "r-1 2" {
			t.Errorf("%s: %s, X-Request-ID %q", body, resp.Status, resp.Header.Get("X-Request-ID"))
		}
	}
	resp, _ := a.ask(t, "evaluate", `{}`, func(r *http.Request) { r.Header.Set("X-Request-ID", "a\u00e9") })
	if id := resp.Header.Get("X-Request-ID"); id != "" {
		t.Errorf("it repeats %q", id)
	}
}

func TestAZ15_WhatIsWrongIsABadRequest(t *testing.T) {
	a := open(t, config())
	good := asked(asMorty, "can_read_todos", item1)
	for _, body := range []string{
		``, `{`, `[]`, `null`, `{}`, `"x"`, good + good,
		strings.Replace(good, asMorty, `"a"`, 1), strings.Replace(good, asMorty, `{"type":"user"}`, 1),
		strings.Replace(good, asMorty, `{"id":"1"}`, 1), strings.Replace(good, asMorty, `{"type":1,"id":"1"}`, 1),
		strings.Replace(good, `"can_read_todos"`, `5`, 1), strings.Replace(good, `"can_read_todos"`, `""`, 1),
		strings.Replace(good, item1, `{"type":"todo"}`, 1), strings.Replace(good, item1, `null`, 1),
		strings.Replace(good, item1, `{"type":"todo","id":"1","properties":[]}`, 1),
		strings.Replace(good, `"action"`, `"context":"x","action"`, 1),
		strings.Replace(good, `"action"`, `"subject":{},"action"`, 1), "\xef\xbb\xbf" + good,
		strings.Replace(good, `"action"`, `"context":{"a":`+strings.Repeat("[", 70)+strings.Repeat("]", 70)+
			`},"action"`, 1),
	} {
		resp, got := a.ask(t, "evaluate", body)
		var message string
		if resp.StatusCode != 400 || json.Unmarshal([]byte(got), &message) != nil || message == "" {
			t.Errorf("%s: %s %s", body, resp.Status, got)
		}
	}
	for _, kind := range []string{"", "text/plain", "application/xml", "application/json; charset"} {
		resp, _ := a.ask(t, "evaluate", good, func(r *http.Request) { r.Header.Set("Content-Type", kind) })
		if resp.StatusCode != 400 {
			t.Errorf("Content-Type %q: %s", kind, resp.Status)
		}
	}
	six := strings.TrimSuffix(strings.Repeat(good+",", 6), ",")
	if resp, _ := a.ask(t, "evaluateAll", `{"evaluations":[`+six+`]}`); resp.StatusCode != 400 {
		t.Errorf("six items of at most five: %s", resp.Status)
	}
}

func TestTheContextHasWhatThePolicySays(t *testing.T) {
	cfg := config()
	cfg.Entrypoint = "extra/decision"
	a := open(t, cfg)
	a.says(t, "evaluate", asked(asMorty, "noted", item1), 200,
		`{"decision":true,"context":{"note":"n","obligations":[{"id":"1","type":"notify"}]}}`)
	a.says(t, "evaluate", asked(asMorty, "closed", item1), 200,
		`{"decision":false,"context":{"reasons":[{"code":"closed","message":"come back later","until":9}]}}`)
	broken := strings.Replace(asked(asMorty, "broken", item1), `"action"`, `"context":{"zero":0},"action"`, 1)
	if resp, got := a.ask(t, "evaluate", broken); resp.StatusCode != 500 || strings.Contains(got, "zero") ||
		!strings.Contains(got, "report the decision id 01") {
		t.Errorf("a broken policy: %s %s", resp.Status, got)
	}
}

func TestATokenIsASubject(t *testing.T) {
	a := open(t, config())
	subject := func(token string) string { return `{"type":"access_token","id":"` + token + `"}` }
	a.says(t, "evaluate", asked(subject(goodToken), "can_create_todo", item1), 200, `{"decision":true}`)
	_, got := a.ask(t, "evaluate", asked(subject("another-token-0123456789"), "can_read_todos", item1))
	if !strings.HasPrefix(got, `{"decision":false,"context":{"headers":{"WWW-Authenticate":[`) ||
		!strings.Contains(got, `invalid_token`) || strings.Contains(got, "another-token") {
		t.Errorf("a token that is not active: %s", got)
	}
	resp, got := a.ask(t, "evaluate", asked(subject(downToken), "can_read_todos", item1))
	if resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "7" || strings.Contains(got, downToken) {
		t.Errorf("a server that is down: %s %s", resp.Status, got)
	}
	if strings.Contains(a.log.String(), goodToken) || strings.Contains(a.log.String(), downToken) {
		t.Error("the log has a token")
	}
}

func TestNoPolicyReadsATokenThatIsASubject(t *testing.T) {
	cfg := config()
	cfg.Entrypoint = "extra/decision"
	open(t, cfg).says(t, "evaluate", asked(`{"type":"access_token","id":"`+goodToken+`"}`, "echo", item1), 200,
		`{"decision":true,"context":{"subject":"[redacted]"}}`)
}

func TestWithoutAnEntrypointThePathsSayWhichKeyIsMissing(t *testing.T) {
	cfg := config()
	cfg.Entrypoint = ""
	a := open(t, cfg)
	for _, o := range a.mount.Operations {
		if resp, got := a.ask(t, o.ID, `{}`); resp.StatusCode != 404 || !strings.Contains(got, "authzen.entrypoint") {
			t.Errorf("%s: %s %s", o.ID, resp.Status, got)
		}
	}
}

func TestATokenMayBeRequired(t *testing.T) {
	cfg := config()
	cfg.Token = "required"
	open(t, cfg).says(t, "evaluate", asked(asMorty, "can_read_todos", item1), 200,
		`{"decision":false,"context":{"reasons":[{"code":"no_credential","message":"the request carries no token"}]}}`)
}
