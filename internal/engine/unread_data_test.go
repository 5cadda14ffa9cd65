package engine

import (
	"strings"
	"testing"
)

func TestDataThatNoPolicyReadsIsAWarning(t *testing.T) {
	routes, top := "policies/routes/data.yaml", "policies/data.json"
	for name, c := range map[string]struct{ rego, want string }{
		"nothing is read": {"", "policies/data.json: no policy reads data.people; policies/data.json: no policy " +
			"reads data.grants; policies/routes/data.yaml: no policy reads data.routes"},
		"a part": {"x if data.routes[\"/x\"].GET\n\ny if data.people.ann",
			"policies/data.json: no policy reads data.grants"},
		"an import": {"import data.routes\n\nimport data.people as p\n\nx := routes\n\ny if p.ann\n\nz := " +
			"data.grants", ""},
		"behind a name": {"x := data.routes[input.request.path]\n\ny := object.get(data.people, " +
			"input.token.subject.id, 1)", "policies/data.json: no policy reads data.grants"},
		"a function": {"f(d) := d.ann\n\nx := f(data.people)\n\ny := data.grants\n\nz := [r | some r in " +
			"data.routes]", ""},
		"only in a with": {"x if data.p.y with data.people as 1\n\ny if data.routes[\"/x\"]",
			"policies/data.json: no policy reads data.grants"},
		"declared": {"# METADATA\n# custom: {optional_data: [data.people, data.grants]}\nx := data.routes", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := compiled(t, patient, map[string]string{
				"policies/authz.rego": sound, "policies/p.rego": "package p\n\n" + c.rego + "\n",
				routes: "/x: {GET: {}}\n", top: `{"people": {"ann": 1}, "grants": []}`,
				"policies/p_test.rego": "package p_test\n\ntest_x if data.grants\n",
			})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, w := range p.Warnings() {
				cause, _, _ := strings.Cut(w.Message, "; ")
				got = append(got, w.File+": "+cause)
			}
			if said := strings.Join(got, "; "); said != c.want {
				t.Errorf("warnings %q, want %q", said, c.want)
			}
		})
	}
}

func TestAMemberOfTheInputThatNothingSetsIsAWarning(t *testing.T) {
	p, err := compiled(t, patient, map[string]string{
		"policies/authz.rego": sound,
		"policies/p.rego": "package p\n\nimport input.resource as r\n\nx if input.action.name == \"read\"\n\n" +
			"y if not r.id\n\nz if input.context.action\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `policies/p.rego:5:6: unset-input: input.action.name is always undefined; nothing sets input.action: ` +
		"what the caller passes is input.context.action\n" +
		`policies/p.rego:7:10: unset-input: input.resource.id is always undefined; nothing sets input.resource: ` +
		"what the caller passes is input.context.resource"
	if got := p.Warnings().Error(); got != want {
		t.Errorf("warnings:\n%s\nwant:\n%s", got, want)
	}
}
