package authzen_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// FuzzNoBytesTurnADenialIntoAPermission compares with the rules of the to-do scenario in Go, over what another reader
// of JSON finds in the body: the last of equal members, in any case.
func FuzzNoBytesTurnADenialIntoAPermission(f *testing.F) {
	a := open(f, config())
	users := knownUsers(f)
	good := asked(asMorty, "can_create_todo", item1)
	for _, seed := range []string{
		good, asked(asMorty, "can_delete_todo", item1), `{"evaluations":[` + good + `]}`,
		asked(`{"type":"user","id":"x","ID":"`+rick+`"}`, "can_delete_todo", item1),
		asked(`{"type":"access_token","id":"`+goodToken+`"}`, "can_read_todos", item1),
		`{"subject":{"type":"user","id":"x"},"subject":` + asMorty + `,"action":{"name":"can_read_user"},"resource":` +
			item1 + `}`,
		asked(asMorty, "can_update_todo", `{"type":"todo","id":"1","properties":{"ownerID":"morty@the-citadel.com"}}`),
		"{\"subject\":\xff}", `{"page":{"token":"AAAA","limit":1},"subject":{"type":"user"},"resource":` + item1 + `}`,
	} {
		for _, id := range []string{"evaluate", "evaluateAll", "searchSubject", "searchAction"} {
			f.Add(id, seed)
		}
	}
	f.Fuzz(func(t *testing.T, id, body string) {
		if a.mount.Handlers[id] == nil || id == "authzenMetadata" || id == "authzenMetadataBelow" {
			return
		}
		resp, got := a.ask(t, id, body)
		if resp.StatusCode >= 500 && resp.StatusCode != 503 {
			t.Fatalf("%s %q: %s %s", id, body, resp.Status, got)
		}
		if id != "evaluate" || !strings.HasPrefix(got, `{"decision":true`) {
			return
		}
		var other struct {
			Subject  struct{ Type, ID string }
			Action   struct{ Name string }
			Resource struct {
				Properties struct {
					OwnerID any `json:"ownerID"`
				}
			}
		}
		if err := json.Unmarshal([]byte(body), &other); err != nil {
			t.Fatalf("%q is permitted, and is not what another reads: %v", body, err)
		}
		user := users[other.Subject.ID]
		if other.Subject.Type == "access_token" && other.Subject.ID == goodToken {
			user = users[morty]
		} else if other.Subject.Type != "user" {
			t.Fatalf("%q is permitted to a %q", body, other.Subject.Type)
		}
		if !user.may(other.Action.Name, other.Resource.Properties.OwnerID) {
			t.Fatalf("%q is permitted", body)
		}
	})
}

type todoUser struct {
	Email string
	Roles []string
}

func knownUsers(t testing.TB) map[string]todoUser {
	var file struct {
		Todo struct{ Users map[string]todoUser }
	}
	readJSON(t, "users.json", &file)
	return file.Todo.Users
}

// may is the rules of the scenario.
func (u todoUser) may(action string, owner any) bool {
	has := func(role string) bool { return slices.Contains(u.Roles, role) }
	owns := has("editor") && owner == u.Email
	switch action {
	case "can_read_user", "can_read_todos":
		return u.Email != ""
	case "can_create_todo":
		return has("admin") || has("editor")
	case "can_update_todo":
		return has("evil_genius") || owns
	case "can_delete_todo":
		return has("admin") || owns
	}
	return false
}
