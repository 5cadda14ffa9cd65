package reports

import (
	"fmt"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/change"
	"github.com/authz-sidecar/sidecar/internal/change/witness"
	"github.com/authz-sidecar/sidecar/internal/page"
)

// decisions are the sections about requests that both versions decide differently, a card each.
func decisions(c *change.Change) []page.Section {
	if c.Decisions == nil {
		return nil
	}
	var out []page.Section
	for _, class := range []struct {
		of        witness.Class
		id, title string
		tone      page.Tone
		fold      page.Fold
	}{
		{witness.Wider, "allowed", "Newly allowed", page.Bad, page.Open},
		{witness.Narrower, "denied", "Newly denied", page.Info, page.Open},
		{witness.Different, "answers", "Answered differently", page.Neutral, page.Closed},
	} {
		s := page.Section{ID: class.id, Title: class.title, Fold: class.fold}
		for _, f := range c.Decisions.Findings {
			if f.Class == class.of {
				s.Blocks = append(s.Blocks, card(f, class.tone, c.Decisions))
			}
		}
		if s.Count = len(s.Blocks); s.Count > 0 {
			s.Note = page.Say("Each was decided by both versions as they are written, as of " +
				moment(c.Decisions.Now) +
				". No member of the example can be left out.")
			out = append(out, s)
		}
	}
	return out
}

// card is one finding with its witness.
func card(f witness.Finding, tone page.Tone, all *witness.Findings) page.Card {
	c := page.Card{Tone: tone, Label: f.Class.Word(), Title: page.Say(f.Summary)}
	if len(f.Places) > 0 && !f.Everywhere {
		c.Title = append(page.Code(asked(f.Places[0])), page.Say(": "+f.Summary)...)
	}
	if f.Unreachable != "" {
		c.Tone = page.Neutral
		c.Note = append(page.Say("Not reachable today: "), page.Say(f.Unreachable)...)
	}
	var head page.Facts
	if len(f.Places) > 0 || f.Everywhere {
		head = append(head, page.Fact{Name: "requests", Value: concerned(f)})
	}
	if f.Grave != "" {
		head = append(head, page.Fact{Name: "gravity", Value: page.Say(grave(f.Grave))})
	}
	head = append(head,
		page.Fact{Name: "before", Value: outcome(f.Witness.Old)}, page.Fact{Name: "now",
			Value: outcome(f.Witness.New)})
	c.Blocks = append(c.Blocks, example(f.Witness, all.Now, head))
	if len(f.OnlyOld)+len(f.OnlyNew) > 0 {
		c.Blocks = append(c.Blocks, page.Delta{GoneTitle: "Asked for only before", ComeTitle: "Asked for only now",
			Gone: f.OnlyOld, Come: f.OnlyNew})
	}
	if len(f.Witness.Commands) > 0 {
		c.Blocks = append(c.Blocks, page.Source{Language: "sh", Text: strings.Join(f.Witness.Commands, "\n"),
			Caption: "To see both decisions; FILE holds the event of this finding"})
	}
	if len(f.Witness.Event) > 0 {
		c.Blocks = append(c.Blocks, page.Folded{Title: page.Say("The event"), Paper: page.OffPaper,
			Blocks: []page.Block{page.Source{Text: indented(f.Witness.Event), Language: "json"}}})
	}
	return c
}

func asked(p witness.Place) string { return p.Method + " " + p.Path }

func grave(why string) string {
	switch why {
	case "anonymous":
		return "no token is needed"
	case "cross_tenant":
		return "a condition on the tenant is no longer asked"
	}
	return why
}

// concerned are the requests of a finding.
func concerned(f witness.Finding) page.Text {
	if f.Everywhere {
		return page.Say("every request")
	}
	var out page.Text
	for i, p := range f.Places {
		if i == 8 {
			return append(out, page.Span{Text: fmt.Sprintf(", and %d more", len(f.Places)-i)})
		}
		if i > 0 {
			out = append(out, page.Span{Text: ", "})
		}
		out = append(out, page.Span{Text: asked(p), As: page.Value})
		if p.Route != "" {
			out = append(out, page.Span{Text: " (" + p.Route + ")"})
		}
	}
	return out
}

func outcome(o witness.Outcome) page.Text {
	switch {
	case o.Error != "":
		return page.Join(page.Tagged("no verdict", page.Warn), page.Say(o.Error))
	case o.Allow:
		return page.Tagged("allowed", page.Neutral)
	}
	return page.Join(page.Tagged("denied", page.Neutral), page.Codes(o.Reasons))
}
