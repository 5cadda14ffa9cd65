// Package page writes reports that people read: as a self-contained page of HTML, which shows in a browser without
// network and scripts and prints well, and as Markdown for a pull request. A report is a Document of blocks; every
// text in it may come from an outsider. Characters that do not show are shown by their code points, and what is too
// long is cut and says so.
//
//	d := page.Document{Title: "Policy review", Verdict: "1 request that was denied is allowed", Tone: page.Bad}
//	err := d.WriteHTML(os.Stdout)
package page

// Document is a report.
type Document struct {
	// Title says what the document is, in a few words; Label is the outcome in one or two words: "WIDER".
	Title, Label string
	// Tone is that of the outcome.
	Tone Tone
	// Verdict is the outcome in one sentence; it is the heading. Under are further sentences.
	Verdict string
	Under   []Text
	// Counts stand below the verdict; Head are blocks of the first screen.
	Counts []Count
	Head   []Block
	// Sections are in the order of their weight: where space ends, the last are left out.
	Sections []Section
	// End is the last part, which is never left out: what the report is about, by its digest.
	End []Fact
}

// Tone says how grave something is. It is a class of the style sheet.
type Tone string

// The tones.
const (
	Neutral Tone = "neutral"
	Bad     Tone = "bad"
	Warn    Tone = "warn"
	Good    Tone = "good"
	Info    Tone = "info"
)

// Count is a number with what it counts: 3 wider.
type Count struct {
	N    int
	Of   string
	Tone Tone
	// To is the ID of the section that lists them, or "".
	To string
}

// Section is a part with a heading.
type Section struct {
	// ID is a name for links, of letters and hyphens; Title is the heading.
	ID, Title string
	// Note is a sentence below the heading.
	Note Text
	// Count is shown beside the title where it is above 0.
	Count  int
	Blocks []Block
	// Fold says whether the section is shown at once.
	Fold Fold
}

// Fold says whether something is shown at once.
type Fold string

// The folds. What is closed is open on paper.
const (
	Open   Fold = ""
	Closed Fold = "closed"
)
