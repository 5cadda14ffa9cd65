package mutants

// refactorings are edits that change no decision.
func refactorings() []Mutant {
	return []Mutant{
		{Name: "an empty tenant cannot come", File: tenant, Want: Same,
			From: `
	input.token.tenant != ""`,
			To: ""},
		{Name: "conditions in another order", File: decision, Want: Same, Usual: true,
			From: `	usable
	audience.accepted(asked.audience)
`,
			To: `	audience.accepted(asked.audience)
	usable
`},
		{Name: "two rules as a set", File: decision, Want: Same,
			From: `misused if input.token.kind == "refresh"

misused if input.token.kind == "id"`,
			To: `misused if input.token.kind in {"id", "refresh"}`},
		{Name: "a rule that another implies", File: decision, Want: Same,
			From: `extras_met(asked) if count(asked) == 4

`,
			To: ""},
		{Name: "a special case that the general one implies", File: scopes, Want: Same,
			From: `granted([scope]) if scope in input.token.scopes

`,
			To: ""},
		{Name: "a variable for a member", File: login, Want: Same,
			From: `	input.token.auth.acr in acr_values`,
			To: `	class := input.token.auth.acr
	class in acr_values`},
		{Name: "a condition twice", File: audience, Want: Same,
			From: `	ours[_] == input.token.audiences[_]`,
			To: `	ours[_] == input.token.audiences[_]
	ours[_] == input.token.audiences[_]`},
		{Name: "a comment", File: decision, Want: Same,
			From: `allowed if {
	routes.open`,
			To: `# Routes that are open.
allowed if {
	routes.open`},
		{Name: "every instead of not", File: scopes, Want: Same,
			From: `	not lacking(needed)
`,
			To: `	every scope in needed { scope in input.token.scopes }
`},
		{Name: "the name of a route", File: tree, Want: Same,
			From: "id: list_reports",
			To:   "id: reports"},
	}
}
