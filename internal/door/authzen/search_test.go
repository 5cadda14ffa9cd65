package authzen_test

import (
	"encoding/json"
	"strings"
	"testing"
)

const (
	whoMayCreate  = `{"subject":{"type":"user","id":"ignored"},"action":{"name":"can_create_todo"},"resource":` + item1
	whoMayUpdate  = `{"subject":{"type":"user"},"action":{"name":"can_update_todo"},"resource":` + item1 + `}`
	whatMortyMay  = `{"subject":` + asMorty + `,"resource":` + item1 + `}`
	whatIsUnknown = `{"subject":{"type":"device"},"action":{"name":"can_read_todos"},"resource":` + item1 + `}`
)

func TestAZ8_TheIDOfWhatIsSearchedIsIgnored(t *testing.T) {
	a := open(t, config())
	a.says(t, "searchSubject", whoMayCreate+`}`, 200, `{"results":[{"type":"user","id":"`+rick+
		`"},{"type":"user","id":"`+morty+`"},{"type":"user","id":"`+summer+`"}]}`)
	a.says(t, "searchAction", whatMortyMay, 200,
		`{"results":[{"name":"can_create_todo"},{"name":"can_read_todos"},{"name":"can_read_user"}]}`)
	for _, body := range []string{`{}`, `{"subject":{"type":"user"},"resource":` + item1 + `}`,
		`{"subject":{},"action":{"name":"x"},"resource":` + item1 + `}`} {
		if resp, _ := a.ask(t, "searchSubject", body); resp.StatusCode != 400 {
			t.Errorf("%s: %s", body, resp.Status)
		}
	}
}

func TestAZ9_EachResultWouldBePermitted(t *testing.T) {
	a := open(t, config())
	a.says(t, "searchSubject", whoMayUpdate, 200, `{"results":[{"type":"user","id":"`+rick+`"}]}`)
	a.says(t, "searchSubject", whatIsUnknown, 200, `{"results":[]}`)
	a.says(t, "searchResource", `{"subject":`+asMorty+`,"action":{"name":"can_read_todos"},"resource":{"type":"x"}}`,
		200, `{"results":[]}`)
	a.says(t, "searchAction", strings.Replace(whatMortyMay, morty, "nemo", 1), 200, `{"results":[]}`)
}

func TestAZ10_PagesGoOnWhereTheTokenSays(t *testing.T) {
	a := open(t, config())
	type answer struct {
		Results []struct{ ID string }
		Page    *struct {
			NextToken string `json:"next_token"`
			Total     int
		}
	}
	ask := func(page string) (out answer) {
		t.Helper()
		resp, got := a.ask(t, "searchSubject", whoMayCreate+`,"page":`+page+`}`)
		if err := json.Unmarshal([]byte(got), &out); err != nil || resp.StatusCode != 200 || out.Page == nil {
			t.Fatalf("%s: %s %s", page, resp.Status, got)
		}
		return out
	}
	first := ask(`{"limit":2}`)
	if len(first.Results) != 2 || first.Page.NextToken == "" || first.Page.Total != 3 {
		t.Errorf("the first page is %+v", first)
	}
	last := ask(`{"limit":2,"token":"` + first.Page.NextToken + `"}`)
	if len(last.Results) != 1 || last.Results[0].ID != summer || last.Page.NextToken != "" {
		t.Errorf("the last page is %+v", last)
	}
	whole := ask(`{}`)
	if len(whole.Results) != 3 || whole.Page.NextToken != "" {
		t.Errorf("without a limit it is %+v", whole)
	}
	for _, body := range []string{
		strings.Replace(whoMayCreate, "can_create", "can_delete", 1) + `,"page":{"token":"` + first.Page.NextToken +
			`"}}`,
		whoMayCreate + `,"page":{"token":"x"}}`, whoMayCreate + `,"page":{"limit":0}}`,
	} {
		if resp, _ := a.ask(t, "searchSubject", body); resp.StatusCode != 400 {
			t.Errorf("%s: %s", body, resp.Status)
		}
	}
}

func TestASearchWithATokenNeedsAnActiveOne(t *testing.T) {
	a := open(t, config())
	ask := func(token string) string {
		return `{"subject":{"type":"access_token","id":"` + token + `"},"resource":` + item1 + `}`
	}
	a.says(t, "searchAction", ask(goodToken), 200,
		`{"results":[{"name":"can_create_todo"},{"name":"can_read_todos"},{"name":"can_read_user"}]}`)
	a.says(t, "searchAction", ask("another-token-0123456789"), 200, `{"results":[]}`)
	if resp, _ := a.ask(t, "searchAction", ask(downToken)); resp.StatusCode != 503 {
		t.Errorf("a server that is down: %s", resp.Status)
	}
}

func TestCandidatesOfAnotherShapeAreAFaultOfThePolicy(t *testing.T) {
	cfg := config()
	cfg.Search.Action = "extra/shapeless"
	resp, got := open(t, cfg).ask(t, "searchAction", whatMortyMay)
	if resp.StatusCode != 500 || !strings.Contains(got, "extra/shapeless") {
		t.Errorf("%s %s", resp.Status, got)
	}
}

func TestAZ11_TheMetadataNameWhatIsServed(t *testing.T) {
	a := open(t, config())
	a.says(t, "authzenMetadataBelow", "", 200, `{"policy_decision_point":"https://pdp.example/tenant",`+
		`"access_evaluation_endpoint":"https://pdp.example/tenant/access/v1/evaluation",`+
		`"access_evaluations_endpoint":"https://pdp.example/tenant/access/v1/evaluations",`+
		`"search_subject_endpoint":"https://pdp.example/tenant/access/v1/search/subject",`+
		`"search_resource_endpoint":"https://pdp.example/tenant/access/v1/search/resource",`+
		`"search_action_endpoint":"https://pdp.example/tenant/access/v1/search/action"}`)
	if resp, _ := a.ask(t, "authzenMetadata", ""); resp.StatusCode != 404 {
		t.Errorf("without the path of the public URL: %s", resp.Status)
	}
	cfg := config()
	cfg.PublicURL, cfg.Search.Resource = "https://pdp.example", ""
	a = open(t, cfg)
	if _, got := a.ask(t, "authzenMetadata", ""); strings.Contains(got, "resource") {
		t.Errorf("what is off is named: %s", got)
	}
	if resp, got := a.ask(t, "searchResource", `{}`); resp.StatusCode != 404 ||
		!strings.Contains(got, "authzen.search.resource") {
		t.Errorf("a search that is off: %s %s", resp.Status, got)
	}
}
