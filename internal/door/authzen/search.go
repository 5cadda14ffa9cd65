package authzen

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door"
)

type searchAnswer struct {
	Results []candidate `json:"results"`
	Page    *pageAnswer `json:"page,omitzero"`
}

// pageAnswer says where the results go on; an empty token is the end (AZ-10).
type pageAnswer struct {
	NextToken string `json:"next_token"`
	Count     int    `json:"count"`
	Total     int    `json:"total"`
}

// mostCandidates bounds how many candidates a policy may name.
const mostCandidates = 1000

// search answers POST /access/v1/search/...: section 8. An entrypoint names candidates, and the results are those that
// an evaluation permits: what a search returns is never more than what would be allowed.
func (a *api) search(searched, entrypoint string) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		var in searchCall
		if err := a.bodies.ReadKnown(r, &in); err != nil {
			return nil, err
		}
		q, err := in.query(a.cfg, searched)
		if err != nil {
			return nil, err
		}
		begin, err := in.begin(searched)
		if err != nil {
			return nil, err
		}
		found, err := a.candidates(r, q, entrypoint)
		if err != nil {
			return nil, err
		}
		permitted, err := a.permitted(r, q, found)
		if err != nil {
			return nil, err
		}
		return in.answer(searched, begin, permitted), nil
	}
}

// candidates asks the entrypoint of a search for candidates. A refusal names none: nothing is permitted.
func (a *api) candidates(r *http.Request, q authz.Query, entrypoint string) ([]candidate, error) {
	q.Entrypoint, q.Caller = entrypoint, r.RemoteAddr
	d := a.deps.Point.Decide(r.Context(), q)
	if status, message := noDecision(&d); status != 0 {
		return nil, unanswered(&d, status, message)
	}
	if d.Kind != authz.Allow {
		return nil, nil
	}
	kind := ""
	switch q.Searched {
	case "subject":
		kind = q.Subject.Type
	case "resource":
		kind = q.Resource.Type
	}
	found, ok := candidates(d.Context, kind)
	switch {
	case !ok:
		return nil, door.NewCallError(http.StatusInternalServerError, "misconfigured",
			"the policy data."+entrypoint+" names no candidates: see decision "+d.ID, "")
	case len(found) > mostCandidates:
		return nil, door.NewCallError(http.StatusInternalServerError, "misconfigured",
			"the policy data."+entrypoint+" names too many candidates: see decision "+d.ID, "")
	}
	return found, nil
}

// permitted returns the candidates that an evaluation allows, in their order.
func (a *api) permitted(r *http.Request, q authz.Query, all []candidate) ([]candidate, error) {
	questions := make([]authz.Query, len(all))
	for i, c := range all {
		one := a.asked(r, q)
		one.Searched = ""
		switch q.Searched {
		case "subject":
			one.Subject = &authz.Entity{Type: c.Type, ID: c.ID, Properties: propertiesOf(c)}
		case "resource":
			one.Resource = &authz.Entity{Type: c.Type, ID: c.ID, Properties: propertiesOf(c)}
		default:
			one.Action = &authz.Action{Name: c.Name, Properties: propertiesOf(c)}
		}
		questions[i] = one
	}
	out := []candidate{}
	for i, d := range a.deps.Point.DecideAll(r.Context(), questions) {
		if status, message := noDecision(&d); status != 0 {
			return nil, unanswered(&d, status, message)
		}
		if d.Kind == authz.Allow {
			out = append(out, all[i])
		}
	}
	return out, nil
}

func propertiesOf(c candidate) []byte {
	if c.Properties.Kind() != '{' {
		return nil
	}
	return c.Properties
}

// digest names a search without its page: a token of one is none of another.
func (c searchCall) digest(searched string) []byte {
	text, _ := json.Marshal(struct {
		Searched string `json:"searched"`
		Call     call   `json:"call"`
	}{searched, c.call}, json.Deterministic(true))
	sum := sha256.Sum256(text)
	return sum[:16]
}

// begin is where the results of the page begin.
func (c searchCall) begin(searched string) (int, error) {
	if c.Page == nil {
		return 0, nil
	}
	if c.Page.Limit != nil && *c.Page.Limit < 1 {
		return 0, bad("/page/limit", "want a number of 1 or more")
	}
	if c.Page.Token == "" {
		return 0, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(c.Page.Token)
	if err != nil || len(text) != 20 || !slices.Equal(text[4:], c.digest(searched)) {
		return 0, bad("/page/token", "the token is not one of this search: repeat the search that gave it unchanged")
	}
	return int(binary.BigEndian.Uint32(text)), nil
}

// answer is the page of all that begins at begin.
func (c searchCall) answer(searched string, begin int, all []candidate) searchAnswer {
	if c.Page == nil {
		return searchAnswer{Results: all}
	}
	begin = min(begin, len(all))
	end := len(all)
	if c.Page.Limit != nil {
		end = min(end, begin+min(*c.Page.Limit, mostCandidates))
	}
	p := pageAnswer{Count: end - begin, Total: len(all)}
	if end < len(all) {
		token := binary.BigEndian.AppendUint32(nil, uint32(end)) // at most mostCandidates
		p.NextToken = base64.RawURLEncoding.EncodeToString(append(token, c.digest(searched)...))
	}
	return searchAnswer{Results: all[begin:end], Page: &p}
}
