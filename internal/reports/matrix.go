package reports

import (
	"slices"

	"github.com/authz-sidecar/sidecar/internal/access"
	"github.com/authz-sidecar/sidecar/internal/change"
	"github.com/authz-sidecar/sidecar/internal/page"
)

// matrix is the access matrix: the rows that differ, and the whole of both versions, folded.
func matrix(c *change.Change) []page.Section {
	if c.Access == nil {
		return nil
	}
	s := page.Section{ID: "matrix", Title: "Access matrix", Count: len(c.Access.Rows)}
	if len(c.Access.Rows) == 0 {
		s.Note = page.Say("What routes ask for is the same in both versions.")
	} else {
		s.Note = page.Say("Routes that ask for something else, by partial evaluation.")
		t := page.Table{Columns: []string{"Change", "Route", "Asked for before", "Asked for now",
			"Tokens of the suites"}}
		for _, r := range c.Access.Rows {
			t.Rows = append(t.Rows, []page.Text{direction(r), route(r.Method, r.Path, r.Route), needs(r.Old, r.New),
				needs(r.New, r.Old), tokens(r)})
		}
		s.Blocks = append(s.Blocks, t)
	}
	for _, side := range []struct {
		title string
		of    *access.Matrix
	}{{"All routes, now", c.Access.New}, {"All routes, before", c.Access.Old}} {
		if side.of != nil && len(side.of.Routes) > 0 {
			s.Blocks = append(s.Blocks, page.Folded{Title: page.Say(side.title), Blocks: wholeMatrix(side.of)})
		}
	}
	return []page.Section{s}
}

func direction(r change.Row) page.Text {
	switch r.Direction {
	case change.IsWider:
		return page.Tagged("WIDER", page.Bad)
	case change.IsNarrower:
		return page.Tagged("NARROWER", page.Info)
	case change.IsBoth:
		return page.Tagged("BOTH", page.Bad)
	case change.IsUnknown:
	}
	return page.Join(how(r.How), page.Say("not comparable"))
}

func route(method, path, id string) page.Text {
	out := page.Code(method + " " + path)
	if id != "" {
		out = append(out, page.Span{As: page.Break}, page.Span{Text: id, As: page.Faint})
	}
	return out
}

func tokens(r change.Row) page.Text {
	var out page.Text
	if len(r.Gained) > 0 {
		out = page.Join(page.Tagged("may now", page.Bad), page.Codes(r.Gained))
	}
	if len(r.Lost) > 0 {
		out = page.Join(out, page.Tagged("may no longer", page.Info), page.Codes(r.Lost))
	}
	return out
}

// asks are the columns of a row, by name.
func asks(n access.Needs) [][2]string {
	return [][2]string{{"scopes", n.Scopes}, {"audience", n.Audience}, {"tenant", n.Tenant}, {"roles", n.Roles},
		{"login", n.Login}, {"also", n.Also}}
}

// needs are what a row asks for, a line each; those that the other row does not have stand out.
func needs(row, other *access.Row) page.Text {
	if row == nil {
		return page.Text{{Text: "no such route", As: page.Faint}}
	}
	var known []access.Needs
	if other != nil {
		known = other.Needs
	}
	var out page.Text
	line := func(text page.Text) {
		if len(out) > 0 {
			out = append(out, page.Span{As: page.Break})
		}
		out = append(out, text...)
	}
	switch row.Anonymous {
	case "yes":
		line(page.Tagged("without a token", page.Warn))
	case "closed":
		line(page.Say("without a token, were it not for decision.token: required"))
	}
	if len(row.Needs) == 0 && row.Anonymous == "" {
		line(page.Say("closed to every token"))
	}
	for i, way := range row.Needs {
		if i > 0 {
			line(page.Text{{Text: "or", As: page.Faint}})
		}
		any := false
		for _, a := range asks(way) {
			if a[1] == "" {
				continue
			}
			any = true
			as := page.Faint
			if !slices.ContainsFunc(known, func(n access.Needs) bool { return slices.Contains(asks(n), a) }) {
				as = page.Strong
			}
			line(page.Text{{Text: a[0] + ": ", As: page.Faint}, {Text: a[1], As: as}})
		}
		if !any {
			line(page.Say("any usable token"))
		}
	}
	if row.Incomplete != "" {
		line(page.Say("not the whole truth: " + row.Incomplete))
	}
	return out
}

// wholeMatrix is a row for each way through each route.
func wholeMatrix(m *access.Matrix) []page.Block {
	t := page.Table{Columns: []string{"Route", "Scopes", "Audience", "Tenant", "Roles", "Login", "Also"}}
	for _, r := range m.Routes {
		ways := r.Needs
		if len(ways) == 0 {
			ways = []access.Needs{{Also: "closed to every token"}}
		}
		for i, way := range ways {
			name := route(r.Method, r.Path, r.Route)
			if i > 0 {
				name = page.Text{{Text: "or", As: page.Faint}}
			}
			if i == 0 && r.Anonymous == "yes" {
				way.Also = "open without a token; " + way.Also
			}
			row := []page.Text{name}
			for _, a := range asks(way) {
				row = append(row, page.Say(a[1]))
			}
			t.Rows = append(t.Rows, row)
		}
	}
	out := []page.Block{t}
	if m.Rest != "" {
		out = append(out, page.Paragraph(page.Say(m.Rest)))
	}
	return out
}
