package authzen

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door"
)

// evaluation is the answer to one question: section 6.2. A decision with nothing more to say has no context.
type evaluation struct {
	Decision bool           `json:"decision"`
	Context  jsontext.Value `json:"context,omitzero"`
}

// failed is what the context of an item says of a question that has no decision (AZ-6).
type failed struct {
	Error struct {
		Status  int    `json:"status"`
		Message string `json:"message"`
	} `json:"error"`
}

// failure is an item that has no decision.
func failure(status int, message string) evaluation {
	var f failed
	f.Error.Status, f.Error.Message = status, message
	context, _ := json.Marshal(f) // fixed texts
	return evaluation{Context: context}
}

// noDecision reports why d is no answer of the policy: the status and the message for the caller, or 0. A token that
// may not be used is a denial: its holder has no access.
func noDecision(d *authz.Decision) (status int, message string) {
	switch d.Kind {
	case authz.Allow, authz.Deny, authz.Unauthenticated:
		return 0, ""
	case authz.Malformed, authz.Unavailable, authz.Misconfigured, authz.Internal:
	}
	return d.Status, door.Told(d)
}

// answer is the answer to q that d is. The context has what the policy passes on, its obligations and the reasons, and
// of a refused token the headers for its client, such as a challenge. A member that the policy wrote itself stays.
func answer(q *authz.Query, d *authz.Decision) evaluation {
	e := evaluation{Decision: d.Kind == authz.Allow}
	members := map[string]jsontext.Value{}
	if context := d.JoinedContext(); context != nil {
		if json.Unmarshal(context, &members) != nil {
			return evaluation{} // never: the engine wrote it
		}
	}
	add := func(name string, v jsontext.Value) {
		if _, taken := members[name]; !taken && v != nil {
			members[name] = v
		}
	}
	if !e.Decision {
		add("reasons", reasons(d.Reasons))
		if !q.Token.Empty() {
			add("headers", headers(d.Headers))
		}
	}
	if len(members) > 0 {
		e.Context, _ = json.Marshal(members, json.Deterministic(true)) // of JSON values
	}
	return e
}

func reasons(all []authz.Reason) jsontext.Value {
	if len(all) == 0 {
		return nil
	}
	out := make([]jsontext.Value, len(all))
	for i, r := range all {
		if out[i] = r.Object; out[i] == nil {
			out[i], _ = json.Marshal(struct {
				Code    string `json:"code"`
				Message string `json:"message,omitempty"`
			}{r.Code, r.Message})
		}
	}
	text, _ := json.Marshal(out)
	return text
}

func headers(all []authz.Header) jsontext.Value {
	if len(all) == 0 {
		return nil
	}
	out := map[string][]string{}
	for _, h := range all {
		out[h.Name] = append(out[h.Name], h.Values...)
	}
	text, _ := json.Marshal(out, json.Deterministic(true))
	return text
}
