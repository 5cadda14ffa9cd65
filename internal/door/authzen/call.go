package authzen

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/jsonbound"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// call is what every request of the API has: AuthZEN 1.0 sections 6.1, 7.1 and 8. Members that are not known are
// ignored (AZ-2), and null counts as absent.
type call struct {
	Subject  *entity        `json:"subject"`
	Action   *action        `json:"action"`
	Resource *entity        `json:"resource"`
	Context  jsontext.Value `json:"context"`
}

type entity struct {
	Type       string         `json:"type"`
	ID         string         `json:"id"`
	Properties jsontext.Value `json:"properties,omitzero"`
}

type action struct {
	Name       string         `json:"name"`
	Properties jsontext.Value `json:"properties,omitzero"`
}

// evaluationsCall is the body of an access evaluations request: section 7.1. An item is read by itself, so that one
// that is wrong spoils no other.
type evaluationsCall struct {
	call
	Evaluations []jsontext.Value `json:"evaluations"`
	Options     struct {
		Semantic string `json:"evaluations_semantic"`
	} `json:"options"`
}

// searchCall is the body of a search: section 8.
type searchCall struct {
	call
	Page *page `json:"page"`
}

// page asks for a part of the results: section 8.2.
type page struct {
	Token string `json:"token"`
	Limit *int   `json:"limit"`
}

// or replaces the members that c does not have by those of defaults, each as a whole (AZ-3).
func (c call) or(defaults call) call {
	if c.Subject == nil {
		c.Subject = defaults.Subject
	}
	if c.Action == nil {
		c.Action = defaults.Action
	}
	if c.Resource == nil {
		c.Resource = defaults.Resource
	}
	if k := c.Context.Kind(); k == 0 || k == 'n' {
		c.Context = defaults.Context
	}
	return c
}

// item reads an item of an evaluations request. A null asks nothing: the defaults alone would answer it.
func item(text jsontext.Value) (call, error) {
	var c call
	if text.Kind() == 'n' {
		return c, bad("", "want an object, not null")
	}
	err := door.DecodeKnown(text, &c)
	return c, err
}

func bad(pointer, want string) error {
	return door.NewCallError(http.StatusBadRequest, "bad_request", want, pointer)
}

// query is the question of a call. searched is the entity that a search is for, which needs no id; or "".
func (c call) query(cfg Config, searched string) (authz.Query, error) {
	if searched == "action" {
		c.Action = nil
	} else if c.Action == nil || c.Action.Name == "" {
		return authz.Query{}, bad("/action/name", "want the name of the action")
	}
	q := authz.Query{Searched: searched, Tokens: cfg.Token}
	var err error
	if q.Subject, err = c.Subject.read("subject", searched); err != nil {
		return q, err
	}
	if q.Resource, err = c.Resource.read("resource", searched); err != nil {
		return q, err
	}
	if c.Action != nil {
		q.Action = &authz.Action{Name: c.Action.Name}
		if q.Action.Properties, err = object(c.Action.Properties, "/action/properties"); err != nil {
			return q, err
		}
	}
	if q.Context, err = object(c.Context, "/context"); err != nil {
		return q, err
	}
	if searched != "subject" && slices.Contains(cfg.TokenSubjectTypes, q.Subject.Type) {
		q.Token, q.Tokens = secret.New(q.Subject.ID), authz.TokenRequired
	}
	return q, nil
}

// read returns an entity whose type, and id unless it is searched, are there.
func (e *entity) read(member, searched string) (*authz.Entity, error) {
	switch {
	case e == nil:
		return nil, bad("/"+member, "want an object with type and id")
	case e.Type == "":
		return nil, bad("/"+member+"/type", "want the type of the "+member)
	case member == searched:
		e.ID = "" // AZ-8
	case e.ID == "":
		return nil, bad("/"+member+"/id", "want the id of the "+member)
	}
	properties, err := object(e.Properties, "/"+member+"/properties")
	return &authz.Entity{Type: e.Type, ID: e.ID, Properties: properties}, err
}

// object is an object that policies can read, or nil when it is absent or null.
func object(v jsontext.Value, at string) ([]byte, error) {
	switch k := v.Kind(); {
	case k == 0 || k == 'n':
		return nil, nil
	case k != '{':
		return nil, bad(at, "want an object")
	}
	if f := jsonbound.Check(v); f != nil {
		return nil, bad(at, "the member "+f.Cause)
	}
	return v, nil
}

// semantics of evaluations: section 7.1.2.1.
const (
	executeAll          = "execute_all"
	denyOnFirstDeny     = "deny_on_first_deny"
	permitOnFirstPermit = "permit_on_first_permit"
)

// check refuses what is wrong with an evaluations request as a whole (AZ-4, AZ-14).
func (c *evaluationsCall) check(most int) error {
	switch c.Options.Semantic {
	case "":
		c.Options.Semantic = executeAll
	case executeAll, denyOnFirstDeny, permitOnFirstPermit:
	default:
		return bad("/options/evaluations_semantic",
			"want "+executeAll+", "+denyOnFirstDeny+" or "+permitOnFirstPermit)
	}
	if len(c.Evaluations) > most {
		return bad("/evaluations", "want at most "+strconv.Itoa(most)+" evaluations (limits.batch_items)")
	}
	return nil
}

// candidates reads the entities of a type, or the actions when it is "", that a policy put into the member candidates
// of its context. It returns false when the policy gave no list of such objects.
func candidates(context []byte, kind string) ([]candidate, bool) {
	var c struct {
		Candidates []candidate `json:"candidates"`
	}
	if len(context) == 0 {
		return nil, true
	}
	if err := json.Unmarshal(context, &c); err != nil {
		return nil, false
	}
	for _, e := range c.Candidates {
		if kind == "" && e.Name == "" || kind != "" && (e.Type == "" || e.ID == "") {
			return nil, false
		}
	}
	return slices.DeleteFunc(c.Candidates, func(e candidate) bool { return kind != "" && e.Type != kind }), true
}

// candidate is an entity or an action, as a policy names it and as a search returns it.
type candidate struct {
	Type       string         `json:"type,omitempty"`
	ID         string         `json:"id,omitempty"`
	Name       string         `json:"name,omitempty"`
	Properties jsontext.Value `json:"properties,omitzero"`
}
