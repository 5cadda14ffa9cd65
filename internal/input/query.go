package input

import (
	"unicode/utf8"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/mcp"
	"github.com/authz-sidecar/sidecar/internal/resource"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Query is an authz.Query as policies see it.
type Query struct {
	// Request is the zero Request when the query is about no HTTP request.
	Request Request
	// Subject, Action and Resource are nil when the query names none.
	Subject  *Entity
	Action   *Action
	Resource *Entity
	// Context is a JSON object, or nil.
	Context []byte
	// Of is the protected resource that the request is of; nil when it is of none.
	Of *resource.Resource
	// MCP is the message that the request carries; nil when it is not to an MCP endpoint.
	MCP *mcp.View

	// known is the kept set that the headers of Request are; nil when they are none.
	known *fieldSet
	// unknown are the rules that may keep the headers of Request; nil when they do.
	unknown *Rules
}

// Query returns q as policies see it. An error is of kind Malformed: the request has no single meaning, an entity
// lacks a member that AuthZEN 1.0 section 5 requires, or there is neither a request nor an action on a resource. With
// the error of a message of MCP come the resource, and as much of the message as could be read.
func (r *Rules) Query(q *authz.Query) (Query, error) {
	out := Query{Context: q.Context}
	var err error
	switch {
	case q.HasRequest():
		if err = r.read(&out, &q.Request); err != nil {
			return Query{}, err
		}
		if err = out.setResource(r.resources, &q.Request); err != nil {
			return out, err
		}
	case q.Action == nil && q.Searched != "action" || q.Resource == nil:
		return Query{}, malformed("there is neither an HTTP request nor an action on a resource")
	}
	if out.Subject, err = entity("subject", q.Subject, q.Searched); err != nil {
		return Query{}, err
	}
	if out.Resource, err = entity("resource", q.Resource, q.Searched); err != nil {
		return Query{}, err
	}
	if a := q.Action; a != nil {
		if a.Name == "" || !utf8.ValidString(a.Name) {
			return Query{}, malformed("the action has no name, or one that is not UTF-8")
		}
		out.Action = &Action{Name: a.Name, Properties: a.Properties}
	}
	return out, nil
}

// setResource finds the protected resource of a request, and reads the message to its MCP endpoint.
func (q *Query) setResource(all *resource.Set, req *authz.Request) (err error) {
	q.Of = all.Of(q.Request.Host, q.Request.Port, q.Request.Path)
	if q.Of != nil && q.Of.MCP.On() && q.Of.Endpoint(q.Request.Path) {
		q.MCP, err = q.Of.MCP.Read(req)
	}
	return err
}

func entity(member string, e *authz.Entity, searched string) (*Entity, error) {
	switch {
	case e == nil:
		return nil, nil
	case e.Type == "" || e.ID == "" && member != searched:
		return nil, malformed("the %s has no type or no id", member)
	case !utf8.ValidString(e.Type) || !utf8.ValidString(e.ID):
		return nil, malformed("the type or the id of the %s is not UTF-8", member)
	}
	return &Entity{Type: e.Type, ID: e.ID, Properties: e.Properties}, nil
}

// WithoutToken returns q without the token that hide hides, wherever the client or the caller repeated it:
// secret.Redacted stands for it. An error is of kind Malformed: the token is where no text can stand for it.
func (q Query) WithoutToken(hide *secret.Hider) (Query, error) {
	var err error
	if err = q.requestWithoutToken(hide); err != nil {
		return q, err
	}
	for _, e := range []**Entity{&q.Subject, &q.Resource} {
		if *e == nil {
			continue
		}
		clean := Entity{Type: hide.Hide((*e).Type), ID: hide.Hide((*e).ID)}
		if clean.Properties, err = objectWithoutToken(hide, (*e).Properties); err != nil {
			return q, err
		}
		*e = &clean
	}
	if q.Action != nil {
		clean := Action{Name: hide.Hide(q.Action.Name)}
		if clean.Properties, err = objectWithoutToken(hide, q.Action.Properties); err != nil {
			return q, err
		}
		q.Action = &clean
	}
	if q.Context, err = objectWithoutToken(hide, q.Context); err != nil {
		return q, err
	}
	q.MCP, err = messageWithoutToken(hide, q.MCP)
	return q, err
}

// objectWithoutToken hides the token in a JSON object of the caller's, or in nil.
func objectWithoutToken(hide *secret.Hider, object []byte) ([]byte, error) {
	if !hide.InJSON(object) {
		return object, nil
	}
	if object = hide.JSON(object); object == nil {
		return nil, malformed("a JSON object beside the request holds the token in several names")
	}
	return object, nil
}
