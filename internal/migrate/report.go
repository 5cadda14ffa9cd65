package migrate

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Report is what a migration did, and what it leaves to a hand.
type Report struct {
	// Product is the product that the policies were taken for, and Marks the members that told so.
	Product string
	Marks   []string
	// Renames are the members that were renamed, sorted.
	Renames []Rename
	// Left are places that need a hand; Look are guesses; Notes are changes that keep the meaning.
	Left, Look, Notes []Item
	// Dropped are rules that nothing reads any more.
	Dropped []Item
	// Context are the members that callers have to send in the context.
	Context []string
	// Facts are differences that hold for the whole set.
	Facts []string
	// Configuration is YAML for sidecar.yaml.
	Configuration string
	// Headers, BodyBytes and Entrypoint are what it says.
	Headers    []string
	BodyBytes  int
	Entrypoint string

	context  map[string]place
	renames  map[string]*Rename
	verified map[string][]string
	dynamic  []place
}

// Rename is one member under its new name.
type Rename struct {
	Theirs, Ours, Note string
	Count              int
}

// Item is one place.
type Item struct {
	File   string
	Row    int
	Text   string
	Remedy string
}

func (i Item) String() string {
	out := fmt.Sprintf("%s:%d: %s", i.File, i.Row, i.Text)
	if i.Remedy != "" {
		out += "; " + i.Remedy
	}
	return out
}

func add(list *[]Item, i Item) {
	if !slices.Contains(*list, i) {
		*list = append(*list, i)
	}
}

func (r *Report) left(file string, row int, text, remedy string) {
	add(&r.Left, Item{file, row, text, remedy})
}

func (r *Report) look(file string, row int, text, remedy string) {
	add(&r.Look, Item{file, row, text, remedy})
}

func (r *Report) note(file string, row int, text, remedy string) {
	add(&r.Notes, Item{file, row, text, remedy})
}

func (r *Report) dropped(file string, row int, name string) {
	add(&r.Dropped, Item{file, row, name, ""})
}

func (r *Report) fact(text string) {
	if !slices.Contains(r.Facts, text) {
		r.Facts = append(r.Facts, text)
	}
}

func (r *Report) fromContext(path string, at place) {
	if r.context == nil {
		r.context = map[string]place{}
	}
	if _, ok := r.context[path]; !ok {
		r.context[path] = at
	}
}

func (r *Report) dynamicHeaders(at place) {
	if !slices.Contains(r.dynamic, at) {
		r.dynamic = append(r.dynamic, at)
	}
}

func (r *Report) verify(key, value string) {
	if r.verified == nil {
		r.verified = map[string][]string{}
	}
	if !slices.Contains(r.verified[key], value) {
		r.verified[key] = append(r.verified[key], value)
	}
}

func (r *Report) renamed(theirs string, to target, note string) {
	if r.renames == nil {
		r.renames = map[string]*Rename{}
	}
	ours := ""
	if to.constant != nil {
		ours = to.constant.String()
	} else {
		ref := asInput(to.ref)
		n := len(constants(ref)) + 1
		ours = dotted(ref[:min(n, 4)])
		if strings.HasPrefix(ours, "data."+generatedPackage+".") {
			ours = dotted(ref[:3])
		}
	}
	key := theirs + " " + ours
	if r.renames[key] == nil {
		r.renames[key] = &Rename{Theirs: theirs, Ours: ours, Note: note}
	}
	r.renames[key].Count++
}

func (r *Report) detected(p *product, s *seen) {
	r.Product, r.Marks = p.title, s.marksOf(p)
}

// Done reports whether nothing is left for a hand.
func (r *Report) Done() bool { return len(r.Left) == 0 }

// finish sorts what was collected.
func (r *Report) finish() {
	for _, key := range slices.Sorted(maps.Keys(r.renames)) {
		r.Renames = append(r.Renames, *r.renames[key])
	}
	r.Context = append(r.Context, slices.Sorted(maps.Keys(r.context))...)
	for _, list := range []*[]Item{&r.Left, &r.Look, &r.Notes, &r.Dropped} {
		slices.SortStableFunc(*list, func(a, b Item) int {
			if c := strings.Compare(a.File, b.File); c != 0 {
				return c
			}
			return a.Row - b.Row
		})
	}
}

// Write prints the report.
func (r *Report) Write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "product: %s", r.Product)
	if len(r.Marks) > 0 {
		fmt.Fprintf(&b, " (told by input.%s)", strings.Join(r.Marks, ", input."))
	}
	b.WriteString("\n")
	if len(r.Renames) > 0 {
		b.WriteString("\nrenamed:\n")
		for _, n := range r.Renames {
			fmt.Fprintf(&b, "  %4d  %s -> %s", n.Count, n.Theirs, n.Ours)
			if n.Note != "" {
				fmt.Fprintf(&b, " (%s)", n.Note)
			}
			b.WriteString("\n")
		}
	}
	section(&b, "left for a hand", r.Left)
	section(&b, "to be looked at, for it is a guess", r.Look)
	section(&b, "changed", r.Notes)
	section(&b, "dropped, for nothing reads it any more", r.Dropped)
	if len(r.Context) > 0 {
		b.WriteString("\nthe caller has to send, in the context of a decision:\n")
		for _, path := range r.Context {
			at := r.context[path]
			fmt.Fprintf(&b, "  context.%s (%s:%d)\n", path, at.file, at.row)
		}
	}
	if len(r.Facts) > 0 {
		b.WriteString("\ndifferent here:\n")
		for _, f := range r.Facts {
			fmt.Fprintf(&b, "  - %s\n", f)
		}
	}
	if r.Configuration != "" {
		fmt.Fprintf(&b, "\nconfiguration:\n%s", indented(r.Configuration))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func section(b *strings.Builder, title string, items []Item) {
	if len(items) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s:\n", title)
	for _, i := range items {
		fmt.Fprintf(b, "  %s\n", i)
	}
}

func indented(s string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n  ") + "\n"
}
