package migrate

import (
	"encoding/base64"
	"net/url"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// path translates the path of a test, as an array or as a text that may have a query.
func (d *document) path(value *ast.Term) {
	switch v := d.constant(value).Value.(type) {
	case ast.String:
		path, query, _ := strings.Cut(string(v), "?")
		d.set("input.request.path", ast.StringTerm(path))
		segments := []*ast.Term{}
		if path != "/" && path != "" {
			for _, part := range strings.Split(strings.TrimPrefix(path, "/"), "/") {
				segments = append(segments, ast.StringTerm(part))
			}
		}
		d.set("input.request.segments", ast.ArrayTerm(segments...))
		if values, err := url.ParseQuery(query); err == nil && query != "" {
			d.query(values)
		}
	case *ast.Array:
		if v.Len() == 1 && v.Elem(0).Equal(ast.StringTerm("")) {
			v = ast.NewArray()
		}
		d.set("input.request.segments", ast.NewTerm(v))
		if text, ok := joined(v); ok {
			d.set("input.request.path", ast.StringTerm(text))
		}
	default:
		to := "input.request.path"
		if d.pathIs == arrayPath {
			to = "input.request.segments"
		}
		d.set(to, value)
	}
}

func (d *document) query(values url.Values) {
	for name, list := range values {
		var terms []*ast.Term
		for _, v := range list {
			terms = append(terms, ast.StringTerm(v))
		}
		d.leaves = append(d.leaves, leaf{append(ownRef("input.request.query"), ast.StringTerm(name)),
			ast.ArrayTerm(terms...)})
	}
}

// joined is an array of texts as a path.
func joined(a *ast.Array) (string, bool) {
	out, ok := "", true
	a.Foreach(func(t *ast.Term) {
		text, isString := t.Value.(ast.String)
		ok = ok && isString
		out += "/" + string(text)
	})
	if out == "" {
		out = "/"
	}
	return out, ok
}

// constant follows the name of a rule to its value.
func (d *document) constant(t *ast.Term) *ast.Term {
	ref := asRef(t)
	if ref == nil {
		return t
	}
	to := d.static(ref, d.sc)
	if to == nil {
		return t
	}
	rules := d.rules[dotted(to)]
	if len(rules) == 1 && rules[0].Head.Value != nil && isTrivial(rules[0].Body) {
		return rules[0].Head.Value
	}
	return t
}

// token translates the text of a token: what it says is known where it is a constant, or signed in the test.
func (d *document) token(value *ast.Term) {
	value = d.constant(value)
	switch v := value.Value.(type) {
	case ast.String:
		text := string(v)
		if i := strings.LastIndexByte(text, ' '); i >= 0 {
			text = text[i+1:]
		}
		if claims := payloadOf(text); claims != nil {
			d.set("input.token.claims", claims)
			return
		}
		if text == "" {
			d.set("input.token.present", ast.BooleanTerm(false))
			return
		}
	case ast.Call:
		payload := v
		for _, arg := range v[1:] { // concat(" ", ["Bearer", io.jwt.encode_sign(...)])
			each(arg, func(e *ast.Term) {
				if call, ok := d.constant(e).Value.(ast.Call); ok {
					payload = call
				}
			})
		}
		if payload[0].String() == "io.jwt.encode_sign" && len(payload) > 2 {
			d.set("input.token.claims", payload[2])
			return
		}
	case ast.Object: // of a product that decodes it
		d.set("input.token.claims", value)
		return
	}
	d.report.left(d.at.file, d.at.row, "the test has a token that cannot be decoded: "+value.String(),
		"replace input.token.claims by what it says")
}

// payloadOf is what a JWT says, or nil.
func payloadOf(text string) *ast.Term {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return nil
	}
	t, err := ast.ParseTerm(string(raw))
	if err != nil {
		return nil
	}
	if _, ok := t.Value.(ast.Object); !ok || !t.IsGround() {
		return nil
	}
	return &ast.Term{Value: t.Value}
}

// authorities translates those of Spring.
func (d *document) authorities(value *ast.Term) bool {
	array, ok := value.Value.(*ast.Array)
	if !ok {
		return false
	}
	lists := map[string][]*ast.Term{}
	array.Foreach(func(e *ast.Term) {
		object, ok := e.Value.(ast.Object)
		if !ok {
			return
		}
		if t := object.Get(ast.StringTerm("authority")); t != nil {
			if text, ok := t.Value.(ast.String); ok {
				if scope, ok := strings.CutPrefix(string(text), "SCOPE_"); ok {
					lists["input.token.scopes"] = append(lists["input.token.scopes"], ast.StringTerm(scope))
				} else if role, ok := strings.CutPrefix(string(text), "ROLE_"); ok {
					lists["input.token.roles"] = append(lists["input.token.roles"], ast.StringTerm(role))
				}
			}
		}
	})
	for _, to := range []string{"input.token.scopes", "input.token.roles"} {
		if len(lists[to]) > 0 {
			d.set(to, ast.ArrayTerm(lists[to]...))
		}
	}
	return true
}
