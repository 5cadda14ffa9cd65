package native

import (
	"reflect"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door/description"
	"github.com/authz-sidecar/sidecar/internal/jsonschema"
	"github.com/authz-sidecar/sidecar/internal/status"
)

// described are the schemas of all bodies and answers.
func described() jsonschema.Properties {
	calls := jsonschema.Types{Use: jsonschema.Call, Name: schemaName, Refs: description.SchemaRefs}
	for _, t := range []reflect.Type{reflect.TypeFor[call](), reflect.TypeFor[batchCall](),
		reflect.TypeFor[explainCall](), reflect.TypeFor[evictCall]()} {
		calls.Of(t)
	}
	byDefaults(calls.Defs)
	namesTokens(calls.Defs)
	answers := jsonschema.Types{Use: jsonschema.Answer, Name: schemaName, Refs: description.SchemaRefs,
		Defs: calls.Defs}
	for _, t := range []reflect.Type{reflect.TypeFor[evicted](), reflect.TypeFor[status.Report](),
		reflect.TypeFor[readiness](), reflect.TypeFor[alive](), reflect.TypeFor[explained]()} {
		answers.Of(t)
	}
	all := append(answers.Defs, decisionSchemas()...)
	of(all, "Explained").member("decision").Ref = description.SchemaRefs + "Decision"
	slices.SortFunc(all, func(a, b jsonschema.Property) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// schemaName is the name of a Go type in the description. Types of two packages have the same name in Go.
func schemaName(t reflect.Type) string {
	switch t.String() {
	case "status.Report":
		return "Status"
	case "explain.Report":
		return "Explanation"
	case "trace.Reason":
		return "ExplainedReason"
	}
	return strings.ToUpper(t.Name()[:1]) + t.Name()[1:]
}

func of(all jsonschema.Properties, name string) *object {
	for i := range all {
		if all[i].Name == name {
			return (*object)(&all[i].Schema)
		}
	}
	return &object{}
}

// object is the schema of an object, whose members can be found.
type object jsonschema.Schema

func (o *object) member(name string) *jsonschema.Schema {
	return (*jsonschema.Schema)(of(o.Properties, name))
}

// byDefaults says of a batch that a request is needed in each item, or beside them.
func byDefaults(all jsonschema.Properties) {
	batch, item := of(all, "BatchCall"), jsonschema.Schema{Type: []any{"object", "null"}, Additional: false}
	request := batch.member("request")
	*request = jsonschema.Schema{Description: request.Description,
		AnyOf: []jsonschema.Schema{*description.Ref("CallRequest"),
			{Type: "null"}}}
	item.Properties = slices.DeleteFunc(slices.Clone(batch.Properties), func(p jsonschema.Property) bool {
		return p.Name == "items"
	})
	batch.member("items").Items = &item
	batch.Required = []string{"items"}
	batch.AnyOf = []jsonschema.Schema{given("request", "object"), {Properties: jsonschema.Properties{{
		Name: "items", Schema: jsonschema.Schema{Items: pointer(given("request", "object"))},
	}}}}
}

// given is an object whose member of a name is there, with a value of a type other than null.
func given(name, kind string) jsonschema.Schema {
	return jsonschema.Schema{Type: "object", Required: []string{name}, Properties: jsonschema.Properties{
		{Name: name, Schema: jsonschema.Schema{Type: kind}}}}
}

func pointer(s jsonschema.Schema) *jsonschema.Schema { return &s }

// namesTokens says that an eviction names tokens by something else than their issuer, or all of them by nothing else.
func namesTokens(all jsonschema.Properties) {
	evict := of(all, "EvictCall")
	null := jsonschema.Schema{Type: "null"}
	everything := jsonschema.Schema{Required: []string{"all"}, Properties: jsonschema.Properties{
		{Name: "all", Schema: jsonschema.Schema{Const: true}}}}
	for _, m := range evict.Properties {
		if m.Name == "issuer" || m.Name == "all" {
			continue
		}
		everything.Properties = append(everything.Properties, jsonschema.Property{Name: m.Name, Schema: null})
		some := given(m.Name, "string")
		some.Properties = append(some.Properties, jsonschema.Property{Name: "all",
			Schema: jsonschema.Schema{AnyOf: []jsonschema.Schema{{Const: false}, null}}})
		evict.AnyOf = append(evict.AnyOf, some)
	}
	evict.AnyOf = append(evict.AnyOf, everything)
	evict.member("token").Pattern = tokenPattern
}

// tokenPattern is httpuri.IsCredential, with blanks around it, which are cut off.
const tokenPattern = `^[ \t\r\n]*=*[!#-+\--<>-\[\]-~][!#-+\--\[\]-~]*[ \t\r\n]*$`

// decisionSchemas describe what AppendDecision, appendBatch and writeError write.
func decisionSchemas() jsonschema.Properties {
	text := jsonschema.Schema{Type: "string"}
	several := jsonschema.Schema{Type: "array", Items: &text}
	headers := jsonschema.Schema{Type: "object", Additional: several}
	about := func(s jsonschema.Schema, words string) jsonschema.Schema { s.Description = words; return s }
	var kinds []string
	for _, k := range authz.Kinds {
		kinds = append(kinds, k.String())
	}
	var codes []string
	for _, c := range callErrors() {
		codes = append(codes, c.code)
	}
	slices.Sort(kinds)
	reason := whole(jsonschema.Properties{{Name: "code", Schema: text}, {Name: "message", Schema: text}})
	policy := whole(jsonschema.Properties{
		{Name: "path", Schema: about(text, "The entrypoint.")}, {Name: "revision", Schema: text},
		{Name: "digest", Schema: text},
	})
	policy.Properties = append(policy.Properties, jsonschema.Property{Name: "bundles", Schema: jsonschema.Schema{
		Type: "object", Additional: true, Description: "The bundles that came as archives, by name: revision, content " +
			"digest, and signers with key_id, role and algorithm. Absent without any."}})
	return jsonschema.Properties{
		{Name: "Decision", Schema: whole(jsonschema.Properties{
			{Name: "decision_id", Schema: about(text, "A ULID; the same in the decision log.")},
			{Name: "allow", Schema: jsonschema.Schema{Type: "boolean", Description: "True only when kind is allow."}},
			{Name: "kind", Schema: jsonschema.Schema{Type: "string", Enum: kinds}},
			{Name: "status", Schema: jsonschema.Schema{Type: "integer", Minimum: "200", Maximum: "599",
				Description: "What to answer the client when the request is refused; 200 for an allow."}},
			{Name: "reasons", Schema: jsonschema.Schema{Type: "array", Items: description.Ref("Reason"),
				Description: "Why, for programs and for people."}},
			{Name: "headers", Schema: about(headers, "For the answer to the client, whatever was decided.")},
			{Name: "upstream_headers", Schema: about(headers, "For the allowed request. They replace what the client "+
				"sent by those names; an empty value or an empty array removes.")},
			{Name: "context", Schema: jsonschema.Schema{Type: "object", Additional: true,
				Description: "What the policy passes on. The caller must honour context.obligations, or refuse the " +
					"request."}},
			{Name: "policy", Schema: policy},
		})},
		{Name: "Decisions", Schema: whole(jsonschema.Properties{
			{Name: "items", Schema: jsonschema.Schema{Type: "array", Items: description.Ref("Decision")}}})},
		{Name: "Reason", Schema: reason},
		{Name: "Error", Schema: whole(jsonschema.Properties{{Name: "error", Schema: whole(jsonschema.Properties{
			{Name: "code", Schema: jsonschema.Schema{Type: "string", Enum: codes}},
			{Name: "message", Schema: about(text, "For people: what was wanted.")},
			{Name: "pointer", Schema: about(text, "The JSON pointer of the member at fault, or empty. It ends "+
				"before a name that cannot be that of a member.")},
		})}})},
	}
}

// whole is an object that always has all of members.
func whole(members jsonschema.Properties) jsonschema.Schema {
	s := jsonschema.Schema{Type: "object", Properties: members}
	for _, m := range members {
		s.Required = append(s.Required, m.Name)
	}
	return s
}
